//! Runs the programs that users run, each with a limit on its time.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a program left.
#[derive(Debug)]
pub struct Output {
    /// How it was called.
    pub line: String,
    /// Its exit status; -1 if a signal ended it.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a program with some input, for at most so many seconds.
pub fn run_with(program: &str, args: &[&str], input: &str, seconds: u32) -> Result<Output> {
    let line = format!("{program} {}", args.join(" "));
    let mut child = Command::new("timeout")
        // In our process group, so that it ends with us.
        .args(["--foreground", "--kill-after=5", &seconds.to_string(), program])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {line}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input has closed it: no error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("running {line}"))?;
    let status = output.status.code().unwrap_or(-1);
    ensure!(status != 124, "{line} did not end within {seconds} s");
    ensure!(status != 127, "{program} was not found: put it into PATH, as e2e/run does");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { line, status, stdout: text(output.stdout), stderr: text(output.stderr) })
}

/// Runs a program for at most a minute.
pub fn run(program: &str, args: &[&str]) -> Result<Output> {
    run_with(program, args, "", 60)
}

impl Output {
    /// Its standard output, if it succeeded.
    pub fn ok(self) -> Result<String> {
        ensure!(
            self.status == 0,
            "{} ended with status {}: {}{}",
            self.line,
            self.status,
            self.stderr,
            self.stdout
        );
        Ok(self.stdout)
    }

    /// Its standard output as JSON, if it succeeded.
    pub fn json(self) -> Result<Value> {
        let line = self.line.clone();
        serde_json::from_str(&self.ok()?).with_context(|| format!("{line} printed no JSON"))
    }

    /// Its complaint, which must hold `reason`, if it failed.
    pub fn refused(self, reason: &str) -> Result<String> {
        ensure!(self.status != 0, "{} was not refused: {}", self.line, self.stdout);
        ensure!(
            self.stderr.contains(reason),
            "{} was refused with:\n{}\nbut this was expected:\n{reason}",
            self.line,
            self.stderr
        );
        Ok(self.stderr)
    }
}
