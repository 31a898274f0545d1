//! The clients of a load: what they call, and how answers enter the history.

use super::{Plan, Seen, Shared, lock};
use crate::history::{Outcome, Violation, WriteId};
use anyhow::Result;
use dynamo_client::{Client, Error, GetReply};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Some bytes beside the number, so that values are not trivially small.
const FILLING: usize = 200;

/// Between two operations of a client, so that the nodes are busy and not overloaded.
const PAUSE: Duration = Duration::from_millis(5);

/// How long a call may take with all its retries...
const TIMEOUT: Duration = Duration::from_secs(20);

/// ...and one node of several, before the next one is asked.
const ATTEMPT: Duration = Duration::from_secs(3);

/// One of the clients.
struct User<'a> {
    client: Client,
    /// Its number, which makes its walk over the keys differ from the others'.
    number: usize,
    plan: &'a Plan,
    shared: &'a Shared,
    stop: &'a AtomicBool,
}

/// Runs them until they are stopped.
pub(super) async fn run(plan: &Plan, shared: &Shared, stop: &AtomicBool) -> Result<()> {
    // Connections of their own: through a Service they lead to different nodes.
    let user = |number| {
        anyhow::Ok(User { client: client(&plan.addresses, number)?, number, plan, shared, stop })
    };
    let (one, two, three) = (user(1)?, user(2)?, user(3)?);
    tokio::join!(one.write(), two.write(), three.read());
    if !plan.sloppy {
        let keys: Vec<String> = lock(&shared.history).keys().map(String::from).collect();
        for key in &keys {
            three.read_once(key).await;
        }
    }
    Ok(())
}

fn client(addresses: &[String], number: usize) -> Result<Client> {
    let first = number % addresses.len().max(1);
    let (before, from) = addresses.split_at(first);
    let builder = Client::connect(from.iter().chain(before)).timeout(TIMEOUT);
    let several = addresses.len() > 1;
    Ok(if several { builder.attempt_timeout(ATTEMPT) } else { builder }.build()?)
}

impl User<'_> {
    async fn write(&self) {
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.write_once(&self.key(turn)).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(&self) {
        for turn in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.read_once(&self.key(turn)).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A walk over the keys that differs from client to client, and now and then meets.
    fn key(&self, turn: usize) -> String {
        let step = [1, 3, 5, 7][self.number % 4];
        format!("history-{}", (turn * step) % self.plan.keys())
    }

    /// Reads, and replaces all that was read.
    async fn write_once(&self, key: &str) {
        let Some((reply, saw)) = self.read_once(key).await else { return };
        let id = lock(&self.shared.history).begin_write(key, saw);
        let value = format!("{id} {}", "x".repeat(FILLING));
        let began = Instant::now();
        let put = self.client.put(key.to_owned(), value).context(&reply.context);
        let put = put.w(self.plan.write_quorum).await;
        let mut seen = lock(&self.shared.seen);
        seen.report.slowest = seen.report.slowest.max(began.elapsed());
        let outcome = match put {
            Ok(_) => {
                seen.report.written += 1;
                Outcome::Acknowledged
            }
            Err(error) => {
                let unknown = error.is_indeterminate();
                seen.failed("put", key, &error);
                if unknown { Outcome::Unknown } else { Outcome::NotApplied }
            }
        };
        drop(seen);
        lock(&self.shared.history).end_write(key, id, outcome);
    }

    async fn read_once(&self, key: &str) -> Option<(GetReply, BTreeSet<WriteId>)> {
        let reading = lock(&self.shared.history).begin_read(key);
        let began = Instant::now();
        let reply = self.client.get(key.to_owned()).r(self.plan.read_quorum).await;
        let mut seen = lock(&self.shared.seen);
        seen.report.slowest = seen.report.slowest.max(began.elapsed());
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                seen.failed("get", key, &error);
                return None;
            }
        };
        seen.report.read += 1;
        let read = writes_in(&reply);
        match lock(&self.shared.history).end_read(reading, &read) {
            Ok(()) => {}
            Err(Violation::Lost { .. }) if self.plan.sloppy => seen.report.stale += 1,
            Err(violation) => {
                seen.violation.get_or_insert(violation);
            }
        }
        Some((reply, read))
    }
}

impl Seen {
    fn failed(&mut self, call: &str, key: &str, error: &Error) {
        self.report.failed.push(format!("{call} {key}: {error}"));
    }
}

/// The numbers of the writes that made what was read.
pub(super) fn writes_in(reply: &GetReply) -> BTreeSet<WriteId> {
    reply.siblings.iter().map(|s| number(&s.value)).collect()
}

/// The number of the write that made a value; one that cannot be is no write's.
fn number(value: &[u8]) -> WriteId {
    let digits = value.split(|&b| b == b' ').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).unwrap_or(WriteId::MAX)
}
