//! Preference lists (paper, section 4.3): who holds a partition, in which order.

use super::{Partition, Ring};
use crate::id::NodeId;
use std::collections::BTreeSet;

/// All physical nodes in the order in which a partition prefers them, each once.
///
/// The first N are the partition's primaries. The others follow for the time when
/// primaries cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferenceList {
    nodes: Vec<NodeId>,
    factor: usize,
}

impl PreferenceList {
    /// The N nodes that hold the partition.
    pub fn primaries(&self) -> &[NodeId] {
        &self.nodes[..self.factor]
    }

    /// The others.
    pub fn fallbacks(&self) -> &[NodeId] {
        &self.nodes[self.factor..]
    }
}

impl Ring {
    /// The whole preference list of a partition.
    ///
    /// The walk goes clockwise from the partition over the owners, taking each node
    /// once. Zones come first: no zone is taken a second time before all others have
    /// been taken once, and so on. A node whose zone is not known is a zone of its own.
    pub fn preference_list(&self, partition: Partition) -> PreferenceList {
        let walk = self.distinct_owners(partition);
        PreferenceList { nodes: self.zones_first(walk), factor: self.factor }
    }

    /// The primaries of a partition alone.
    pub fn primaries(&self, partition: Partition) -> Vec<NodeId> {
        self.preference_list(partition).primaries().to_vec()
    }

    /// Seats in the order of the walk, owners of partitions first, and then those
    /// that own none.
    fn distinct_owners(&self, from: Partition) -> Vec<usize> {
        let from = usize::from(from.0);
        let mut taken = vec![false; self.seats.len()];
        let mut walk = Vec::with_capacity(self.seats.len());
        let clockwise = self.owners[from..].iter().chain(&self.owners[..from]);
        for seat in clockwise.map(|&o| usize::from(o)).chain(0..self.seats.len()) {
            if !taken[seat] {
                taken[seat] = true;
                walk.push(seat);
                if walk.len() == self.seats.len() {
                    break;
                }
            }
        }
        walk
    }

    fn zones_first(&self, mut walk: Vec<usize>) -> Vec<NodeId> {
        let mut nodes = Vec::with_capacity(walk.len());
        while !walk.is_empty() {
            let mut zones = BTreeSet::new();
            walk.retain(|&seat| {
                let seat = &self.seats[seat];
                let take = seat.zone.is_empty() || zones.insert(&seat.zone);
                if take {
                    nodes.push(seat.node);
                }
                !take
            });
        }
        nodes
    }
}
