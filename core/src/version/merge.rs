//! Merging: the one operation by which replicas become equal.

use super::{PAST_REQUESTS, PastRequest, RETRY_HORIZON_MS, Version, Versions};

impl Versions {
    /// Takes in all that `other` knows. Afterwards this holds every version of either
    /// side that neither has overwritten.
    ///
    /// Commutative, associative and idempotent, so that it does not matter in which
    /// order, by which way or how often replicas exchange what they have. Returns
    /// whether anything changed.
    pub fn merge(&mut self, other: &Versions) -> bool {
        let before = self.clone();
        let mine = std::mem::take(&mut self.siblings);
        let mut gone = Vec::new();
        let mut kept = Vec::with_capacity(mine.len().max(other.siblings.len()));
        for v in mine {
            let survives = !other.overwrote(&v);
            if survives { &mut kept } else { &mut gone }.push(v);
        }
        for v in &other.siblings {
            if before.has(v.dot) {
                continue;
            }
            let survives = !before.overwrote(v);
            if survives { &mut kept } else { &mut gone }.push(v.clone());
        }
        kept.sort_unstable_by_key(|v| v.dot);
        keep_lowest_dot_of_each_request(&mut kept);
        self.siblings = kept;
        self.seen.merge(&other.seen);
        self.past.extend(&other.past);
        self.remember(gone);
        *self != before
    }

    /// True when this has seen the write that made `v`, and something newer than it.
    fn overwrote(&self, v: &Version) -> bool {
        self.is_past(v.request) || self.seen.covers(v.dot) && !self.has(v.dot)
    }

    /// Adds versions that are no longer siblings to the past, and trims the past to
    /// its horizon and its limit. What is kept depends only on the set of requests,
    /// not on the order in which they came.
    pub(super) fn remember(&mut self, gone: Vec<Version>) {
        self.past.extend(gone.iter().map(|v| PastRequest { request: v.request, stamp: v.stamp }));
        if self.past.is_empty() {
            return;
        }
        let siblings = &self.siblings;
        self.past.retain(|p| siblings.iter().all(|v| v.request != p.request));
        self.past.sort_unstable_by_key(|p| (p.request, std::cmp::Reverse(p.stamp)));
        self.past.dedup_by_key(|p| p.request);
        self.past.sort_unstable_by_key(|p| std::cmp::Reverse((p.stamp, p.request)));
        let stamps = siblings.iter().map(|v| v.stamp).chain(self.past.iter().map(|p| p.stamp));
        let newest = stamps.max().unwrap_or_default();
        self.past.retain(|p| newest.millis_since(p.stamp) <= RETRY_HORIZON_MS);
        self.past.truncate(PAST_REQUESTS);
    }
}

/// Two dots of one request are one write that was tried twice. Which of them stays
/// must be the same everywhere. `versions` are sorted by dot.
fn keep_lowest_dot_of_each_request(versions: &mut Vec<Version>) {
    let mut i = 1;
    while i < versions.len() {
        let (earlier, rest) = versions.split_at(i);
        if earlier.iter().any(|v| v.request == rest[0].request) {
            versions.remove(i);
        } else {
            i += 1;
        }
    }
}
