//! Writers and readers that run through a scenario, with a [`History`] that checks
//! every answer.
//!
//! Two writers change the same keys, so that siblings appear and are merged; a reader
//! reads at random. They use the client library's own retries, as an application would;
//! what it still could not do is counted as failed.
//!
//! While nodes are away, a sloppy quorum may miss what only fallbacks hold. A plan that
//! says so counts such reads as stale, and [`Workload::settle`] checks afterwards that
//! every replica came to hold all that was acknowledged.

mod clients;
mod ledger;
mod settled;

pub use ledger::Ledger;

use crate::history::{History, Violation};
use anyhow::{Context as _, Result, bail, ensure};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Keys of a strict load: few, so that its clients meet often.
const FEW_KEYS: usize = 32;

/// Keys of a sloppy load. A node that stood still may take up a write whose client has
/// long repeated it elsewhere; it is recognised unless more than eight writes of the key
/// were overwritten meanwhile, and with so many keys they are not.
const MANY_KEYS: usize = 512;

/// What the clients do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The client ports that they know: each begins with another one, and turns to the
    /// next when one fails.
    pub addresses: Vec<String>,
    /// R of every read; 0 for what the nodes are set to.
    pub read_quorum: u32,
    /// W of every write; 0 for what the nodes are set to.
    pub write_quorum: u32,
    /// Whether reads may miss acknowledged writes until the load has settled.
    pub sloppy: bool,
}

impl Plan {
    /// Every read sees every acknowledged write: while all nodes are there.
    pub fn strict(address: &str) -> Plan {
        let addresses = vec![address.to_owned()];
        Plan { addresses, read_quorum: 0, write_quorum: 0, sloppy: false }
    }

    /// Reads may be stale: while nodes are away, or with R + W <= N.
    pub fn sloppy(addresses: &[String]) -> Plan {
        let addresses = addresses.to_vec();
        Plan { addresses, read_quorum: 0, write_quorum: 0, sloppy: true }
    }

    fn keys(&self) -> usize {
        if self.sloppy { MANY_KEYS } else { FEW_KEYS }
    }
}

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct Workload {
    stop: Arc<AtomicBool>,
    shared: Shared,
    thread: JoinHandle<Result<()>>,
}

/// What the clients went through.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Writes that were acknowledged.
    pub written: u64,
    /// Reads that were answered.
    pub read: u64,
    /// Reads that missed an acknowledged write, where the plan allows it.
    pub stale: u64,
    /// Calls that failed for good, and why.
    pub failed: Vec<String>,
    /// How long the slowest call took.
    pub slowest: Duration,
}

/// What the clients and the test look at; the history may have several loads.
#[derive(Clone, Debug, Default)]
struct Shared {
    history: Arc<Mutex<History>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    report: Report,
    violation: Option<Violation>,
}

impl Workload {
    /// Starts a strict load at a client port; see [`Workload::begin`].
    pub fn start(address: &str) -> Result<Workload> {
        Workload::begin(Plan::strict(address))
    }

    /// Starts it, and returns once something was written.
    pub fn begin(plan: Plan) -> Result<Workload> {
        Workload::with(plan, Arc::default())
    }

    /// Starts another one on the same keys, of which each may read what the other wrote.
    pub fn beside(&self, plan: Plan) -> Result<Workload> {
        Workload::with(plan, self.shared.history.clone())
    }

    fn with(plan: Plan, history: Arc<Mutex<History>>) -> Result<Workload> {
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Shared { history, seen: Arc::default() };
        let (stopped, state) = (stop.clone(), shared.clone());
        let thread = std::thread::spawn(move || block_on(clients::run(&plan, &state, &stopped))?);
        let workload = Workload { stop, shared, thread };
        workload.go_on(1)?;
        Ok(workload)
    }

    /// Lets it run for so long.
    ///
    /// # Errors
    /// A promise that was broken, as soon as it shows.
    pub fn run_for(&self, time: Duration) -> Result<()> {
        let began = Instant::now();
        let what = "the load to have run";
        crate::wait::until(what, time * 2, || {
            self.check()?;
            Ok((began.elapsed() >= time).then_some(()))
        })
    }

    /// Waits until so many more writes were acknowledged.
    ///
    /// # Errors
    /// None were for long, or a promise was broken.
    pub fn go_on(&self, writes: u64) -> Result<()> {
        let goal = lock(&self.shared.seen).report.written + writes;
        crate::wait::until(&format!("{writes} more writes"), Duration::from_secs(30), || {
            self.check()?;
            Ok((lock(&self.shared.seen).report.written >= goal).then_some(()))
        })
    }

    fn check(&self) -> Result<()> {
        match &lock(&self.shared.seen).violation {
            Some(violation) => bail!("{violation}"),
            None => Ok(()),
        }
    }

    /// Stops it and reports. What a strict load wrote is read once more.
    ///
    /// # Errors
    /// A promise that was broken, whatever the error budget is.
    pub fn stop(self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let (seen, thread) = (self.shared.seen, self.thread);
        match thread.join() {
            Ok(ended) => ended?,
            Err(_) => bail!("the workload panicked"),
        }
        let seen = lock(&seen);
        match &seen.violation {
            Some(violation) => bail!("{violation}"),
            None => Ok(seen.report.clone()),
        }
    }

    /// Stops it, and waits until all that was acknowledged is where it belongs: every
    /// key is read from so many replicas together, and from one through each address,
    /// and all of them show the same.
    ///
    /// # Errors
    /// A promise that was broken, or is not kept within the limit.
    pub fn settle(self, addresses: &[String], replicas: u32, limit: Duration) -> Result<Report> {
        let history = self.shared.history.clone();
        let report = self.stop()?;
        let settled = block_on(settled::wait(&lock(&history), addresses, replicas, limit))?;
        settled.with_context(|| format!("after {report}"))?;
        Ok(report)
    }
}

impl Report {
    /// The error budget of most scenarios: the client's own retries are enough.
    pub fn no_failure(&self) -> Result<()> {
        let n = self.failed.len();
        ensure!(n == 0, "{n} calls failed in spite of retries, the first: {}", self.failed[0]);
        Ok(())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { written, read, stale, failed, slowest } = self;
        let (failed, slowest) = (failed.len(), slowest.as_millis());
        write!(
            f,
            "{written} writes, {read} reads ({stale} stale), {failed} failed, slowest {slowest} ms"
        )
    }
}

/// Runs a future on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
