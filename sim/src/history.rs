//! What clients did and were told, and which versions really came of it.
//!
//! Clients know requests; replicas know dots. A request that was tried twice may have
//! two dots, and a dot may have been given out and never stored.

use crate::invariants::{Violation, dots_are_unique};
use bytes::Bytes;
use dynamo_core::{
    id::{Dot, RequestId},
    key::Key,
    version::{Context, Version, VersionVector},
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
    /// W.
    pub(crate) quorum: usize,
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
    /// It was acknowledged, and the client heard it then.
    Acknowledged(Duration),
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
}

impl History {
    /// A client begins a write.
    pub(crate) fn begin(
        &mut self,
        key: Key,
        request: RequestId,
        value: Option<Bytes>,
        context: Context,
        quorum: usize,
    ) {
        self.by_key.entry(key.clone()).or_default().push(request);
        let standing = Standing::Open;
        let dots = Vec::new();
        let write =
            Written { key, request, value, context, quorum, standing, doubtful: false, dots };
        self.writes.insert(request, write);
    }

    /// A client tries a write again.
    pub(crate) fn retry(&mut self, request: RequestId) {
        self.stand(request, |_| Standing::Open);
    }

    /// A client is told that its write was acknowledged.
    pub(crate) fn acknowledged(&mut self, request: RequestId, at: Duration) {
        self.stand(request, |_| Standing::Acknowledged(at));
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
