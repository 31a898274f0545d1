//! Who is up: to this node, and to the cluster.

use super::{GOSSIP_EVERY, Membership, membership::Peer};
use crate::{id::NodeId, time::Instant};
use std::{collections::BTreeMap, time::Duration};

/// A member that was lost is tried again after so long.
const RETRY_AFTER: Duration = GOSSIP_EVERY.saturating_mul(10);

/// So many members must say of another that it is dead.
const WITNESSES: usize = 2;

impl Membership {
    /// Whether requests go to the node. A node is always up to itself.
    ///
    /// A member is up when there is recent news of it, by the measure of its detector,
    /// and nothing that was sent to it failed since it was last heard directly. One that
    /// was lost is tried again after [`RETRY_AFTER`], if there is still news of it: to be
    /// heard directly may take long in a large cluster.
    ///
    /// Hearsay of a stranger is not enough, because a node that has just started is told
    /// of the dead too: a stranger is up when its heartbeat was seen to grow or it was
    /// heard directly. To wait for its heartbeat would take a node that restarts a second
    /// or two, in which it would refuse requests; to send requests on trial would make
    /// them wait for ghosts at addresses where nobody says no. So it is gossip that is
    /// sent on trial: a fresh node greets those it hears of at once (see
    /// [`strangers`](Membership::strangers)), and who lives is up after one way there and
    /// back. Two tellers, one of which knows an older state of the dead, can still make a
    /// ghost's heartbeat seem to grow; its detector finds out within 10 s.
    pub fn is_up(&self, node: NodeId, now: Instant) -> bool {
        if node == self.own.member.node {
            return !self.own.member.stopping;
        }
        self.peers
            .get(&node)
            .is_some_and(|p| p.proven && !p.entry.member.stopping && !self.takes_for_dead(p, now))
    }

    /// Whether it is known to have lived since this node does. Before that it is neither
    /// up nor lost.
    pub fn is_proven(&self, node: NodeId) -> bool {
        self.peers.get(&node).is_some_and(|p| p.proven)
    }

    /// What this node tells others: not that a stranger is a ghost before there was time
    /// to hear of it, nor that somebody is dead who only said that it is about to end.
    pub(super) fn takes_for_dead(&self, peer: &Peer, now: Instant) -> bool {
        let lost = peer.lost.is_some_and(|at| now.since(at) < RETRY_AFTER);
        lost || peer.detector.is_dead(self.attention.at(now))
    }

    /// Members that are down for the cluster: two others say so, this node and those that
    /// are up to it. Of two members one is enough. A node that is cut off from all others
    /// finds nobody to agree with it.
    ///
    /// Nothing is moved because of it (section 4.8.1: whether a member leaves is
    /// decided by people). Of more than [`MAX_SUSPECTS`](super::MAX_SUSPECTS) dead, some
    /// may be missing while not enough nodes name them.
    pub fn down_for_cluster(&self, now: Instant) -> Vec<NodeId> {
        let mut witnesses: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (&node, peer) in &self.peers {
            if self.takes_for_dead(peer, now) {
                *witnesses.entry(node).or_default() += 1;
            }
            let heard: &[_] = if self.is_up(node, now) { &peer.entry.suspects } else { &[] };
            for &suspect in heard.iter().filter(|&&s| s != node) {
                *witnesses.entry(suspect).or_default() += 1;
            }
        }
        let needed = WITNESSES.min(self.peers.len());
        witnesses.retain(|_, &mut count| count >= needed);
        witnesses.into_keys().collect()
    }
}
