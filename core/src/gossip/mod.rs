//! Gossip (paper, section 4.8): who is in the cluster, and who is alive.
//!
//! ```text
//!   opener                                              partner
//!     │ Digest: its own entry, a pulse of each other ─────▶│ takes what is newer in
//!     │◀──── Answer: what the opener lacks, what it wants ─│
//!     │ Entries: what was wanted ─────────────────────────▶│   only when there is any
//! ```
//!
//! Each second every node opens a round with one random member, with one of those it
//! cannot reach, and with a seed that is not among those it can. It is the anti-entropy
//! of Scuttlebutt (van Renesse and others, *Efficient Reconciliation and Flow Control for
//! Anti-Entropy Protocols*, 2008): of two states of one node the one with the higher
//! (generation, heartbeat) is true, only the node itself ever raises its own, so views
//! merge in any order to the same result.
//!
//! What a node says of itself is its [`Entry`], some 200 bytes with all its names. It
//! changes rarely, so it travels only to those that do not have it in its last
//! form; all others are content with a [`Pulse`] of about 14 bytes, from which they see
//! that the node is alive. A pulse tells when its entry changed last, so a receiver knows
//! whether it has that form: no separate version is needed.
//!
//! # Cost
//!
//! With n members a digest has about 14·n bytes and its answer at most as much. A node
//! opens one round a second and is the partner in one, so it sends between 14·n and
//! 30·n bytes a second however much the cluster works; `docs/performance.md` has
//! measurements. Nothing that is sent is larger than [`MAX_PULSES`] pulses and
//! [`MAX_ENTRIES`] entries; what is left over comes with the next rounds.
//!
//! # Who is up
//!
//! Whether a member is *up* is each node's own judgement (section 4.8.3: a local notion
//! of failure is enough), see [`Membership::is_up`]. Nodes tell each other whom they
//! suspect, and two that agree make a member *down for the cluster*, see
//! [`Membership::down_for_cluster`]: that is for people and operators. Neither moves
//! any data.

mod detector;
mod exchange;
mod judgement;
mod membership;

pub use exchange::Partner;
pub use membership::Membership;

use crate::{
    id::{Generation, NodeId},
    ring::{Ring, RingTag},
};
use std::{sync::Arc, time::Duration};

/// How often a node gossips.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(1);

/// The most pulses in a message: more than any cluster has, former nodes included.
pub const MAX_PULSES: usize = 10_000;

/// The most whole entries in a message, about 50 kB of them. A node that is new in a
/// cluster of a thousand has them all after four rounds.
pub const MAX_ENTRIES: usize = 256;

/// The most members that a node names as suspects.
pub const MAX_SUSPECTS: usize = 32;

/// A node as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// For people: the pod's or the process's name.
    pub name: String,
    /// host:port of its peer port. Where it is now, not who it is.
    pub address: String,
    /// host:port that clients use.
    pub client_address: String,
    /// What fails together; empty when not known.
    pub zone: String,
    /// Of its software.
    pub version: String,
    /// Of its process.
    pub generation: Generation,
    /// Grows with every round of gossip.
    pub heartbeat: u64,
    /// Of the ring it holds; 0 for none.
    pub ring_epoch: u64,
    /// Set when it is about to end.
    pub stopping: bool,
}

impl Member {
    /// Of two states of one node the greater is true.
    pub(super) fn age(&self) -> (Generation, u64) {
        (self.generation, self.heartbeat)
    }
}

/// All that a node says of itself, and others pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its description.
    pub member: Member,
    /// Its heartbeat when anything but the heartbeat changed last.
    pub changed: u64,
    /// Members that it takes for dead, [`MAX_SUSPECTS`] at most.
    pub suspects: Vec<NodeId>,
}

impl Entry {
    /// Of a node that has just started.
    pub fn new(member: Member) -> Self {
        Entry { changed: member.heartbeat, member, suspects: Vec::new() }
    }

    /// In short, for those that have the rest.
    pub fn pulse(&self) -> Pulse {
        let Member { node, generation, heartbeat, .. } = self.member;
        Pulse { node, generation, heartbeat, changed: self.changed }
    }
}

/// A sign of life: what is told of a member to those that know the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Whose.
    pub node: NodeId,
    /// See [`Member::generation`].
    pub generation: Generation,
    /// See [`Member::heartbeat`].
    pub heartbeat: u64,
    /// See [`Entry::changed`].
    pub changed: u64,
}

impl Pulse {
    /// See [`Member::age`].
    pub(super) fn age(&self) -> (Generation, u64) {
        (self.generation, self.heartbeat)
    }

    /// Whether one who holds a state of this age has the entry in its last form.
    pub(super) fn is_all_that_lacks(&self, (generation, heartbeat): (Generation, u64)) -> bool {
        self.generation == generation && self.changed <= heartbeat
    }
}

/// One message of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// What is told of the members.
    pub stage: Stage,
    /// Of the sender's ring.
    pub ring_tag: RingTag,
    /// The sender's ring, for a receiver that holds an older one.
    pub ring: Option<Arc<Ring>>,
}

/// Which message of a round it is. Each can be lost or come twice without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Opens a round; an [`Answer`](Stage::Answer) is wanted.
    Digest {
        /// The sender's own entry, whole: the receiver may be a stranger, or have just
        /// restarted, and could not answer otherwise.
        own: Box<Entry>,
        /// A pulse of everybody else that the sender knows.
        known: Vec<Pulse>,
    },
    /// Always sent to who opened a round: that it comes is what tells the opener that
    /// the way is open in both directions.
    Answer {
        /// Of members whose heartbeat alone is newer here.
        pulses: Vec<Pulse>,
        /// Of members of which the opener knows nothing, or an older form.
        entries: Vec<Entry>,
        /// Whose entries the sender would like.
        wanted: Vec<NodeId>,
    },
    /// Entries that were wanted, or the sender's own with news that does not wait for
    /// a round. Nothing is sent back.
    Entries(Vec<Entry>),
}

impl Stage {
    /// The entries in it.
    pub fn entries(&self) -> &[Entry] {
        match self {
            Stage::Digest { own, .. } => std::slice::from_ref(own),
            Stage::Answer { entries, .. } | Stage::Entries(entries) => entries,
        }
    }

    /// The pulses in it.
    pub fn pulses(&self) -> &[Pulse] {
        match self {
            Stage::Digest { known: pulses, .. } | Stage::Answer { pulses, .. } => pulses,
            Stage::Entries(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests;
