//! All members that a node knows of, and how news of them is taken in.

use super::{Entry, GOSSIP_EVERY, MAX_SUSPECTS, Member, Pulse, detector::Detector};
use crate::{
    id::{Generation, NodeId},
    time::Instant,
};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::Bound::{Excluded, Unbounded},
    time::Duration,
};

/// What a node knows of another.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) entry: Entry,
    /// It is known to have lived since this node did: its heartbeat was seen to grow, or
    /// it was heard directly.
    pub(super) proven: bool,
    pub(super) detector: Detector,
    /// When its heartbeat was last seen to grow, whoever told it.
    pub(super) heard: Instant,
    /// When something sent to it failed, if that was after it was last heard directly.
    pub(super) lost: Option<Instant>,
    /// When it was last heard directly.
    pub(super) spoke: Instant,
}

/// A clock that stands still while this node does not run: time in which nobody was
/// asked says nothing about others.
#[derive(Clone, Debug, Default)]
pub(super) struct Attention {
    /// Up to the last round.
    watched: Duration,
    last_round: Option<Instant>,
}

impl Attention {
    /// Time that passed between two rounds counts up to here.
    const AT_A_TIME: Duration = GOSSIP_EVERY.saturating_mul(2);

    fn round(&mut self, now: Instant) {
        self.watched = self.at(now);
        self.last_round = Some(now);
    }

    /// What it shows.
    pub(super) fn at(&self, now: Instant) -> Duration {
        let since = self.last_round.map_or(Duration::ZERO, |last| now.since(last));
        self.watched + since.min(Self::AT_A_TIME)
    }
}

/// All members that a node knows of, itself included.
#[derive(Clone, Debug)]
pub struct Membership {
    pub(super) own: Entry,
    /// Somebody has heard a later process of this node than this is.
    superseded: bool,
    pub(super) seeds: Vec<String>,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) attention: Attention,
    /// See `Membership::strangers`.
    pub(super) greeted: BTreeSet<NodeId>,
}

impl Membership {
    /// Knows only itself and the addresses of its seeds.
    pub fn new(own: Member, seeds: Vec<String>) -> Self {
        let mut membership = Membership {
            own: Entry::new(own),
            superseded: false,
            seeds: Vec::new(),
            peers: BTreeMap::new(),
            attention: Attention::default(),
            greeted: BTreeSet::new(),
        };
        membership.add_seeds(seeds);
        membership
    }

    /// Gossips with these addresses too. Its own is left out.
    pub fn add_seeds(&mut self, seeds: Vec<String>) {
        for seed in seeds {
            if seed != self.own.member.address && !self.seeds.contains(&seed) {
                self.seeds.push(seed);
            }
        }
    }

    /// This node's own description.
    pub fn own(&self) -> &Member {
        &self.own.member
    }

    /// Begins a round: the heartbeat grows, and who is suspected now is told.
    pub fn beat(&mut self, now: Instant) {
        self.attention.round(now);
        let suspects = self.suspects(now);
        if suspects == self.own.suspects {
            self.own.member.heartbeat += 1;
        } else {
            self.change(|own| own.suspects = suspects);
        }
    }

    /// Tells from now on that this node holds the ring of this epoch.
    pub fn hold_ring(&mut self, epoch: u64) {
        self.change(|own| own.member.ring_epoch = epoch);
    }

    /// Tells from now on that this node is about to end.
    pub fn stop(&mut self) {
        self.change(|own| own.member.stopping = true);
    }

    /// The heartbeat grows with every change, so that one heartbeat has one form.
    fn change(&mut self, how: impl FnOnce(&mut Entry)) {
        how(&mut self.own);
        self.own.member.heartbeat += 1;
        self.own.changed = self.own.member.heartbeat;
    }

    /// Those taken for dead. When there are too many to tell, each node names those
    /// that follow its own id, so that together they name all.
    fn suspects(&self, now: Instant) -> Vec<NodeId> {
        let own = self.own.member.node;
        let after = self.peers.range((Excluded(own), Unbounded));
        let all = after.chain(self.peers.range(..own));
        let dead = all.filter(|(_, peer)| self.takes_for_dead(peer, now));
        dead.map(|(&node, _)| node).take(MAX_SUSPECTS).collect()
    }

    /// Everybody's description, its own first.
    pub fn entries(&self) -> Vec<Member> {
        self.all().map(|e| e.member.clone()).collect()
    }

