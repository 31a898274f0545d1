//! Preference lists (paper, section 4.3): who holds a partition, in which order.
//!
//! The walk goes clockwise from the partition over the owners, taking each node once.
//! Zones come first: no zone is taken a second time before all others have been taken
//! once, and so on.

use super::{Partition, Ring, Seat, zones};
use crate::id::NodeId;
use std::collections::{BTreeSet, VecDeque};

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
    pub fn preference_list(&self, partition: Partition) -> PreferenceList {
        let seats = &self.seats;
        let chosen = Walk::new(seats, &self.owners).choose(usize::from(partition.0), seats.len());
        let nodes = chosen.into_iter().map(|seat| seats[seat].node).collect();
        PreferenceList { nodes, factor: self.factor }
    }

    /// The primaries of a partition alone, which costs nothing.
    pub fn primaries(&self, partition: Partition) -> &[NodeId] {
        let first = usize::from(partition.0) * self.factor;
        &self.primaries[first..first + self.factor]
    }
}

/// The primaries of all partitions, one after the other.
pub(super) fn table(seats: &[Seat], owners: &[u16], factor: usize) -> Vec<NodeId> {
    let walk = Walk::new(seats, owners);
    let chosen = (0..owners.len()).flat_map(|partition| walk.choose(partition, factor));
    chosen.map(|seat| seats[seat].node).collect()
}

/// What a walk needs to know.
struct Walk<'a> {
    owners: &'a [u16],
    /// Of each seat.
    zone: Vec<usize>,
    zone_count: usize,
}

impl<'a> Walk<'a> {
    fn new(seats: &[Seat], owners: &'a [u16]) -> Self {
        let (zone, zone_count) = zones(seats);
        Walk { owners, zone, zone_count }
    }

    /// The first `wanted` seats of a partition's preference list. It ends as soon as it
    /// has them, so that it looks at few owners where there are few wanted.
    fn choose(&self, partition: usize, wanted: usize) -> Vec<usize> {
        let mut walk = self.distinct(partition);
        let mut chosen = Vec::with_capacity(wanted);
        let mut passed_over = VecDeque::new();
        while chosen.len() < wanted {
            let before = chosen.len();
            let mut zones = BTreeSet::new();
            let mut again = std::mem::take(&mut passed_over);
            while chosen.len() < wanted && zones.len() < self.zone_count {
                let Some(seat) = again.pop_front().or_else(|| walk.next()) else { break };
                if zones.insert(self.zone[seat]) {
                    chosen.push(seat);
                } else {
                    passed_over.push_back(seat);
                }
            }
            passed_over.append(&mut again);
            if chosen.len() == before {
                break;
            }
        }
        chosen
    }

    /// Seats clockwise from a partition, each once; those that own nothing come last.
    fn distinct(&self, from: usize) -> impl Iterator<Item = usize> + use<'_, 'a> {
        let clockwise = self.owners[from..].iter().chain(&self.owners[..from]);
        let mut taken = BTreeSet::new();
        clockwise
            .map(|&owner| usize::from(owner))
            .chain(0..self.zone.len())
            .filter(move |&seat| taken.insert(seat))
    }
}
