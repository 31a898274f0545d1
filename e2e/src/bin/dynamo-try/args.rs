//! The command line of `dynamo-try`.

use clap::Parser;
use dynamo_e2e::local_ring::ports;
use std::path::PathBuf;

/// A ring of 5 nodes on 127.0.0.1: stores every file of a checkout, kills a node with
/// SIGKILL, reads every file back through another one, and stays up until Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "dynamo-try", version)]
pub(crate) struct Args {
    /// End after reading back, with an exit status, instead of staying up
    #[arg(long)]
    pub(crate) once: bool,
    /// The first of the ports; each node takes three of every ten from there
    #[arg(long, env = "BASE_PORT", value_name = "PORT", default_value_t = ports::DEFAULT_BASE)]
    pub(crate) base_port: u16,
    /// Whose files are stored
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) tree: PathBuf,
    /// The program that is a node [default: dynamo-node beside this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) node: Option<PathBuf>,
}
