//! What clients were promised, and whether what they read keeps it.
//!
//! Every write has a number, which is also its value, and remembers which writes its
//! author had seen. From that follows which writes it dominates. A read must show,
//! for every write that was acknowledged before the read began, that write or one that
//! dominates it. A write that timed out is *unknown*: it may show up or not, for ever.
//!
//! The reads are expected to see every acknowledged write, so this is for R + W > N.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The number of a write.
pub type WriteId = u64;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// W replicas have it.
    Acknowledged,
    /// It was refused, and must never be seen.
    NotApplied,
    /// Nobody knows.
    Unknown,
}

/// A promise that was broken, on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// An acknowledged write is neither there nor dominated by what is there.
    Lost {
        /// The key.
        key: String,
        /// The write.
        write: WriteId,
        /// What was read instead.
        read: BTreeSet<WriteId>,
    },
    /// Something was read that nobody wrote to this key, or that was refused.
    Invented {
        /// The key.
        key: String,
        /// What was read.
        write: WriteId,
    },
    /// Of two siblings one had seen the other, and should have replaced it.
    NotConcurrent {
        /// The key.
        key: String,
        /// The write that had been seen.
        older: WriteId,
        /// The write that had seen it.
        newer: WriteId,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::Lost { key, write, read } => {
                write!(f, "key {key}: the acknowledged write {write} is lost; read {read:?}")
            }
            Violation::Invented { key, write } => {
                write!(f, "key {key}: read {write}, which was never written there or was refused")
            }
            Violation::NotConcurrent { key, older, newer } => {
                write!(f, "key {key}: write {newer} had seen {older}, yet both are there")
            }
        }
    }
}

/// A read that has begun.
#[derive(Debug)]
pub struct Reading {
    key: String,
    /// The acknowledged writes that must be there or be dominated.
    expected: BTreeSet<WriteId>,
}

/// All writes to all keys.
#[derive(Debug, Default)]
pub struct History {
    next: WriteId,
    keys: BTreeMap<String, KeyHistory>,
}

#[derive(Debug, Default)]
struct KeyHistory {
    writes: BTreeMap<WriteId, Write>,
    /// The acknowledged writes that no acknowledged write dominates.
    frontier: BTreeSet<WriteId>,
}

#[derive(Debug)]
struct Write {
    /// The siblings that its author had read. Older than itself, all of them.
    saw: BTreeSet<WriteId>,
    refused: bool,
}

impl History {
    /// A write is about to be sent by somebody who has read `saw`.
    pub fn begin_write(&mut self, key: &str, saw: BTreeSet<WriteId>) -> WriteId {
        self.next += 1;
        let key = self.keys.entry(key.to_owned()).or_default();
        key.writes.insert(self.next, Write { saw, refused: false });
        self.next
    }

    /// The write has ended.
    pub fn end_write(&mut self, key: &str, write: WriteId, outcome: Outcome) {
        let Some(key) = self.keys.get_mut(key) else { return };
        match outcome {
            Outcome::Unknown => {}
            Outcome::NotApplied => {
                if let Some(write) = key.writes.get_mut(&write) {
                    write.refused = true;
                }
            }
            Outcome::Acknowledged => {
                let (covered, kept) =
                    key.frontier.iter().partition::<BTreeSet<_>, _>(|f| key.dominates(write, **f));
                // A later write may have been acknowledged before this one.
                let late = kept.iter().any(|k| key.dominates(*k, write));
                key.frontier.retain(|f| !covered.contains(f));
                if !late {
                    key.frontier.insert(write);
                }
            }
        }
    }

    /// A read is about to be sent: what is acknowledged by now must be seen.
    pub fn begin_read(&self, key: &str) -> Reading {
        let expected = self.keys.get(key).map(|k| k.frontier.clone()).unwrap_or_default();
        Reading { key: key.to_owned(), expected }
    }

    /// The read has returned these siblings.
    pub fn end_read(&self, reading: Reading, read: &BTreeSet<WriteId>) -> Result<(), Violation> {
        let Reading { key, expected } = reading;
        let none = KeyHistory::default();
        let history = self.keys.get(&key).unwrap_or(&none);
        for &write in read {
            if history.writes.get(&write).is_none_or(|w| w.refused) {
                return Err(Violation::Invented { key, write });
            }
        }
        for &newer in read {
            if let Some(&older) = read.iter().find(|&&o| history.dominates(newer, o)) {
                return Err(Violation::NotConcurrent { key, older, newer });
            }
        }
        let kept = |write| read.iter().any(|&r| r == write || history.dominates(r, write));
        match expected.into_iter().find(|&e| !kept(e)) {
            Some(write) => Err(Violation::Lost { key, write, read: read.clone() }),
            None => Ok(()),
        }
    }

