//! The simulator's command line.

use clap::Parser;
use dynamo_sim::{run, run_all};
use std::process::ExitCode;

/// Runs a simulated cluster under faults, once per seed, and checks what clients see.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    start: u64,
    /// Run this one only and print its trace
    #[arg(long, conflicts_with_all = ["seeds", "start"])]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let passed = match args.seed {
        Some(seed) => one(seed),
        None => many(args.start, args.seeds),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64) -> bool {
    let run = run(seed, true);
    let result = run.violation.as_deref().unwrap_or("passed");
    println!("seed {seed}: {result}; {}; trace hash {:016x}", run.tally, run.hash);
    run.violation.is_none()
}

fn many(start: u64, seeds: u64) -> bool {
    let summary = run_all(start, seeds);
    for (fault, times) in summary.tally.bites() {
        println!("{times:>10} {fault}");
    }
    for run in &summary.failed {
        let what = run.violation.as_deref().unwrap_or_default();
        println!("seed {}: {what}", run.seed);
        println!("  cargo run -p dynamo-sim --release -- --seed {}", run.seed);
    }
    println!("{summary}");
    summary.failed.is_empty()
}
