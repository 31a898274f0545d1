//! What a ring takes and what background work costs. Absolute figures mean nothing on
//! another machine: what to compare are ratios within a run.
//!
//! A run with an error prints no figure: a store that refuses is fast.

mod closed;
mod connections;
mod disk;
mod figures;
mod fill;
mod hints;
mod load;
mod procfs;
mod repair;
mod ring;
mod steady;
mod values;

use clap::Parser;

/// Measures rings.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Load nodes that run already: throughput, latencies, CPU per operation
    Load(load::Options),
    /// What clients notice while hints are handed to a node that is back; starts a ring
    Hints(hints::Options),
    /// How long a replica that has lost its disk takes to be whole again; starts a ring
    Repair(repair::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Load(options) => load::run(options).await,
        Command::Hints(options) => hints::run(options).await,
        Command::Repair(options) => repair::run(options).await,
    }
}