    /// The keys that were written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

impl KeyHistory {
    /// Whether the author of `newer` had seen `older`, directly or through others.
    fn dominates(&self, newer: WriteId, older: WriteId) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![newer]);
        while let Some(write) = open.pop() {
            for &parent in self.writes.get(&write).iter().flat_map(|w| &w.saw) {
                if parent == older {
                    return true;
                }
                // What is older than `older` has not seen it.
                if parent > older && seen.insert(parent) {
                    open.push(parent);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "k";

    fn write(history: &mut History, saw: &[WriteId], outcome: Outcome) -> WriteId {
        let id = history.begin_write(KEY, saw.iter().copied().collect());
        history.end_write(KEY, id, outcome);
        id
    }

    fn read(history: &History, read: &[WriteId]) -> Result<(), Violation> {
        history.end_read(history.begin_read(KEY), &read.iter().copied().collect())
    }

    #[test]
    fn an_acknowledged_write_is_there_or_dominated() {
        let mut history = History::default();
        assert_eq!(read(&history, &[]), Ok(()));
        let first = write(&mut history, &[], Outcome::Acknowledged);
        let lost = Violation::Lost { key: KEY.into(), write: first, read: BTreeSet::new() };
        assert_eq!(read(&history, &[]), Err(lost));
        let second = write(&mut history, &[first], Outcome::Acknowledged);
        let third = write(&mut history, &[second], Outcome::Acknowledged);
        assert_eq!(read(&history, &[third]), Ok(()));
        assert!(matches!(read(&history, &[second]), Err(Violation::Lost { .. })), "stale read");
    }

    #[test]
    fn a_blind_write_does_not_replace_what_it_did_not_see() {
        let mut history = History::default();
        let first = write(&mut history, &[], Outcome::Acknowledged);
        let blind = write(&mut history, &[], Outcome::Acknowledged);
        assert!(matches!(read(&history, &[blind]), Err(Violation::Lost { .. })));
        assert_eq!(read(&history, &[first, blind]), Ok(()));
        let merge = write(&mut history, &[first, blind], Outcome::Acknowledged);
        assert_eq!(read(&history, &[merge]), Ok(()));
    }

    #[test]
    fn a_write_that_timed_out_may_be_there_or_not() {
        let mut history = History::default();
        let first = write(&mut history, &[], Outcome::Acknowledged);
        let unknown = write(&mut history, &[first], Outcome::Unknown);
        assert_eq!(read(&history, &[first]), Ok(()));
        assert_eq!(read(&history, &[unknown]), Ok(()), "it dominates what it had seen");
        let after = write(&mut history, &[unknown], Outcome::Acknowledged);
        assert_eq!(read(&history, &[after]), Ok(()));
    }

    #[test]
    fn a_read_need_not_see_what_was_acknowledged_after_it_began() {
        let mut history = History::default();
        let reading = history.begin_read(KEY);
        write(&mut history, &[], Outcome::Acknowledged);
        assert_eq!(history.end_read(reading, &BTreeSet::new()), Ok(()));
    }

    #[test]
    fn an_acknowledgement_may_arrive_after_that_of_a_later_write() {
        let mut history = History::default();
        let slow = history.begin_write(KEY, BTreeSet::new());
        let later = write(&mut history, &[slow], Outcome::Acknowledged);
        history.end_write(KEY, slow, Outcome::Acknowledged);
        assert_eq!(read(&history, &[later]), Ok(()));
    }

    #[test]
    fn what_was_never_written_or_refused_must_not_be_read() {
        let mut history = History::default();
        let refused = write(&mut history, &[], Outcome::NotApplied);
        for invented in [refused, refused + 7] {
            let violation = Violation::Invented { key: KEY.into(), write: invented };
            assert_eq!(read(&history, &[invented]), Err(violation));
        }
    }

    #[test]
    fn siblings_have_not_seen_each_other() {
        let mut history = History::default();
        let older = write(&mut history, &[], Outcome::Acknowledged);
        let middle = write(&mut history, &[older], Outcome::Unknown);
        let newer = write(&mut history, &[middle], Outcome::Acknowledged);
        let violation = Violation::NotConcurrent { key: KEY.into(), older, newer };
        assert_eq!(read(&history, &[older, newer]), Err(violation));
    }
}
