//! How much happened in a run, and how often each kind of fault did bite: not how often
//! it was ordered, but how often it hit something.

use std::{fmt, time::Duration};

/// A fault that hit something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bite {
    DelayedMessage,
    LostMessage,
    BrokenStream,
    SilentlyBrokenStream,
    PartedMessage,
    OneWayPartedMessage,
    BridgedPartedMessage,
    SlowMessage,
    HeldMessage,
    PausedInput,
    Crash,
    CrashLostBatch,
    CrashKeptBatch,
    CrashLostRequest,
    Drained,
    SickRead,
    SlowBatch,
    ClockStep,
    Moved,
    LateJoin,
    Retry,
    GivenUp,
    StormRetry,
    LostUnsynced,
    EmptyDisk,
    DamagedRecord,
    Truncated,
    Hinted,
    HandedOff,
    Repaired,
    FoundByTree,
    Reaped,
}

const BITES: [(Bite, &str); 32] = [
    (Bite::DelayedMessage, "messages delayed long"),
    (Bite::LostMessage, "messages lost"),
    (Bite::BrokenStream, "streams broken and told"),
    (Bite::SilentlyBrokenStream, "streams broken silently"),
    (Bite::PartedMessage, "messages stopped by a partition"),
    (Bite::OneWayPartedMessage, "messages stopped by a one-way partition"),
    (Bite::BridgedPartedMessage, "messages stopped by a partition that one node bridges"),
    (Bite::SlowMessage, "messages on a slow link"),
    (Bite::HeldMessage, "messages held by a partition and delivered after it"),
    (Bite::PausedInput, "inputs that waited for a paused node"),
    (Bite::Crash, "crashes"),
    (Bite::CrashLostBatch, "batches lost in a crash"),
    (Bite::CrashKeptBatch, "batches kept in a crash, answers lost"),
    (Bite::CrashLostRequest, "requests lost in a crash"),
    (Bite::Drained, "nodes drained and restarted"),
    (Bite::SickRead, "operations failed by a sick disk"),
    (Bite::SlowBatch, "batches on a slow disk"),
    (Bite::ClockStep, "steps of a wall clock"),
    (Bite::Moved, "restarts at another address"),
    (Bite::LateJoin, "nodes that joined late"),
    (Bite::Retry, "writes retried with the same request id"),
    (Bite::GivenUp, "calls that an impatient client gave up"),
    (Bite::StormRetry, "retries in a storm of them"),
    (Bite::LostUnsynced, "disks that lost what they had not synced"),
    (Bite::EmptyDisk, "machines that came back with an empty disk"),
    (Bite::DamagedRecord, "records damaged"),
    (Bite::Truncated, "clocks truncated"),
    (Bite::Hinted, "writes kept as hints"),
    (Bite::HandedOff, "hints handed off"),
    (Bite::Repaired, "reads that repaired replicas"),
    (Bite::FoundByTree, "keys that Merkle trees found to differ"),
    (Bite::Reaped, "tombstones reaped"),
];

/// Counts of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests of clients, retries included.
    pub operations: u64,
    /// Those that were answered as asked.
    pub succeeded: u64,
    /// Messages between nodes that arrived.
    pub messages: u64,
    /// Reads that some acknowledged write had to be visible to.
    pub judged_reads: u64,
    /// The longest that replicas took to become equal once it was quiet.
    pub converged: Duration,
    bites: [u64; BITES.len()],
}

impl Tally {
    pub(crate) fn bite(&mut self, what: Bite) {
        self.bites[what as usize] += 1;
    }

    pub(crate) fn converged_within(&mut self, time: Duration) {
        self.converged = self.converged.max(time);
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Tally) {
        self.converged = self.converged.max(other.converged);
        self.operations += other.operations;
        self.succeeded += other.succeeded;
        self.messages += other.messages;
        self.judged_reads += other.judged_reads;
        for (mine, theirs) in self.bites.iter_mut().zip(other.bites) {
            *mine += theirs;
        }
    }

    /// Every kind of fault with how often it did bite.
    pub fn bites(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        BITES.iter().map(|&(bite, name)| (name, self.bites[bite as usize]))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations ({} succeeded, {} reads judged), {} messages; replicas were equal {:?} \
             after the last fault at the latest",
            grouped(self.operations),
            grouped(self.succeeded),
            grouped(self.judged_reads),
            grouped(self.messages),
            self.converged
        )
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bites_stand_in_the_order_in_which_they_are_counted() {
        assert!(BITES.iter().enumerate().all(|(i, (bite, _))| *bite as usize == i));
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
