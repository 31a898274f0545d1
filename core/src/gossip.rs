//! Gossip (paper, section 4.8): who is in the cluster, and who is alive.
//!
//! Each second every node tells its view to one random member, to one of those it cannot
//! reach, and to one seed that is not among those it can; whoever is told answers with
//! its own. Of two entries for one node the one with the higher (generation, heartbeat)
//! is true: only the node itself ever raises its own, so views merge in any order to the
//! same result.
//!
//! Whether a member is *up* is each node's own judgement (section 4.8.3: a local
//! notion of failure is enough): news of it came lately, and nothing that was sent to it
//! failed since it was last heard directly. It moves no data and is told to nobody.

use crate::{
    id::{Generation, NodeId},
    ring::{Ring, RingTag},
    time::Instant,
};
use rand::{Rng, RngExt};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

/// How often a node gossips.
pub const GOSSIP_EVERY: Duration = Duration::from_secs(1);

/// A member of which no news has come for so long is down. News reaches all of n nodes
/// in about log2(n) rounds, so this leaves room for thousands.
pub const DOWN_AFTER: Duration = Duration::from_secs(10);

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
    fn age(&self) -> (Generation, u64) {
        (self.generation, self.heartbeat)
    }
}

/// What is told in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// All that the sender knows of, itself first.
    pub members: Vec<Member>,
    /// Whether the receiver is to answer with its own view.
    pub reply_wanted: bool,
    /// Of the sender's ring.
    pub ring_tag: RingTag,
    /// The sender's ring, for a receiver that holds an older one.
    pub ring: Option<Arc<Ring>>,
}

/// What a node knows of another.
#[derive(Clone, Debug)]
struct Peer {
    member: Member,
    /// When its heartbeat was last seen to grow, whoever told it.
    heard: Instant,
    /// When something sent to it failed, if that was after it was last heard directly.
    lost: Option<Instant>,
    /// When it was last heard directly.
    spoke: Instant,
}

/// All members that a node knows of, itself included.
#[derive(Clone, Debug)]
pub struct Membership {
    own: Member,
    /// Somebody has heard a later process of this node than this is.
    superseded: bool,
    seeds: Vec<String>,
    peers: BTreeMap<NodeId, Peer>,
}

impl Membership {
    /// Knows only itself and the addresses of its seeds.
    pub fn new(own: Member, seeds: Vec<String>) -> Self {
        let (known, peers) = (Vec::new(), BTreeMap::new());
        let mut membership = Membership { own, superseded: false, seeds: known, peers };
        membership.add_seeds(seeds);
        membership
    }

    /// Gossips with these addresses too. Its own is left out.
    pub fn add_seeds(&mut self, seeds: Vec<String>) {
        for seed in seeds {
            if seed != self.own.address && !self.seeds.contains(&seed) {
                self.seeds.push(seed);
            }
        }
    }

    /// This node's own entry.
    pub fn own(&self) -> &Member {
        &self.own
    }

    /// Begins a round: the heartbeat grows.
    pub fn beat(&mut self) {
        self.own.heartbeat += 1;
    }

    /// Tells from now on that this node holds the ring of this epoch.
    pub fn hold_ring(&mut self, epoch: u64) {
        self.own.ring_epoch = epoch;
        self.beat();
    }

    /// Tells from now on that this node is about to end.
    pub fn stop(&mut self) {
        self.own.stopping = true;
        self.beat();
    }

    /// Everybody's entry, its own first.
    pub fn entries(&self) -> Vec<Member> {
        let peers = self.peers.values().map(|p| p.member.clone());
        std::iter::once(self.own.clone()).chain(peers).collect()
    }

    /// The entry of a node, if it is known.
    pub fn get(&self, node: NodeId) -> Option<&Member> {
        if node == self.own.node {
            return Some(&self.own);
        }
        self.peers.get(&node).map(|p| &p.member)
    }

