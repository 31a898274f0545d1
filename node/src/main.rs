//! `dynamo-node`: one node of a Dynamo cluster as a process.
//!
//! ```text
//!  clients ─▶ service::key_value ─┐              ┌─▶ storage (RocksDB)
//!  peers ───▶ service::peer ──────┼─▶ driver ────┤
//!  operators ▶ service::admin ────┘   (the core) └─▶ transport ─▶ peers
//! ```
//!
//! The driver is one thread; everything on the network shares another. See
//! [`driver`] for what happens in a turn. Exit status: 0 after a clean stop, 2 for a
//! value on the command line that cannot be used, 1 for everything else, each with one
//! line that says what happened and what to do.

mod clock;
mod config;
mod driver;
mod http;
mod identity;
mod kernel;
mod logs;
mod metrics;
mod notes;
mod process;
mod servers;
mod service;
mod signals;
mod storage;
mod transport;

use config::{Config, LogFormat, NoConfig};
use std::process::ExitCode;

fn main() -> ExitCode {
    let config = match Config::parse(std::env::args_os()) {
        Ok(config) => config,
        Err(NoConfig::Asked(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(NoConfig::Bad(line)) => {
            eprintln!("dynamo-node: {line}");
            return ExitCode::from(2);
        }
    };
    let format = config.log_format;
    logs::start(format, config.log_level);
    match (run(config), format) {
        (Ok(()), _) => return ExitCode::SUCCESS,
        (Err(e), LogFormat::Text) => eprintln!("dynamo-node: {e:#}"),
        (Err(e), LogFormat::Json) => tracing::error!("{e:#}"),
    }
    ExitCode::FAILURE
}

fn run(config: Config) -> anyhow::Result<()> {
    // One thread for the network: a second would make every request dearer, for the
    // work is in short steps that wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(process::run(config));
    // Streams of peers and the reader of standard input never end by themselves.
    runtime.shutdown_background();
    result
}
