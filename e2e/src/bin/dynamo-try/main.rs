//! `make run`: a ring of five nodes on this machine, tried out before your eyes.
//!
//! Stores every file of the checkout, kills a node, reads every file back through
//! another one, and stays up until Ctrl-C. Whatever happens, no process and no data of
//! it stay behind.

mod args;
mod checks;
mod load;
mod progress;
mod report;
mod session;
mod tree;

use args::Args;
use clap::Parser;
use dynamo_e2e::local_ring::LocalRing;
use std::{process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// How long nodes may take to end before they are killed.
const ENDING: Duration = Duration::from_secs(5);

/// What shells show for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dynamo-try: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let files = tree::read(&args.tree)?;
    // Removed when it goes out of scope, after the nodes have ended.
    let dir = tempfile::Builder::new().prefix("dynamo-try-").tempdir()?;
    let mut ring = LocalRing::new(checks::setup(args, &files, dir.path())?);
    let mut done = false;
    let ended = tokio::select! {
        ended = session::run(&mut ring, &files, args, &mut done) => ended.map(|()| ExitCode::SUCCESS),
        asked = asked_to_end() => asked.map(|()| {
            eprintln!("\nending all nodes");
            if done { ExitCode::SUCCESS } else { ExitCode::from(INTERRUPTED) }
        }),
    };
    ring.stop(ENDING).await;
    ended
}

async fn asked_to_end() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
