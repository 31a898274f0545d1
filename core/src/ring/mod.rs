//! The ring: who owns which partition (paper, sections 4.2, 4.3 and 6.2).
//!
//! It is the third strategy of the paper's section 6.2: Q equal partitions, fixed at
//! creation, each with one owner; a node of weight w owns about w·Q/S of them. The
//! replicas of a partition are found by walking clockwise from it, see
//! [`preference`](Ring::preference_list). Every node and client that holds the ring
//! finds the same ones alone.

mod placement;
mod preference;

pub use preference::PreferenceList;

use crate::{id::NodeId, key::Key};
use md5::{Digest, Md5};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The largest number of partitions, so that one fits in 16 bits.
pub const MAX_PARTITIONS: usize = 1 << 16;

/// The largest N. More copies than this are a mistake rather than a wish.
pub const MAX_FACTOR: usize = 16;

/// The largest number of members.
pub const MAX_MEMBERS: usize = 1_000;

/// The largest weight of a member.
pub const MAX_WEIGHT: u32 = 1_000;

/// The longest name of an operation, in bytes.
pub const MAX_OPERATION_ID: usize = 64;

/// The longest name of a zone, in bytes.
pub const MAX_ZONE: usize = 63;

/// One of the Q equal parts of the ring, counted clockwise from position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub u16);

/// A member's place in the ring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    /// Who sits there.
    pub node: NodeId,
    /// What fails together; empty when not known.
    pub zone: String,
    /// Its share of the partitions, relative to the others'; at least 1.
    pub weight: u32,
}

/// The key under which contexts are sealed, shared by all nodes of a ring and shown
/// to nobody else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seal(pub [u8; 16]);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// One version of the ring.
///
/// Rings are ordered by epoch, and then in an arbitrary way that is the same
/// everywhere: of two rings each node keeps the greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ring {
    epoch: u64,
    /// Of all that follows. Comes second, so that rings are ordered as their tags are.
    digest: u64,
    operation: String,
    factor: usize,
    /// Sorted by node.
    seats: Vec<Seat>,
    /// For each partition the seat of its owner.
    owners: Vec<u16>,
    seal: Seal,
    /// The first N of every preference list, one after the other: every request asks.
    primaries: Vec<NodeId>,
}

/// Names a ring, and orders rings as they order themselves. The default is of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RingTag {
    /// See [`Ring::epoch`].
    pub epoch: u64,
    /// Two rings may be laid at the same time; this tells them apart.
    pub digest: u64,
}

impl RingTag {
    /// Not less than that of any ring.
    pub const MAX: RingTag = RingTag { epoch: u64::MAX, digest: u64::MAX };
}

/// What does not make a ring.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRing {
    /// Not a power of two, or out of range.
    #[error("{0} partitions: their number is a power of two from 1 to {MAX_PARTITIONS}")]
    Partitions(usize),
    /// Fewer partitions than members.
    #[error("{members} members need at least {members} partitions, not {partitions}")]
    TooFewPartitions {
        /// Members given.
        members: usize,
        /// Partitions given.
        partitions: usize,
    },
    /// Out of range, or more replicas than nodes to hold them.
    #[error(
        "a replication factor of {factor} for {members} members: it is 1 to {MAX_FACTOR} and at \
         most the number of members"
    )]
    Factor {
        /// N given.
        factor: usize,
        /// Members given.
        members: usize,
    },
    /// None, or too many.
    #[error("{0} members: a ring has 1 to {MAX_MEMBERS}")]
    Members(usize),
    /// Named twice.
    #[error("member {0} is named twice")]
    Twice(NodeId),
    /// Out of range.
    #[error("member {node} has weight {weight}: a weight is 1 to {MAX_WEIGHT}")]
    Weight {
        /// Whose.
        node: NodeId,
        /// Given.
        weight: u32,
    },
    /// A zone or an operation id is too long.
    #[error("{what} has {size} bytes; the limit is {limit}")]
    TooLong {
        /// Which of them.
        what: &'static str,
        /// Given.
        size: usize,
        /// Allowed.
        limit: usize,
    },
    /// Only from the wire or the disk.
    #[error("a ring's table of owners does not fit its members")]
    Owners,
}

/// What a ring is laid over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The caller's name for the change.
    pub operation: String,
    /// Q.
    pub partitions: usize,
    /// N.
    pub factor: usize,
    /// In any order.
    pub seats: Vec<Seat>,
}

impl Ring {
    /// The first ring: partitions are dealt out to all members at once.
    pub fn first(plan: Plan, seal: Seal) -> Result<Self, BadRing> {
        let Plan { operation, partitions, factor, mut seats } = plan;
        seats.sort();
        check(&operation, partitions, factor, &seats)?;
        let owners = placement::deal(&seats, partitions);
        Ok(Ring::derive(1, operation, factor, seats, owners, seal))
    }