    /// Everybody's entry, its own first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        std::iter::once(&self.own).chain(self.peers.values().map(|p| &p.entry))
    }

    /// The entry of a node, if it is known.
    pub(super) fn entry(&self, node: NodeId) -> Option<&Entry> {
        if node == self.own.member.node {
            return Some(&self.own);
        }
        self.peers.get(&node).map(|p| &p.entry)
    }

    /// The description of a node, if it is known.
    pub fn get(&self, node: NodeId) -> Option<&Member> {
        self.entry(node).map(|e| &e.member)
    }

    /// Members other than this node.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        self.peers.values().map(|p| &p.entry.member)
    }

    /// Takes entries that another node told in. Returns the members not known before.
    pub fn merge(&mut self, told: &[Entry], now: Instant) -> Vec<NodeId> {
        let watched = self.attention.at(now);
        let mut new = Vec::new();
        for entry in told {
            let (node, age) = (entry.member.node, entry.member.age());
            if node == self.own.member.node {
                self.superseded |= age > self.own.member.age();
                continue;
            }
            match self.peers.entry(node) {
                btree_map::Entry::Vacant(slot) => {
                    slot.insert(Peer::new(entry.clone(), now, watched));
                    new.push(node);
                }
                btree_map::Entry::Occupied(mut slot) => {
                    let known = slot.get_mut();
                    if age > known.entry.member.age() {
                        known.grows(entry.member.generation, now, watched);
                        known.entry = entry.clone();
                    }
                }
            }
        }
        new
    }

    /// Takes pulses that another node told in: of members whose entry is known here in
    /// its last form. Others are no use without their entry and change nothing.
    pub fn merge_pulses(&mut self, told: &[Pulse], now: Instant) {
        let watched = self.attention.at(now);
        for pulse in told {
            if pulse.node == self.own.member.node {
                self.superseded |= pulse.age() > self.own.member.age();
            }
            let Some(known) = self.peers.get_mut(&pulse.node) else { continue };
            let age = known.entry.member.age();
            if pulse.age() > age && pulse.is_all_that_lacks(age) {
                known.grows(pulse.generation, now, watched);
                known.entry.member.heartbeat = pulse.heartbeat;
            }
        }
    }

    /// Whether a later process of this node has been heard of: this one runs on a copy
    /// of its disk, or on one that was put back to an older state, and must end.
    pub fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// A message came from the node itself. False when it is of a process that has been
    /// succeeded by another, or of nobody known.
    pub fn hear(&mut self, node: NodeId, generation: Generation, now: Instant) -> bool {
        let watched = self.attention.at(now);
        match self.peers.get_mut(&node) {
            Some(p) if generation == p.entry.member.generation => {
                p.lost = None;
                p.spoke = now;
                p.proven = true;
                p.detector.speaks(watched);
                true
            }
            // Newer than what is told of it: its gossip is on the way.
            Some(p) => generation > p.entry.member.generation,
            None => false,
        }
    }

    /// Something sent to the node failed. True if it was thought reachable.
    pub fn lose(&mut self, node: NodeId, now: Instant) -> bool {
        let was_up = self.is_up(node, now);
        if let Some(p) = self.peers.get_mut(&node) {
            p.lost = Some(now);
        }
        was_up
    }

    /// Whether nothing has come from the node itself after `since`.
    pub fn silent_since(&self, node: NodeId, since: Instant) -> bool {
        self.peers.get(&node).is_some_and(|p| p.spoke <= since)
    }

    /// How long ago the node's heartbeat was last seen to grow.
    pub fn heard_ago(&self, node: NodeId, now: Instant) -> Duration {
        self.peers.get(&node).map_or(Duration::ZERO, |p| now.since(p.heard))
    }
}

impl Peer {
    fn new(entry: Entry, now: Instant, watched: Duration) -> Self {
        Peer {
            entry,
            proven: false,
            detector: Detector::new(watched),
            heard: now,
            lost: None,
            spoke: Instant::default(),
        }
    }

    /// Its heartbeat is seen to grow.
    fn grows(&mut self, generation: Generation, now: Instant, watched: Duration) {
        if generation > self.entry.member.generation {
            self.lost = None;
            self.detector.restart(watched);
        } else {
            self.detector.beat(watched);
        }
        self.heard = now;
        self.proven = true;
    }
}
