//! The command line, parsed once.

use crate::output;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, error::ErrorKind};
use dynamo_client::{Key, MAX_TIMEOUT};
use jiff::SignedDuration;
use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// Gets, puts and deletes keys of a Dynamo cluster, and shows the cluster.
#[derive(Debug, Parser)]
#[command(name = "dynamo", version, propagate_version = true)]
pub(crate) struct Args {
    /// Addresses of nodes, separated by commas: any will do, the others are tried next
    #[arg(
        long,
        global = true,
        env = "DYNAMO_SERVER",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1:7070"
    )]
    pub(crate) server: Vec<String>,
    /// How long to try, for example 5s or 500ms
    #[arg(long, global = true, default_value = "5s", value_parser = timeout)]
    pub(crate) timeout: Duration,
    /// How to print results
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, and for pipes
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the value of a key
    Put(Put),
    /// Print the value of a key, or all siblings if it has several
    Get(Get),
    /// Delete a key
    Delete(Delete),
    /// Show the cluster as one node sees it
    Status,
    /// Show the ring: who owns how many partitions, and who is up
    Ring,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct KeyArgs {
    /// The key: any bytes
    key: OsString,
    /// The sort part of the key: tells apart the keys of one partition part
    #[arg(long, value_name = "SORT", default_value = "")]
    sort_key: OsString,
}

impl KeyArgs {
    pub(crate) fn key(&self) -> Key {
        Key::new(self.key.clone().into_vec(), self.sort_key.clone().into_vec())
    }

    /// The key as an error shows it.
    pub(crate) fn shown(&self) -> String {
        let key = self.key.as_bytes().escape_ascii();
        match self.sort_key.as_bytes() {
            [] => format!("\"{key}\""),
            sort => format!("\"{key}\" / \"{}\"", sort.escape_ascii()),
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct WriteArgs {
    /// Read from this file what the write has seen of the key (as `get` wrote it), and
    /// write back what it has seen now; a missing or empty file means nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) context_file: Option<PathBuf>,
    /// How many nodes must acknowledge [default: the setting of the cluster]
    #[arg(short, value_name = "W", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) w: Option<u32>,
    /// How many of them must be primaries of the key, not nodes that stand in for them
    #[arg(long, value_name = "PW", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pw: Option<u32>,
    /// Primaries only, and R+W>N: every later strict get shows this write
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, ClapArgs)]
#[group(id = "source", required = true, multiple = false, args = ["value", "file"])]
pub(crate) struct Put {
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// The value: any bytes; - reads standard input
    pub(crate) value: Option<OsString>,
    /// Read the value from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Write to this file what has been seen of the key, for the next put or delete
    #[arg(long, value_name = "FILE")]
    pub(crate) context_file: Option<PathBuf>,
    /// How many nodes must answer [default: the setting of the cluster]
    #[arg(short, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) r: Option<u32>,
    /// How many of them must be primaries of the key, not nodes that stand in for them
    #[arg(long, value_name = "PR", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pr: Option<u32>,
    /// Primaries only, and R+W>N: every strict put of before is seen
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the raw bytes of this sibling only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) sibling: Option<u32>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|d| Duration::try_from(d).ok());
    match parsed {
        None => Err("give a time such as 5s or 500ms".to_owned()),
        Some(d) if d.is_zero() || d > MAX_TIMEOUT => {
            Err(format!("it must be above 0 and at most {MAX_TIMEOUT:?}"))
        }
        Some(d) => Ok(d),
    }
}

/// Prints what was asked for (help, version), or in one line what is wrong.
pub(crate) fn explain(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe is nothing to complain about.
        let _ = error.print();
        return if asked { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let text = error.to_string();
    let first = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    output::complain(&format!("{line}; see dynamo --help"));
    ExitCode::from(2)
}
