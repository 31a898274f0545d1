//! The versions of one key: siblings, what they have seen, and how they merge.
//!
//! These are dotted version vector sets (Preguiça, Baquero, Almeida, Fonte and
//! Gonçalves, "Dotted version vectors", 2010): each sibling carries the dot of its
//! write, and one vector tells what all of them together have seen. A version that
//! the vector covers and that is not among the siblings was overwritten. Server-side
//! actors with exact dots are what keeps two writers that go through one node from
//! losing updates (one counter for both) or from false conflicts (one clock each).
//!
//! Read repair, handoff and anti-entropy are all [`Versions::merge`].
//!
//! # Retries
//!
//! A write that timed out may be retried through another node, which gives it another
//! dot. Both are the same event, so a version is known by its request id as well:
//! among siblings of one request the lowest dot stays, and the [`PAST_REQUESTS`] requests
//! that were overwritten last are remembered, also by who was only told of them in a
//! [`Context`]. A try that surfaces after more of them can make a false sibling; it can
//! lose nothing.

mod clock;
mod context;
mod merge;

pub use clock::{Entry, VersionVector};
pub use context::Context;

use crate::{
    id::{Dot, RequestId},
    time::Stamp,
};
use bytes::Bytes;
use std::collections::BTreeSet;

/// How many overwritten requests are remembered for a key. Their number is the only
/// bound: by time, one clock that is ahead would make all others' be forgotten.
pub const PAST_REQUESTS: usize = 8;

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The write that made it.
    pub dot: Dot,
    /// The client's name for that write.
    pub request: RequestId,
    /// When, by the clock of the coordinator.
    pub stamp: Stamp,
    /// `None` is a tombstone: a deletion is a version like any other.
    pub value: Option<Bytes>,
}

/// Everything a replica knows of one key.
///
/// Invariants: the siblings are sorted by dot, `seen` covers all their dots, no two of
/// them are of one request, and no request is both past and a sibling's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    seen: VersionVector,
    siblings: Vec<Version>,
    past: Vec<PastRequest>,
}

/// A write that was overwritten, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRequest {
    /// The client's name for the write.
    pub request: RequestId,
    /// By the clock of whoever overwrote it, and not before it was made.
    pub stamp: Stamp,
}

/// A put or a delete on its way into [`Versions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The version to be.
    pub version: Version,
    /// What the client had seen when it wrote.
    pub context: Context,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// There is a new version.
    New,
    /// The request had been applied before; nothing changed.
    Before,
    /// The dot names a write that was made before: this disk holds an older state than
    /// its node has had. Nothing changed.
    Reused,
}

/// Parts that do not make [`Versions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("versions that break the invariant \"{0}\"")]
pub struct Inconsistent(&'static str);

impl Versions {
    /// Puts parts from the wire or the disk together, checking the invariants.
    pub fn from_parts(
        seen: VersionVector,
        siblings: Vec<Version>,
        past: Vec<PastRequest>,
    ) -> Result<Self, Inconsistent> {
        let refuse = |broken, what| if broken { Err(Inconsistent(what)) } else { Ok(()) };
        let sorted = siblings.windows(2).all(|w| w[0].dot < w[1].dot);
        refuse(!sorted, "siblings are sorted by dot")?;
        let covered = siblings.iter().all(|v| seen.covers(v.dot));
        refuse(!covered, "the clock covers every sibling")?;
        refuse(past.len() > PAST_REQUESTS, "few past requests are kept")?;
        let requests: BTreeSet<_> = siblings.iter().map(|v| v.request).collect();
        let distinct =
            requests.len() == siblings.len() && past.iter().all(|p| !requests.contains(&p.request));
        refuse(!distinct, "one version per request")?;
        Ok(Versions { seen, siblings, past })
    }

    /// The vector that covers all siblings.
    pub fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// The versions that no other has seen, tombstones included, sorted by dot. They
    /// are pairwise concurrent.
    pub fn siblings(&self) -> &[Version] {
        &self.siblings
    }

    /// Requests that were overwritten a short while ago.
    pub fn past(&self) -> &[PastRequest] {
        &self.past
    }

    /// Applies a write at its coordinator: the new version replaces what its context
    /// covers and becomes a sibling of the rest.
    ///
    /// This must hold every earlier write of the dot's actor to the key: from then on
    /// the vector says that they have been seen.
    pub fn write(&mut self, write: Write) -> Applied {
        let Write { version, context } = write;
        if self.knows(version.request) {
            return Applied::Before;
        }
        if self.seen.covers(version.dot) || context.seen().covers(version.dot) {
            return Applied::Reused;
        }
        let (overwritten, kept) =
            std::mem::take(&mut self.siblings).into_iter().partition(|v| context.overwrites(v));
        self.siblings = kept;
        self.seen.merge(context.seen());
        self.past.extend(context.past());
        let stamp = version.stamp;
        self.seen.see(version.dot, stamp);
        let at = self.siblings.partition_point(|v| v.dot < version.dot);
        self.siblings.insert(at, version);
        self.remember(overwritten, stamp);
        Applied::New
    }

    /// About how many bytes this takes.
    pub fn size(&self) -> usize {
        const ENTRY: usize = 40;
        let values = self.siblings.iter().map(|v| v.value.as_ref().map_or(0, Bytes::len));
        values.sum::<usize>() + ENTRY * (self.seen.len() + self.siblings.len() + self.past.len())
    }

    /// True when both know of the same writes and have the same siblings.
    pub fn is_same_state(&self, other: &Versions) -> bool {
        let dots = |v: &Version| v.dot;
        let same = self.siblings.iter().map(dots).eq(other.siblings.iter().map(dots));
        same && self.seen.iter().map(|(dot, _)| dot).eq(other.seen.iter().map(|(dot, _)| dot))
    }

    /// True when nothing is left of the key but its deletion.
    pub fn is_grave(&self) -> bool {
        !self.siblings.is_empty() && self.siblings.iter().all(|v| v.value.is_none())
    }

    /// Drops what was seen of the actors that wrote longest ago, until the vector has at
    /// most `limit` entries, but never what covers a sibling (paper, section 4.4). Returns
    /// how many entries were dropped.
    ///
    /// A version that a dropped entry covered may come back as a sibling. None is lost.
    pub fn truncate(&mut self, limit: usize) -> usize {
        let siblings = &self.siblings;
        self.seen.keep_newest(limit, |actor| siblings.iter().any(|v| v.dot.actor == actor))
    }

    /// True when the request made one of the siblings or one that was overwritten.
    pub fn knows(&self, request: RequestId) -> bool {
        self.siblings.iter().any(|v| v.request == request) || self.is_past(request)
    }

    fn is_past(&self, request: RequestId) -> bool {
        self.past.iter().any(|p| p.request == request)
    }

    fn has(&self, dot: Dot) -> bool {
        self.siblings.binary_search_by_key(&dot, |v| v.dot).is_ok()
    }
}

#[cfg(test)]
mod tests;
