//! Writers and readers that run through a scenario, with a [`History`] that checks
//! every answer.
//!
//! Two writers change the same keys, so that siblings appear and are merged; a reader
//! reads at random. All of them use one address, as an application would, and the
//! client library's own retries; what it still could not do is counted as failed.

use crate::history::{History, Outcome, Violation, WriteId};
use anyhow::{Context as _, Result, bail, ensure};
use dynamo_client::{Client, Error, GetReply};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const KEYS: usize = 32;

/// Some bytes beside the number, so that values are not trivially small.
const FILLING: usize = 200;

/// Between two operations of a client, so that the nodes are busy and not overloaded.
const PAUSE: Duration = Duration::from_millis(5);

/// A load that runs until it is stopped.
#[derive(Debug)]
pub struct Workload {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Report>>,
}

/// What the clients went through.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Writes that were acknowledged.
    pub written: u64,
    /// Reads that were answered.
    pub read: u64,
    /// Calls that failed for good, and why.
    pub failed: Vec<String>,
    /// How long the slowest call took.
    pub slowest: Duration,
}

#[derive(Default)]
struct Shared {
    history: History,
    report: Report,
    violation: Option<Violation>,
}

impl Workload {
    /// Starts it against a client port, and returns once something was written.
    pub fn start(address: &str) -> Result<Workload> {
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (stopped, state, address) = (stop.clone(), shared.clone(), address.to_owned());
        let thread = std::thread::spawn(move || block_on(run(&address, state, &stopped))?);
        let workload = Workload { stop, thread };
        crate::wait::until("a first write", Duration::from_secs(20), || {
            Ok((lock(&shared).report.written > 0).then_some(()))
        })?;
        Ok(workload)
    }

    /// Stops it, reads every key once more, and reports.
    ///
    /// # Errors
    /// A promise that was broken, whatever the error budget is.
    pub fn stop(self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(report) => report,
            Err(_) => bail!("the workload panicked"),
        }
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
        let Report { written, read, failed, slowest } = self;
        let (failed, slowest) = (failed.len(), slowest.as_millis());
        write!(f, "{written} writes, {read} reads, {failed} failed, slowest {slowest} ms")
    }
}

/// Runs a future on a runtime of its own.
pub fn block_on<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}

async fn run(address: &str, shared: Arc<Mutex<Shared>>, stop: &AtomicBool) -> Result<Report> {
    // Connections of their own: through a Service they lead to different nodes.
    let client = || Client::connect([address]).timeout(Duration::from_secs(20)).build();
    let (one, two, three) = (client()?, client()?, client()?);
    tokio::join!(
        write_until(&one, 1, &shared, stop),
        write_until(&two, 2, &shared, stop),
        read_until(&three, 3, &shared, stop),
    );
    let keys: Vec<String> = lock(&shared).history.keys().map(String::from).collect();
    for key in &keys {
        read_once(&three, key, &shared).await;
    }
    let shared = lock(&shared);
    match &shared.violation {
        Some(violation) => bail!("{violation}"),
        None => Ok(shared.report.clone()),
    }
}

async fn write_until(client: &Client, seed: u64, shared: &Mutex<Shared>, stop: &AtomicBool) {
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        write_once(client, &key(seed, turn), shared).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read_until(client: &Client, seed: u64, shared: &Mutex<Shared>, stop: &AtomicBool) {
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        read_once(client, &key(seed, turn), shared).await;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A walk over the keys that differs from client to client, and now and then meets.
fn key(seed: u64, turn: usize) -> String {
    let step = [1, 3, 5, 7][usize::try_from(seed).unwrap_or(0) % 4];
    format!("history-{}", (turn * step) % KEYS)
}

/// Reads, and replaces all that was read.
async fn write_once(client: &Client, key: &str, shared: &Mutex<Shared>) {
    let Some((reply, saw)) = read_once(client, key, shared).await else { return };
    let id = lock(shared).history.begin_write(key, saw);
    let value = format!("{id} {}", "x".repeat(FILLING));
    let began = Instant::now();
    let put = client.put(key.to_owned(), value).context(&reply.context).await;
    let mut shared = lock(shared);
    shared.report.slowest = shared.report.slowest.max(began.elapsed());
    let outcome = match put {
        Ok(_) => {
            shared.report.written += 1;
            Outcome::Acknowledged
        }
        Err(error) => {
            let unknown = error.is_indeterminate();
            shared.failed("put", key, &error);
            if unknown { Outcome::Unknown } else { Outcome::NotApplied }
        }
    };
    shared.history.end_write(key, id, outcome);
}

async fn read_once(
    client: &Client,
    key: &str,
    shared: &Mutex<Shared>,
) -> Option<(GetReply, BTreeSet<WriteId>)> {
    let reading = lock(shared).history.begin_read(key);
    let began = Instant::now();
    let reply = client.get(key.to_owned()).await;
    let mut shared = lock(shared);
    shared.report.slowest = shared.report.slowest.max(began.elapsed());
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            shared.failed("get", key, &error);
            return None;
        }
    };
    shared.report.read += 1;
    let read = reply.siblings.iter().map(|s| number(&s.value)).collect();
    if let Err(violation) = shared.history.end_read(reading, &read) {
        shared.violation.get_or_insert(violation);
    }
    Some((reply, read))
}

impl Shared {
    fn failed(&mut self, call: &str, key: &str, error: &Error) {
        self.report.failed.push(format!("{call} {key}: {error}"));
    }
}

/// The number of the write that made a value; one that cannot be is no write's.
fn number(value: &[u8]) -> WriteId {
    let digits = value.split(|&b| b == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(WriteId::MAX)
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keys that are written once and must be readable ever after, from any address.
#[derive(Debug)]
pub struct Ledger {
    keys: usize,
}

impl Ledger {
    /// Writes so many keys through an address.
    pub fn write(address: &str, keys: usize) -> Result<Ledger> {
        let client = Client::connect([address]).build()?;
        block_on(async {
            for i in 0..keys {
                let put = client.put(format!("ledger-{i}"), format!("entry {i}"));
                put.await.with_context(|| format!("writing ledger-{i} at {address}"))?;
            }
            Ok(Ledger { keys })
        })?
    }

    /// Reads all of them through an address.
    pub fn verify(&self, address: &str) -> Result<()> {
        let client = Client::connect([address]).build()?;
        block_on(async {
            for i in 0..self.keys {
                let got = client.get(format!("ledger-{i}"));
                let got = got.await.with_context(|| format!("reading ledger-{i} at {address}"))?;
                let values: Vec<_> = got.siblings.iter().map(|s| s.value.to_vec()).collect();
                ensure!(
                    values == [format!("entry {i}").into_bytes()],
                    "ledger-{i} read at {address} has {} versions and not its value",
                    values.len()
                );
            }
            Ok(())
        })?
    }
}
