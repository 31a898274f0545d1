//! The simulator's command line.
//!
//! It ends with 0 when all passed, 1 when an invariant was broken, 2 when it was called
//! wrongly, and 3 when a fault never hit anything.

use clap::Parser;
use dynamo_sim::{
    Finished, Keep, Numbers, Options, Recorded, Schedule, Summary, run_all, run_caught, shrink,
};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    process::ExitCode,
    str::FromStr,
};

/// How many runs it may take to shrink a failure.
const MOST_RUNS: usize = 200;

/// How many failures are printed.
const MOST_PRINTED: usize = 10;

const BROKEN: u8 = 1;
const NEVER_BIT: u8 = 3;

/// Runs a simulated cluster under faults, once per seed, and checks what clients see.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How many fresh seeds to run, beside the recorded ones
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them, or "random"
    #[arg(long, default_value = "0")]
    start: Start,
    /// End with the first seed that fails
    #[arg(long)]
    until_failure: bool,
    /// Run no recorded seeds
    #[arg(long)]
    fresh_only: bool,
    /// Run this one only and print its trace
    #[arg(long, conflicts_with_all = ["seeds", "start", "until_failure", "fresh_only"])]
    seed: Option<u64>,
    /// Find out how little of its schedule breaks the same invariant
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Leave out all faults but these, such as 3,7,9 or none
    #[arg(long, requires = "seed")]
    keep_faults: Option<Numbers>,
    /// Leave out all clients but these
    #[arg(long, requires = "seed")]
    keep_clients: Option<Numbers>,
    /// Let each client do so many operations at most
    #[arg(long, requires = "seed")]
    operations: Option<usize>,
}

/// The first seed of a suite.
#[derive(Clone, Copy)]
struct Start(u64);

impl FromStr for Start {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            // Hash tables are seeded by the system. Few digits are easier to repeat.
            "random" => Ok(Start(RandomState::new().build_hasher().finish() >> 32)),
            number => number.parse().map(Start),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Args { seeds, start, until_failure, fresh_only, seed, shrink, .. } = args;
    let (faults, clients) = (args.keep_faults, args.keep_clients);
    let keep = Keep { faults, clients, operations: args.operations };
    let recorded = !fresh_only;
    let ends = match seed {
        Some(seed) => one(seed, &keep, shrink),
        None => many(Options { start: start.0, seeds, recorded, until_failure }),
    };
    ExitCode::from(ends)
}

fn one(seed: u64, keep: &Keep, shrinks: bool) -> u8 {
    let schedule = Schedule::draw(seed).keep(keep);
    print!("{schedule}");
    let run = run_caught(seed, schedule, !shrinks);
    let result = run.violation.as_ref().map_or("passed".into(), ToString::to_string);
    println!("seed {seed}{keep}: {result}; {}; trace hash {:016x}", run.tally, run.hash);
    if shrinks {
        print_shrunk(&run);
    }
    if run.violation.is_some() { BROKEN } else { 0 }
}

fn many(options: Options) -> u8 {
    println!("{} seeds from {}", options.seeds, options.start);
    let summary = run_all(options);
    for (fault, times) in summary.tally.bites() {
        println!("{times:>10} {fault}");
    }
    for run in summary.failed.iter().take(MOST_PRINTED) {
        if let Some(violation) = &run.violation {
            println!("seed {}{}: {violation}", run.seed, why_recorded(run.seed, &summary));
        }
        println!("  cargo run -p dynamo-sim --release -- --seed {}", run.seed);
    }
    if let Some(more) = summary.failed.len().checked_sub(MOST_PRINTED + 1) {
        println!("and {} more", more + 1);
    }
    if let (Some(first), false) = (summary.failed.first(), options.until_failure) {
        print_shrunk(first);
    }
    let never_bit = summary.never_bit();
    for fault in &never_bit {
        println!("never seen, so that nothing is proved about it: {fault}");
    }
    println!("{summary}");
    match (summary.failed.is_empty(), never_bit.is_empty()) {
        (false, _) => BROKEN,
        (true, false) => NEVER_BIT,
        (true, true) => 0,
    }
}

fn why_recorded(seed: u64, summary: &Summary) -> String {
    let recorded = Recorded::all().into_iter().filter(|_| summary.options.recorded);
    recorded.filter(|r| r.seed == seed).map(|r| format!(" (recorded: {})", r.why)).collect()
}

/// A core that panics does so in most of the runs: once is enough to read it.
fn print_shrunk(failed: &Finished) {
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(shrunk) = shrink(failed, MOST_RUNS) {
        println!("{shrunk}");
    }
}
