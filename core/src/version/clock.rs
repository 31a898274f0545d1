//! Version vectors (paper, section 4.4): which writes have been seen.

use crate::{
    id::{Actor, Dot},
    time::Stamp,
};

/// For each actor, how far its writes have been seen, gaps included: an entry
/// `(actor, n)` covers every dot of the actor up to `n`.
///
/// Merging takes the larger counter of each actor. It is commutative, associative and
/// idempotent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionVector {
    /// Sorted by actor; an actor appears once. A vector, because it holds three
    /// entries as a rule and is read on every request.
    entries: Vec<(Actor, Entry)>,
}

/// What is known of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// All dots up to this one have been seen.
    pub counter: u64,
    /// When the entry last grew, by the clock of the node that made it grow.
    pub stamp: Stamp,
}

impl VersionVector {
    /// True when every write that `dot` names has been seen.
    pub fn covers(&self, dot: Dot) -> bool {
        self.counter(dot.actor) >= dot.counter
    }

    /// True when everything that `other` has seen has been seen here.
    pub fn dominates(&self, other: &VersionVector) -> bool {
        other.iter().all(|(dot, _)| self.covers(dot))
    }

    /// How far the writes of `actor` have been seen; 0 for not at all.
    pub fn counter(&self, actor: Actor) -> u64 {
        match self.find(actor) {
            Ok(i) => self.entries[i].1.counter,
            Err(_) => 0,
        }
    }

    /// Sees `dot` and every earlier one of its actor.
    pub fn see(&mut self, dot: Dot, stamp: Stamp) {
        let new = Entry { counter: dot.counter, stamp };
        match self.find(dot.actor) {
            Ok(i) => self.entries[i].1 = self.entries[i].1.max(new),
            Err(i) => self.entries.insert(i, (dot.actor, new)),
        }
    }

    /// Sees all that `other` has seen.
    pub fn merge(&mut self, other: &VersionVector) {
        for (dot, stamp) in other.iter() {
            self.see(dot, stamp);
        }
    }

    /// The last dot seen of each actor, in the order of actors.
    pub fn iter(&self) -> impl Iterator<Item = (Dot, Stamp)> + '_ {
        self.entries.iter().map(|&(actor, e)| (Dot { actor, counter: e.counter }, e.stamp))
    }

    /// How many actors have an entry.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops the entries with the oldest stamps until there are `limit`, but none of which
    /// `needed` is true. Returns how many.
    pub(super) fn keep_newest(&mut self, limit: usize, needed: impl Fn(Actor) -> bool) -> usize {
        let mut dropped = 0;
        while self.entries.len() > limit {
            let old = self.entries.iter().enumerate().filter(|(_, (actor, _))| !needed(*actor));
            let oldest = old.min_by_key(|(_, (actor, entry))| (entry.stamp, *actor));
            let Some((i, _)) = oldest else { break };
            self.entries.remove(i);
            dropped += 1;
        }
        dropped
    }

    fn find(&self, actor: Actor) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&actor, |&(a, _)| a)
    }
}

impl FromIterator<(Dot, Stamp)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (Dot, Stamp)>>(dots: I) -> Self {
        let mut v = VersionVector::default();
        for (dot, stamp) in dots {
            v.see(dot, stamp);
        }
        v
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Incarnation, Life, NodeId};
    use proptest::prelude::*;

    fn vector() -> impl Strategy<Value = VersionVector> {
        prop::collection::vec((0..4u64, 0..2u32, 1..6u64, 0..9u64), 0..8).prop_map(|dots| {
            dots.into_iter()
                .map(|(node, incarnation, counter, stamp)| {
                    let actor = Actor {
                        node: NodeId(node),
                        incarnation: Incarnation(incarnation),
                        life: Life(1),
                    };
                    (Dot { actor, counter }, Stamp(stamp))
                })
                .collect()
        })
    }

    fn merged(mut a: VersionVector, b: &VersionVector) -> VersionVector {
        a.merge(b);
        a
    }

    proptest! {
        #[test]
        fn merge_is_a_least_upper_bound(a in vector(), b in vector(), c in vector()) {
            let ab = merged(a.clone(), &b);
            prop_assert_eq!(&ab, &merged(b.clone(), &a));
            prop_assert_eq!(merged(ab.clone(), &c), merged(a.clone(), &merged(b.clone(), &c)));
            prop_assert_eq!(&merged(ab.clone(), &a), &ab);
            prop_assert!(ab.dominates(&a) && ab.dominates(&b));
            if c.dominates(&a) && c.dominates(&b) {
                prop_assert!(c.dominates(&ab));
            }
        }

        #[test]
        fn vectors_that_dominate_each_other_cover_the_same(a in vector(), b in vector()) {
            if a.dominates(&b) && b.dominates(&a) {
                let dots = |v: &VersionVector| v.iter().map(|(d, _)| d).collect::<Vec<_>>();
                prop_assert_eq!(dots(&a), dots(&b));
            }
        }
    }
}
