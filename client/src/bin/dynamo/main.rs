//! The command `dynamo`: gets, puts and deletes keys, and shows the cluster and its ring.
//!
//! Exit status: 0 done, 1 the request failed (one line on standard error says why),
//! 2 the command line was wrong. A reader that closes the pipe early is no error.

mod args;
mod context_file;
mod get;
mod output;
mod ring;
mod status;
mod write;

use args::{Args, Command};
use clap::Parser;
use dynamo_client::Client;
use std::{io, process::ExitCode};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::explain(&error),
    };
    match run(args) {
        Ok(code) => code,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let client = Client::connect(args.server).timeout(args.timeout).build()?;
    let mut out = io::stdout().lock();
    match args.command {
        Command::Get(get) => return get::run(&client, &get, args.output, &mut out).await,
        Command::Put(put) => write::put(&client, &put, args.output, &mut out).await?,
        Command::Delete(delete) => write::delete(&client, &delete, args.output, &mut out).await?,
        Command::Status => status::run(&client, args.output, &mut out).await?,
        Command::Ring => ring::run(&client, args.output, &mut out).await?,
    }
    Ok(ExitCode::SUCCESS)
}
