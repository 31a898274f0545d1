//! What clients did and were told, and which versions really came of it.
//!
//! Clients know requests; replicas know dots. A request that was tried twice may have
//! two dots, and a dot may have been given out and never stored.

use crate::invariants::{Violation, dots_are_unique};
use bytes::Bytes;
use dynamo_core::{
    id::{Dot, RequestId},
    key::Key,
    version::{Context, Version, VersionVector, Versions},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A put or a delete of a client, over all its attempts.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) key: Key,
    pub(crate) request: RequestId,
    pub(crate) value: Option<Bytes>,
    /// What the client had seen.
    pub(crate) context: Context,
    /// Since when some client knows that it is there, on so many primaries.
    pub(crate) known: Option<(Duration, usize)>,
    /// It was overwritten by a deletion, and that was reaped.
    pub(crate) reaped: bool,
    pub(crate) standing: Standing,
    /// Some attempt ended without a clear answer.
    doubtful: bool,
    /// Dots under which a coordinator stored it.
    dots: Vec<Dot>,
}

/// What its client knows of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// There is no answer yet.
    Open,
    /// It was acknowledged.
    Acknowledged,
    /// Every attempt was refused as not applied.
    NotApplied,
    /// It may be there or not, now or later.
    Unknown,
}

impl Written {
    /// True when someone who has seen this much has seen the write.
    pub(crate) fn is_seen_by(&self, context: &Context) -> bool {
        self.is_within(context.seen())
    }

    /// True when a replica has it, or something that has overwritten it.
    pub(crate) fn is_held(&self, held: &Versions) -> bool {
        held.knows(self.request) || self.is_within(held.seen())
    }

    fn know(&mut self, at: Duration, primaries: usize) {
        let (since, known) = self.known.unwrap_or((at, 0));
        // What was known with fewer is known with more from now on.
        self.known = Some(if primaries > known { (at, primaries) } else { (since, known) });
    }

    /// True when a vector covers the write.
    pub(crate) fn is_within(&self, seen: &VersionVector) -> bool {
        self.dots.iter().any(|&dot| seen.covers(dot))
    }
}

#[derive(Default)]
pub(crate) struct History {
    writes: BTreeMap<RequestId, Written>,
    /// In the order in which they were begun.
    by_key: BTreeMap<Key, Vec<RequestId>>,
    stored: BTreeMap<Dot, (Key, RequestId)>,
    truncated: BTreeSet<Key>,
}

impl History {
    /// A client begins a write.
    pub(crate) fn begin(
        &mut self,
        key: Key,
        request: RequestId,
        value: Option<Bytes>,
        context: Context,
    ) {
        self.by_key.entry(key.clone()).or_default().push(request);
        let standing = Standing::Open;
        let dots = Vec::new();
        let (known, reaped, doubtful) = (None, false, false);
        let write =
            Written { key, request, value, context, known, reaped, standing, doubtful, dots };
        self.writes.insert(request, write);
    }

    /// A client tries a write again.
    pub(crate) fn retry(&mut self, request: RequestId) {
        self.stand(request, |_| Standing::Open);
    }

    /// A client is told that its write was acknowledged, by so many primaries.
    pub(crate) fn acknowledged(&mut self, request: RequestId, at: Duration, primaries: usize) {
        self.stand(request, |w| {
            w.know(at, primaries);
            Standing::Acknowledged
        });
    }

    /// A strict read has shown these: so many primaries have them.
    pub(crate) fn read_strictly(&mut self, shown: Vec<RequestId>, at: Duration, primaries: usize) {
        for request in shown {
            if let Some(write) = self.writes.get_mut(&request) {
                write.know(at, primaries);
            }
        }
    }

    /// A clock of the key was cut.
    pub(crate) fn truncated(&mut self, key: &Key) {
        self.truncated.insert(key.clone());
    }

    pub(crate) fn is_truncated(&self, key: &Key) -> bool {
        self.truncated.contains(key)
    }

    /// A tombstone that has seen this much was reaped.
    pub(crate) fn reaped(&mut self, key: &Key, seen: &VersionVector) {
        for request in self.by_key.get(key).into_iter().flatten() {
            if let Some(write) = self.writes.get_mut(request) {
                write.reaped |= write.is_within(seen);
            }
        }
    }

    /// A client is told that an attempt was not applied.
    pub(crate) fn refused(&mut self, request: RequestId) {
        self.stand(request, |w| if w.doubtful { Standing::Unknown } else { Standing::NotApplied });
    }

    /// A client is told that nobody knows, or nothing at all.
    pub(crate) fn doubted(&mut self, request: RequestId) {
        self.stand(request, |w| {
            w.doubtful = true;
            Standing::Unknown
        });
    }

    fn stand(&mut self, request: RequestId, standing: impl FnOnce(&mut Written) -> Standing) {
        if let Some(write) = self.writes.get_mut(&request) {
            write.standing = standing(write);
        }
    }

    /// A coordinator's replica has stored a new version.
    pub(crate) fn applied(&mut self, key: &Key, version: &Version) -> Result<(), Violation> {
        if let Some(write) = self.writes.get_mut(&version.request) {
            write.dots.push(version.dot);
        }
        let stored = (key.clone(), version.request);
        let before = self.stored.insert(version.dot, stored.clone());
        dots_are_unique::check(version.dot, before, &stored)
    }

    pub(crate) fn get(&self, request: RequestId) -> Option<&Written> {
        self.writes.get(&request)
    }

    /// All keys that were written to.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }

    /// The writes to a key in the order in which they were begun.
    pub(crate) fn of(&self, key: &Key) -> impl DoubleEndedIterator<Item = &Written> {
        self.by_key.get(key).into_iter().flatten().filter_map(|r| self.writes.get(r))
    }

    /// Which writes to a key somebody may account for who has `visible` before him:
    /// those, what their writers had seen, what the writers of that had seen, and so on.
    pub(crate) fn accounted(
        &self,
        key: &Key,
        visible: impl Fn(&Written) -> bool,
    ) -> BTreeSet<RequestId> {
        let mut found: Vec<&Written> = Vec::new();
        // Who has seen a write has begun his own later.
        for write in self.of(key).rev() {
            if visible(write) || found.iter().any(|later| write.is_seen_by(&later.context)) {
                found.push(write);
            }
        }
        found.into_iter().map(|w| w.request).collect()
    }
}
