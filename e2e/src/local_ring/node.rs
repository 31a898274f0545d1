//! One `dynamo-node` process: its data, its log, and its end.

use super::{BETWEEN_LOOKS, Ports, Setup};
use anyhow::{Context as _, Result, bail};
use dynamo_client::Client;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File, OpenOptions},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The end of a log that is shown when a node ended by itself.
const TAIL_LINES: usize = 8;

/// How many nodes serve as seeds.
const SEEDS: usize = 3;

/// A node that may or may not run.
#[derive(Debug)]
pub struct LocalNode {
    name: String,
    ports: Ports,
    within: Vec<String>,
    program: PathBuf,
    args: Vec<String>,
    data: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl LocalNode {
    pub(super) fn new(setup: &Setup, cluster: Uuid, at: usize) -> Self {
        let name = format!("node-{}", at + 1);
        let ports = setup.ports[at];
        let (data, log) = (setup.dir.join(&name), setup.dir.join(format!("{name}.log")));
        let seeds: Vec<_> = setup.ports.iter().take(SEEDS).map(|p| address(*p, p.peer)).collect();
        let own = [
            ("--data-dir", data.display().to_string()),
            ("--cluster-id", cluster.to_string()),
            ("--name", name.clone()),
            ("--client-listen", address(ports, ports.client)),
            ("--peer-listen", address(ports, ports.peer)),
            ("--http-listen", address(ports, ports.http)),
            ("--seeds", seeds.join(",")),
        ];
        let own = own.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        let args = own.chain(["--exit-with-parent".to_owned()]).chain(setup.flags.clone());
        let (program, args) = (setup.program.clone(), args.collect());
        let within = setup.within.get(at).cloned().unwrap_or_default();
        LocalNode { name, ports, within, program, args, data, log, child: None }
    }

    /// Starts it, on the data that it has.
    pub fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let child = self
            .command(log)?
            // Ctrl-C at a terminal is for the program that started the nodes.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// The command that starts it, as it stands, its output going to a file.
    pub fn command(&self, log: File) -> Result<Command> {
        let mut command = match self.within.split_first() {
            None => Command::new(&self.program),
            Some((first, rest)) => {
                let mut outer = Command::new(first);
                outer.args(rest).arg(&self.program);
                outer
            }
        };
        command.args(&self.args).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients reach it.
    pub fn client_address(&self) -> String {
        address(self.ports, self.ports.client)
    }

    /// Where operators reach it.
    pub fn peer_address(&self) -> String {
        address(self.ports, self.ports.peer)
    }

    /// Where /readyz and /metrics are.
    pub fn http_address(&self) -> String {
        address(self.ports, self.ports.http)
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A client of this node alone.
    #[expect(clippy::missing_panics_doc, reason = "the address is well-formed by construction")]
    pub fn client(&self) -> Client {
        Client::connect([self.client_address()]).build().expect("IP:PORT is an address")
    }

    /// Whether it was started, and nobody has ended it since.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How much memory it holds, in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let Some(pid) = self.pid() else { bail!("{} does not run", self.name) };
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let words = line.context("no VmRSS")?.split_whitespace().next();
        Ok(words.context("no VmRSS")?.parse()?)
    }

    /// SIGKILL: it has no time to do anything.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { bail!("{} does not run", self.name) };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// SIGTERM: it is asked to end.
    pub fn terminate(&mut self) {
        self.signal(Signal::SIGTERM);
    }

    /// SIGSTOP: it stands still, its connections stay open.
    pub fn pause(&mut self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT: it goes on where it stood.
    pub fn resume(&mut self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended already.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for its end. It is killed when it does not come in time.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let began = Instant::now();
        loop {
            let Some(child) = &mut self.child else { bail!("{} does not run", self.name) };
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status);
            }
            if began.elapsed() > limit {
                self.kill()?;
                bail!("{} had to be killed: it did not end within {limit:?}", self.name);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// How it has ended by itself, if it has; told once.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// What it said last to the person who has to help it: one line, without its name.
    pub fn last_words(&self) -> Result<String> {
        let log = fs::read(&self.log)?;
        let log = String::from_utf8_lossy(&log);
        let said = log.lines().rev().find_map(|line| line.strip_prefix("dynamo-node: "));
        Ok(said.unwrap_or_default().to_owned())
    }

    /// An error with the end of its log if it has ended by itself.
    pub(super) fn fail_if_ended(&mut self) -> Result<()> {
        let Some(status) = self.ended()? else { return Ok(()) };
        bail!("{} ended by itself ({status}); the end of its log:\n{}", self.name, self.log_tail())
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        tail.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for LocalNode {
    fn drop(&mut self) {
        if self.is_running() {
            // What cannot be killed is gone already.
            let _ = self.kill();
        }
    }
}

fn address(ports: Ports, port: u16) -> String {
    format!("{}:{port}", ports.host)
}
