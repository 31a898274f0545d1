//! Merging: the one operation by which replicas become equal.

use super::{PAST_REQUESTS, PastRequest, Version, Versions};
use crate::time::Stamp;

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
        self.remember(gone, Stamp::default());
        // Values need no comparing: a dot names one.
        let dots = |v: &Versions| v.siblings.iter().map(|s| s.dot).collect::<Vec<_>>();
        self.seen != before.seen || self.past != before.past || dots(self) != dots(&before)
    }

    /// True when some version there is older than what is here.
    pub fn has_overwritten_any_of(&self, other: &Versions) -> bool {
        other.siblings.iter().any(|v| self.overwrote(v))
    }

    /// True when this has seen the write that made `v`, and something newer than it.
    fn overwrote(&self, v: &Version) -> bool {
        self.is_past(v.request) || self.seen.covers(v.dot) && !self.has(v.dot)
    }

    /// Adds versions that are no longer siblings to the past, and trims it to its limit.
    /// What is kept depends only on the set of requests, not on the order in which they
    /// came. `at` is when they were overwritten, if that happens now.
    pub(super) fn remember(&mut self, gone: Vec<Version>, at: Stamp) {
        let gone = gone.iter().map(|v| PastRequest { request: v.request, stamp: v.stamp.max(at) });
        self.past.extend(gone);
        if self.past.is_empty() {
            return;
        }
        let siblings = &self.siblings;
        self.past.retain(|p| siblings.iter().all(|v| v.request != p.request));
        self.past.sort_unstable_by_key(|p| (p.request, std::cmp::Reverse(p.stamp)));
        self.past.dedup_by_key(|p| p.request);
        self.past.sort_unstable_by_key(|p| std::cmp::Reverse((p.stamp, p.request)));
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
