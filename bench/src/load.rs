//! `dynamo-bench load`: a closed loop against nodes that run already: so many requests in
//! flight, for so long, uniformly over so many keys. It prints throughput, latencies and,
//! for the processes given, CPU time per operation. A run with an error prints no figure.

use crate::{
    closed::Closed,
    figures::{QUANTILES, millis},
    procfs,
    values::Values,
};
use anyhow::{Result, ensure};
use clap::Args;
use std::time::{Duration, Instant};

/// What is sent, and to whom.
#[derive(Args)]
pub(crate) struct Options {
    /// Nodes to send to, in turns
    #[arg(long, default_value = "127.0.0.1:7070", value_delimiter = ',')]
    server: Vec<String>,
    /// Requests in flight
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// How long to measure
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How long to load before measuring
    #[arg(long, default_value_t = 2)]
    warm_up: u64,
    /// Share of reads, in per cent
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100))]
    reads: u32,
    /// Bytes of a value
    #[arg(long, default_value_t = 1024)]
    value: usize,
    /// How many keys there are
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Processes of the servers, for CPU per operation and memory
    #[arg(long, value_delimiter = ',')]
    pid: Vec<u32>,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let load = Closed {
        servers: options.server,
        reads: options.reads,
        values: Values::new(options.value),
        keys: options.keys,
        concurrency: options.concurrency,
    };
    let start = Instant::now() + Duration::from_secs(options.warm_up);
    let seconds = options.seconds;
    let running = tokio::spawn(load.run(start, start + Duration::from_secs(seconds)));
    tokio::time::sleep_until(start.into()).await;
    let cpu_before = procfs::cpu(&options.pid)?;
    let latencies = running.await??;
    let cpu = procfs::cpu(&options.pid)?.saturating_sub(cpu_before);
    ensure!(!latencies.is_empty(), "no operation ended within {seconds} s");
    println!("throughput  {} operations/s", latencies.len() / seconds);
    for (name, quantile) in QUANTILES {
        println!("{name:11} {:.2} ms", millis(&latencies, quantile));
    }
    if !options.pid.is_empty() {
        let per_operation = cpu.as_micros() as f64 / latencies.len() as f64;
        println!("server CPU  {per_operation:.0} µs per operation, all servers together");
        let rss = procfs::resident_mib(&options.pid)?;
        println!(
            "server RSS  {} MiB",
            rss.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
        );
    }
    Ok(())
}
