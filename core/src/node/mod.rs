//! One node: inputs in, effects out. See the crate's root for the picture.

mod answers;
mod anti_entropy;
mod gossiping;
mod handoff;
mod orders;
mod reaping;
mod requests;
mod routing;
mod view;

pub use orders::{Order, OrderRefused};
pub use view::{MemberView, View};

use crate::{
    gossip::{GOSSIP_EVERY, Member, Membership},
    id::{Generation, Incarnation, NodeId, OpId},
    merkle::Counts,
    message::Message,
    pace::Pace,
    reap::Reaping,
    replica::{Asker, Job, ReplicaAnswer},
    request::{Reply, Request},
    ring::Ring,
    store::Record,
    time::{Instant, Now},
};
use anti_entropy::AntiEntropy;
use handoff::Handoff;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use reaping::Reaper;
use requests::Requests;
use std::{sync::Arc, time::Duration};

/// What a node is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who it is, as others will know it. Its heartbeat starts at 0.
    pub member: Member,
    /// How often its disk has lost something.
    pub incarnation: Incarnation,
    /// Peer addresses of nodes that may know others. Any node can be one.
    pub seeds: Vec<String>,
    /// R, for reads that do not say.
    pub read_quorum: usize,
    /// W, for writes that do not say.
    pub write_quorum: usize,
    /// The last [`Record::Reserved`] that was kept, 0 on an empty disk.
    pub reserved: u64,
    /// The last [`Record::Ring`] that was kept.
    pub ring: Option<Arc<Ring>>,
    /// How long tombstones stay.
    pub reaping: Reaping,
    /// Where its chance comes from.
    pub seed: u64,
}

/// The caller's name for a request or an order; comes back with the answer, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

/// What can happen to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A client asks something.
    Request(Token, Request),
    /// An operator orders something.
    Order(Token, Order),
    /// A peer says something, in this generation of it.
    Message(NodeId, Generation, Message),
    /// The local replica answers.
    Replica(Asker, ReplicaAnswer),
    /// Something sent to a peer could not be delivered.
    Unreachable(NodeId),
    /// The [`Node::deadline`] has come.
    Tick,
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Keep this. It must be on disk before any later effect leaves the node.
    Persist(Record),
    /// Run this on the local replica and hand the answer back.
    Replica(Job),
    /// Deliver this to the process with that node id, or say that it is unreachable.
    Send(NodeId, Message),
    /// Try to deliver this to whoever is at an address.
    SendToSeed(String, Message),
    /// Answer a client.
    Reply(Token, Reply),
    /// Answer an operator with the epoch of the ring.
    Obeyed(Token, Result<u64, OrderRefused>),
    /// Something that people or metrics may want to know. Nothing depends on it.
    Note(Note),
}

/// What happened, for logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A member was heard of for the first time.
    Met(NodeId),
    /// A member cannot be reached any more.
    Lost(NodeId),
    /// A member can be reached again.
    Found(NodeId),
    /// A ring was taken over.
    RingAdopted {
        /// Its epoch.
        epoch: u64,
    },
    /// A later process of this very node was heard of. This one answers no request any
    /// more and should end: its disk is a copy, or was put back to an older state.
    Superseded,
    /// A message was dropped: its sender is of a former generation or not known.
    Stale(NodeId),
    /// Replicas that answered a read lacked something, and are sent it.
    Repaired {
        /// How many.
        replicas: usize,
    },
    /// Entries were dropped from a version vector that had too many.
    Truncated {
        /// How many.
        entries: usize,
    },
    /// This node keeps a write for another.
    Hinted(NodeId),
    /// There are no hints for a node any more.
    HandedOff {
        /// Whose they were.
        owner: NodeId,
        /// How many it took, since there were none.
        delivered: usize,
    },
    /// This node's Merkle tree was compared with another's, and what differed was brought
    /// to the same state.
    Compared {
        /// Whose.
        peer: NodeId,
        /// What it cost.
        counts: Counts,
    },
    /// Something on this node's disk is damaged. It is not served, and brought back from
    /// other replicas.
    Damaged {
        /// In how many leaves of the Merkle tree.
        leaves: usize,
    },
    /// Keys were deleted so long ago that nothing older can come up: they are forgotten.
    Reaped {
        /// How many.
        keys: usize,
    },
    /// A request has ended.
    Finished {
        /// Which kind.
        kind: RequestKind,
        /// Whether it was answered as asked.
        ok: bool,
        /// Since it came.
        took: Duration,
    },
}

/// How this node had to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// Coordinated a get.
    Get,
    /// Coordinated a put or a delete.
    Put,
    /// Handed a write to a node that coordinates it.
    Forward,
}

/// How many counters are reserved at a time. A restart skips what is left of them.
const RESERVE: u64 = 1 << 16;