    /// Members other than this node.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        self.peers.values().map(|p| &p.member)
    }

    /// Takes a view of another node in. Returns the members not known before.
    pub fn merge(&mut self, told: &[Member], now: Instant) -> Vec<NodeId> {
        let mut new = Vec::new();
        for member in told {
            if member.node == self.own.node {
                self.superseded |= member.age() > self.own.age();
                continue;
            }
            match self.peers.entry(member.node) {
                Entry::Vacant(slot) => {
                    slot.insert(Peer {
                        member: member.clone(),
                        heard: now,
                        lost: None,
                        spoke: Instant::default(),
                    });
                    new.push(member.node);
                }
                Entry::Occupied(mut slot) => {
                    let known = slot.get_mut();
                    if member.age() > known.member.age() {
                        let restarted = member.generation > known.member.generation;
                        known.lost = known.lost.filter(|_| !restarted);
                        known.heard = now;
                        known.member = member.clone();
                    }
                }
            }
        }
        new
    }

    /// Whether a later process of this node has been heard of: this one runs on a copy
    /// of its disk, or on one that was put back to an older state, and must end.
    pub fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// A message came from the node itself. False when it is of a process that has been
    /// succeeded by another, or of nobody known.
    pub fn hear(&mut self, node: NodeId, generation: Generation, now: Instant) -> bool {
        match self.peers.get_mut(&node) {
            Some(p) if generation == p.member.generation => {
                p.lost = None;
                p.spoke = now;
                true
            }
            // Newer than what is told of it: its gossip is on the way.
            Some(p) => generation > p.member.generation,
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

    /// Whether requests go to the node. A node is always up to itself.
    ///
    /// One that was lost is tried again after [`DOWN_AFTER`], if there is still news of
    /// it: to be heard directly may take long in a large cluster.
    pub fn is_up(&self, node: NodeId, now: Instant) -> bool {
        if node == self.own.node {
            return !self.own.stopping;
        }
        self.peers.get(&node).is_some_and(|p| {
            let lost = p.lost.is_some_and(|at| now.since(at) < DOWN_AFTER);
            !lost && !p.member.stopping && now.since(p.heard) < DOWN_AFTER
        })
    }

    /// How long ago the node's heartbeat was last seen to grow.
    pub fn heard_ago(&self, node: NodeId, now: Instant) -> Duration {
        self.peers.get(&node).map_or(Duration::ZERO, |p| now.since(p.heard))
    }

    /// Whom to tell in this round: a random member, a random one of those that cannot
    /// be reached, so that their return is noticed soon, and a random seed that is not
    /// the address of a member that is up.
    pub fn partners(&self, now: Instant, rng: &mut impl Rng) -> Vec<Partner> {
        let (up, down): (Vec<_>, Vec<_>) =
            self.peers.keys().copied().partition(|&n| self.is_up(n, now));
        let covered = |seed: &&String| up.iter().any(|n| self.peers[n].member.address == **seed);
        let seeds: Vec<_> = self.seeds.iter().filter(|s| !covered(s)).collect();
        let mut partners = Vec::new();
        partners.extend(pick(&up, rng).map(|&n| Partner::Member(n)));
        partners.extend(pick(&down, rng).map(|&n| Partner::Member(n)));
        partners.extend(pick(&seeds, rng).map(|&s| Partner::Seed(s.clone())));
        partners
    }
}

/// Who is told in a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partner {
    /// A member.
    Member(NodeId),
    /// Whoever is at this address.
    Seed(String),
}