    /// Puts parts from the wire or the disk together, checking them.
    pub fn from_parts(
        epoch: u64,
        plan: Plan,
        owners: Vec<u16>,
        seal: Seal,
    ) -> Result<Self, BadRing> {
        let Plan { operation, partitions, factor, seats } = plan;
        check(&operation, partitions, factor, &seats)?;
        let fits = owners.len() == partitions
            && owners.iter().all(|&o| usize::from(o) < seats.len())
            && seats.is_sorted()
            && epoch > 0;
        if !fits {
            return Err(BadRing::Owners);
        }
        Ok(Ring::derive(epoch, operation, factor, seats, owners, seal))
    }

    /// Adds what follows from the parts.
    fn derive(
        epoch: u64,
        operation: String,
        factor: usize,
        seats: Vec<Seat>,
        owners: Vec<u16>,
        seal: Seal,
    ) -> Self {
        let primaries = preference::table(&seats, &owners, factor);
        let mut ring = Ring { epoch, digest: 0, operation, factor, seats, owners, seal, primaries };
        ring.digest = ring.compute_digest();
        ring
    }

    fn compute_digest(&self) -> u64 {
        let mut hash = Md5::new();
        hash.update((self.operation.len() as u64).to_be_bytes());
        hash.update(&self.operation);
        hash.update((self.factor as u64).to_be_bytes());
        for Seat { node, zone, weight } in &self.seats {
            hash.update(node.0.to_be_bytes());
            hash.update(weight.to_be_bytes());
            hash.update((zone.len() as u64).to_be_bytes());
            hash.update(zone);
        }
        self.owners.iter().for_each(|o| hash.update(o.to_be_bytes()));
        hash.update(self.seal.0);
        let digest = u128::from_be_bytes(hash.finalize().into());
        (digest >> 64) as u64
    }

    /// What tells whether it is greater than another ring, or the same.
    pub fn tag(&self) -> RingTag {
        RingTag { epoch: self.epoch, digest: self.digest }
    }

    /// Grows with every change; the first ring has 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The name of the change that made it.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// N, the number of replicas of every key.
    pub fn factor(&self) -> usize {
        self.factor
    }

    /// The members, sorted by node id.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// For each partition the index in [`seats`](Ring::seats) of its owner.
    pub fn owners(&self) -> &[u16] {
        &self.owners
    }

    /// What contexts are sealed with.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Q.
    pub fn partitions(&self) -> usize {
        self.owners.len()
    }

    /// Where a key lives.
    pub fn partition_of(&self, key: &Key) -> Partition {
        partition_of(key.position(), self.partitions())
    }

    /// How many partitions a node owns.
    pub fn owned_by(&self, node: NodeId) -> usize {
        match self.seats.binary_search_by_key(&node, |s| s.node) {
            Ok(seat) => self.owners.iter().filter(|&&o| usize::from(o) == seat).count(),
            Err(_) => 0,
        }
    }
}

/// For each seat a number of its zone, and how many zones there are. A seat whose zone is
/// not known is a zone of its own.
fn zones(seats: &[Seat]) -> (Vec<usize>, usize) {
    let mut named = BTreeMap::new();
    let mut count = 0;
    let mut fresh = || {
        count += 1;
        count - 1
    };
    let zone = |s: &Seat| match s.zone.as_str() {
        "" => fresh(),
        name => *named.entry(name.to_owned()).or_insert_with(&mut fresh),
    };
    (seats.iter().map(zone).collect(), count)
}

/// The partition of a ring position: the top log2(Q) bits.
fn partition_of(position: u128, partitions: usize) -> Partition {
    let bits = partitions.trailing_zeros();
    let index = position.checked_shr(u128::BITS - bits).unwrap_or(0);
    Partition(u16::try_from(index).expect("Q is at most 2^16"))
}

fn check(operation: &str, partitions: usize, factor: usize, seats: &[Seat]) -> Result<(), BadRing> {
    let members = seats.len();
    if !partitions.is_power_of_two() || partitions > MAX_PARTITIONS {
        return Err(BadRing::Partitions(partitions));
    }
    if members == 0 || members > MAX_MEMBERS {
        return Err(BadRing::Members(members));
    }
    if partitions < members {
        return Err(BadRing::TooFewPartitions { members, partitions });
    }
    if factor == 0 || factor > MAX_FACTOR || factor > members {
        return Err(BadRing::Factor { factor, members });
    }
    let mut seen = BTreeSet::new();
    for seat in seats {
        if !seen.insert(seat.node) {
            return Err(BadRing::Twice(seat.node));
        }
        if seat.weight == 0 || seat.weight > MAX_WEIGHT {
            return Err(BadRing::Weight { node: seat.node, weight: seat.weight });
        }
        too_long("a zone", seat.zone.len(), MAX_ZONE)?;
    }
    too_long("the operation id", operation.len(), MAX_OPERATION_ID)
}

fn too_long(what: &'static str, size: usize, limit: usize) -> Result<(), BadRing> {
    if size > limit { Err(BadRing::TooLong { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