/// Bits of an [`OpId`] that count within one generation: 2^40 requests, at 100,000 a
/// second more than 100 days. Generations follow above.
const OPS_PER_GENERATION: u32 = 40;

/// A node, without its disk, its network and its clocks.
pub struct Node {
    membership: Membership,
    incarnation: Incarnation,
    ring: Option<Arc<Ring>>,
    read_quorum: usize,
    write_quorum: usize,
    requests: Requests,
    handoff: Handoff,
    anti_entropy: AntiEntropy,
    reaper: Reaper,
    pace: Pace,
    next_op: OpId,
    /// The last counter given to a dot, and the last that may be.
    counter: u64,
    reserved: u64,
    next_gossip: Instant,
    rng: Pcg64,
}

impl Node {
    /// A node that has just started.
    pub fn new(config: Config) -> Self {
        let mut membership = Membership::new(config.member, config.seeds);
        if let Some(ring) = &config.ring {
            membership.hold_ring(ring.epoch());
        }
        let generation = membership.own().generation.0;
        Node {
            membership,
            incarnation: config.incarnation,
            ring: config.ring,
            read_quorum: config.read_quorum,
            write_quorum: config.write_quorum,
            requests: Requests::default(),
            handoff: Handoff::default(),
            anti_entropy: AntiEntropy::default(),
            reaper: Reaper::new(config.reaping),
            pace: Pace::default(),
            next_op: OpId(generation << OPS_PER_GENERATION),
            counter: config.reserved,
            reserved: config.reserved,
            next_gossip: Instant::default(),
            rng: Pcg64::seed_from_u64(config.seed),
        }
    }

    /// Takes one input in and says what is to be done, in this order.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        self.reaper.wake(now.instant);
        match input {
            Input::Request(token, request) => self.request(now, token, request, out),
            Input::Order(token, order) => self.order(now, token, order, out),
            Input::Message(from, generation, message) => {
                self.message(now, from, generation, message, out);
            }
            Input::Replica(asker, answer) => self.replica_answered(now, asker, answer, out),
            Input::Unreachable(node) => self.unreachable(now, node, out),
            Input::Tick => self.tick(now, out),
        }
    }

    /// When the node wants an [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Instant {
        self.requests.deadline().map_or(self.next_gossip, |d| d.min(self.next_gossip))
    }

    /// How many requests it works on. None: it can end without anybody missing an answer.
    pub fn in_flight(&self) -> usize {
        self.requests.in_flight()
    }

    fn message(
        &mut self,
        now: Now,
        from: NodeId,
        generation: Generation,
        message: Message,
        out: &mut Vec<Effect>,
    ) {
        // Gossip brings the sender's own entry, so it may come from a stranger.
        let known = self.membership.is_proven(from);
        let was_up = !known || self.membership.is_up(from, now.instant);
        if let Message::Gossip(gossip) = &message {
            self.learn(now, gossip, out);
        }
        if !self.membership.hear(from, generation, now.instant) {
            out.push(Effect::Note(Note::Stale(from)));
            return;
        }
        if !was_up && self.membership.is_up(from, now.instant) {
            out.push(Effect::Note(Note::Found(from)));
        }
        match message {
            Message::Gossip(gossip) => self.gossip(from, gossip, out),
            Message::ReplicaRequest { id, key, stands_for, operation } => {
                let asker = Asker::Peer(from, id);
                self.peer_asks_replica(now, asker, (key, stands_for), operation, out);
            }
            Message::ReplicaResponse { id, answer } => {
                self.answered(now, id, from, answer, out);
            }
            Message::TreeRequest { id, question } => self.tree_asked(from, id, question, out),
            Message::TreeResponse { id, answer } => {
                self.answered(now, id, from, ReplicaAnswer::Tree(answer), out);
            }
            Message::ReapRequest { id, request } => {
                self.reap_asked(now, Asker::Peer(from, id), request, out);
            }
            Message::ReapResponse { id, agreed } => {
                self.answered(now, id, from, ReplicaAnswer::Inspected(agreed), out);
            }
            Message::ForwardRequest { id, write } => self.forwarded(now, from, id, write, out),
            Message::ForwardResponse { id, result } => {
                self.forward_answered(now, id, from, result, out);
            }
        }
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.expire(now, out);
        if now.instant >= self.next_gossip {
            self.next_gossip = now.instant + GOSSIP_EVERY;
            self.gossip_round(now, out);
            self.hand_off(now, out);
            self.compare(now, out);
            self.scrub(out);
            self.reap(now, out);
            self.pace.adjust(self.handoff.is_busy() || self.anti_entropy.is_busy());
        }
    }
}

#[cfg(test)]
mod tests;