fn pick<'a, T>(from: &'a [T], rng: &mut impl Rng) -> Option<&'a T> {
    if from.is_empty() { None } else { from.get(rng.random_range(0..from.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(node: u64, generation: u64, heartbeat: u64) -> Member {
        Member {
            node: NodeId(node),
            name: format!("n{node}"),
            address: format!("host{node}:1"),
            client_address: String::new(),
            zone: String::new(),
            version: String::new(),
            generation: Generation(generation),
            heartbeat,
            ring_epoch: 0,
            stopping: false,
        }
    }

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    fn views() -> impl Strategy<Value = Vec<Vec<Member>>> {
        let entry = (1..5u64, 1..3u64, 0..4u64).prop_map(|(n, g, h)| member(n, g, h));
        prop::collection::vec(prop::collection::vec(entry, 0..5), 0..6)
    }

    proptest! {
        #[test]
        fn views_merge_in_any_order_to_the_same(views in views(), by in 0..6usize) {
            let merged = |views: &[Vec<Member>]| {
                let mut m = Membership::new(member(0, 1, 0), vec![]);
                for v in views {
                    m.merge(v, at(0));
                }
                m.entries()
            };
            let mut rotated = views.clone();
            rotated.rotate_left(by % views.len().max(1));
            prop_assert_eq!(merged(&views), merged(&rotated));
            rotated.extend(views.clone());
            prop_assert_eq!(merged(&views), merged(&rotated));
        }
    }

    #[test]
    fn a_member_is_down_when_sending_fails_and_up_when_it_speaks() {
        let mut m = Membership::new(member(0, 1, 0), vec![]);
        m.merge(&[member(1, 1, 0)], at(0));
        assert!(m.is_up(NodeId(1), at(1)));
        m.lose(NodeId(1), at(1));
        assert!(!m.is_up(NodeId(1), at(1)));
        m.merge(&[member(1, 1, 1)], at(1));
        assert!(!m.is_up(NodeId(1), at(1)), "hearsay does not make it reachable");
        assert!(m.hear(NodeId(1), Generation(1), at(1)));
        assert!(m.is_up(NodeId(1), at(1)));
    }

    #[test]
    fn a_lost_member_of_which_there_is_news_is_tried_again_after_a_while() {
        let mut m = Membership::new(member(0, 1, 0), vec![]);
        m.merge(&[member(1, 1, 0)], at(0));
        assert!(m.lose(NodeId(1), at(1)));
        assert!(!m.lose(NodeId(1), at(2)), "it is lost already");
        m.merge(&[member(1, 1, 1)], at(11));
        assert!(!m.is_up(NodeId(1), at(11)));
        assert!(m.is_up(NodeId(1), at(12)));
    }

    #[test]
    fn a_node_learns_that_a_later_process_of_it_was_heard() {
        let mut m = Membership::new(member(0, 3, 5), vec![]);
        m.merge(&[member(0, 3, 5), member(0, 2, 9)], at(0));
        assert!(!m.is_superseded());
        m.merge(&[member(0, 4, 0)], at(0));
        assert!(m.is_superseded());
    }

    #[test]
    fn a_member_without_news_is_down() {
        let mut m = Membership::new(member(0, 1, 0), vec![]);
        m.merge(&[member(1, 1, 5)], at(0));
        m.merge(&[member(1, 1, 5)], at(9));
        assert!(m.is_up(NodeId(1), at(9)));
        assert!(!m.is_up(NodeId(1), at(10)), "old news is no news");
        m.merge(&[member(1, 1, 6)], at(11));
        assert!(m.is_up(NodeId(1), at(11)));
    }

    #[test]
    fn a_process_that_was_succeeded_is_not_heard() {
        let mut m = Membership::new(member(0, 1, 0), vec![]);
        m.merge(&[member(1, 2, 0)], at(0));
        assert!(!m.hear(NodeId(1), Generation(1), at(1)));
        assert!(m.hear(NodeId(1), Generation(2), at(1)));
        assert!(!m.hear(NodeId(9), Generation(1), at(1)));
    }

    #[test]
    fn seeds_are_asked_until_their_addresses_are_members() {
        let mut rng = <rand_pcg::Pcg64 as rand::SeedableRng>::seed_from_u64(1);
        let seeds = vec!["host0:1".into(), "host1:1".into()];
        let mut m = Membership::new(member(0, 1, 0), seeds);
        assert_eq!(m.partners(at(0), &mut rng), [Partner::Seed("host1:1".into())]);
        m.merge(&[member(1, 1, 0)], at(0));
        assert_eq!(m.partners(at(0), &mut rng), [Partner::Member(NodeId(1))]);
        let later = m.partners(at(20), &mut rng);
        assert_eq!(later, [Partner::Member(NodeId(1)), Partner::Seed("host1:1".into())]);
    }
}
