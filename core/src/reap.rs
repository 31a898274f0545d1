//! Reaping: how a deletion is forgotten, so that deleted keys do not stay for ever (row A4).
//!
//! A tombstone may go only when nothing older than it can come up any more, or the key
//! would come back to life. No clock can tell that; it is proved:
//!
//! ```text
//! Pledge ── every member of the ring: none of its hints is about the key, and as a primary
//!    │      it holds exactly the tombstone, on disk; whatever older of the key it is
//!    │      told from now on it takes for overwritten
//!    ▼
//! Settle ── long enough for every message and every request of before to have ended
//!    ▼
//! Confirm ─ every member: all that is still so, and its process is still the same
//!    ▼
//! Reap ──── the primaries drop the record, everybody drops the pledge
//! ```
//!
//! Why that is enough. Once all have pledged, no disk holds anything older, and none can
//! come to hold it while the pledges stand. What is older is then only in messages under
//! way and in the memory of requests; neither can make more of it, since what they read
//! from disks from now on is not older. A request lives for 30 seconds at most and a
//! message until its stream is given up: when the settling is over all have ended. Each
//! member that confirms has kept its pledge all the time, or it would not know of it: a
//! process that is new or was paused has none. After that nothing older exists at all, so
//! it does not matter who drops the tombstone first, or whether some do not hear of it:
//! theirs is found by anti-entropy, comes back to all, and is reaped again.
//!
//! Any doubt means later: a member that is down, a hint, a new write, another ring.
//!
//! A retry of a write that was deleted is no longer recognised once the tombstone is gone.
//! That is what the age is for that a tombstone must have first.

use crate::{id::NodeId, key::Key, ring::RingTag, version::Versions};
use std::time::Duration;

/// How many tombstones go through it together.
pub const GRAVES: usize = 64;

/// How long tombstones stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaping {
    /// Nobody tries to reap one that is younger.
    pub after: Duration,
    /// From the last pledge to the first confirmation. It must be longer than a message can
    /// be under way, then the longest request, then a message again.
    pub settle: Duration,
}

impl Default for Reaping {
    fn default() -> Self {
        Reaping { after: Duration::from_secs(600), settle: Duration::from_secs(90) }
    }
}

/// What the reaper asks of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReapRequest {
    /// How far it has come.
    pub step: ReapStep,
    /// The ring that all must have.
    pub ring: RingTag,
    /// At most [`GRAVES`] keys, with exactly what is held of them: nothing but tombstones.
    pub graves: Vec<(Key, Versions)>,
}

/// A step of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReapStep {
    /// To pledge and to say for which of the keys that was possible.
    Pledge,
    /// To say for which of the keys the pledge was kept.
    Confirm,
    /// To drop the pledges and, as a primary, the records.
    Reap,
    /// To drop the pledges only.
    Release,
}

/// A tombstone of which a replica is asked whether it is all that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grave {
    /// Of which key.
    pub key: Key,
    /// It, with all that it has seen.
    pub versions: Versions,
    /// The primaries of the key, for whom there must be no hint.
    pub owners: Vec<NodeId>,
    /// Whether this replica is one of them.
    pub is_primary: bool,
}
