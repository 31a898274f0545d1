//! Namespaces of Linux in which tests break networks and disks.
//!
//! A namespace has no name. It lives by one process that waits for the end of a pipe
//! from this program, and by what was started in it. So all of it, links, addresses and
//! mounts, is gone with this program, however that ends: the kernel sees to it.

use crate::command::run;
use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns};
use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

/// A namespace and the process that holds it.
#[derive(Debug)]
pub struct Sandbox {
    kind: &'static str,
    holder: Child,
}

impl Sandbox {
    /// A network without any link but its own loopback, which is down.
    pub fn network() -> Result<Self> {
        Self::hold("net")
    }

    /// The mounts of this machine; what is mounted inside is seen by nobody outside.
    pub fn mounts() -> Result<Self> {
        Self::hold("mount")
    }

    fn hold(kind: &'static str) -> Result<Self> {
        let user = fs::metadata("/proc/self")?.uid();
        ensure!(
            user == 0,
            "this needs root, for it makes a {kind} namespace, and runs as user {user}: run \
             make faults as root"
        );
        let mut holder = Command::new("unshare")
            // It speaks when it is inside, and ends when its input does.
            .args([&format!("--{kind}"), "--", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting unshare, of util-linux")?;
        let mut heard = [0];
        let output = holder.stdout.as_mut().context("unshare has no output")?;
        let inside = output.read_exact(&mut heard);
        let sandbox = Sandbox { kind, holder };
        inside.with_context(|| format!("this machine allows no {kind} namespaces to root"))?;
        Ok(sandbox)
    }

    /// The process that holds it, which is inside.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// What a command line begins with to run inside. The process stays the same one.
    pub fn prefix(&self) -> Vec<String> {
        let file = if self.kind == "mount" { "mnt" } else { self.kind };
        let inside = format!("--{}=/proc/{}/ns/{file}", self.kind, self.pid());
        ["nsenter".to_owned(), inside, "--".to_owned()].to_vec()
    }

    /// Runs a command inside.
    pub fn run(&self, command: &[&str]) -> Result<()> {
        let prefix = self.prefix();
        let (program, inside) = prefix.split_first().context("an empty command")?;
        let args = inside.iter().map(String::as_str).chain(command.iter().copied());
        run(program, &args.collect::<Vec<_>>())?.ok().map(drop)
    }

    /// A file or directory as those inside see it.
    pub fn path(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Does something on a thread that is in this network, as are all threads that it
    /// starts and all sockets that these make.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        ensure!(self.kind == "net", "threads enter networks only");
        let network = File::open(format!("/proc/{}/ns/net", self.pid()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&network, CloneFlags::CLONE_NEWNET).context("entering a network")?;
                work()
            });
            inside.join().map_err(|_| anyhow!("it panicked inside of the network"))?
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // If it is gone already, so is the namespace.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
