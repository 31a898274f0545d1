//! What a node knows, for people, probes and operators.

use super::Node;
use crate::{gossip::Member, id::NodeId, ring::Ring, time::Now};
use std::{sync::Arc, time::Duration};

/// A node's view of its cluster at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// This node first, then the others by node id.
    pub members: Vec<MemberView>,
    /// The ring, once there is one.
    pub ring: Option<Arc<Ring>>,
    /// R, for reads that do not say.
    pub read_quorum: usize,
    /// W, for writes that do not say.
    pub write_quorum: usize,
    /// Whether clients should be sent here: there is a ring, the node is not about to
    /// end, and it sees a peer unless it is alone in the ring. Never whether there is a
    /// quorum: a node that waits for others must stay reachable.
    pub ready: bool,
    /// For how many nodes there are, or may be, hints here.
    pub hinted_for: usize,
}

/// A member as this node sees it.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Its own words.
    pub member: Member,
    /// Whether requests go to it: this node's own judgement.
    pub up: bool,
    /// Whether two members say that it is dead, or one of two, see
    /// [`Membership::down_for_cluster`](crate::gossip::Membership::down_for_cluster).
    pub down_for_cluster: bool,
    /// Since the last news of it.
    pub heard_ago: Duration,
    /// How many it owns.
    pub partitions: usize,
}

impl Node {
    /// What this node knows now.
    pub fn view(&self, now: Now) -> View {
        let down = self.membership.down_for_cluster(now.instant);
        let members = self.membership.entries().into_iter().map(|member| MemberView {
            up: self.membership.is_up(member.node, now.instant),
            down_for_cluster: down.contains(&member.node),
            heard_ago: self.membership.heard_ago(member.node, now.instant),
            partitions: self.ring.as_ref().map_or(0, |r| r.owned_by(member.node)),
            member,
        });
        View {
            members: members.collect(),
            ring: self.ring.clone(),
            read_quorum: self.read_quorum,
            write_quorum: self.write_quorum,
            ready: self.is_ready(now),
            hinted_for: self.handoff.owners(),
        }
    }

    /// See [`View::ready`].
    pub fn is_ready(&self, now: Now) -> bool {
        let Some(ring) = &self.ring else { return false };
        let own = self.membership.own();
        let alone = matches!(ring.seats(), [only] if only.node == own.node);
        let sees_a_peer =
            self.membership.others().any(|m| self.membership.is_up(m.node, now.instant));
        !own.stopping && !self.membership.is_superseded() && (alone || sees_a_peer)
    }

    /// The ring, once there is one.
    pub fn ring(&self) -> Option<&Arc<Ring>> {
        self.ring.as_ref()
    }

    /// What this node knows of a member.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.membership.get(node)
    }

    /// Whether requests go to a member.
    pub fn is_up(&self, node: NodeId, now: Now) -> bool {
        self.membership.is_up(node, now.instant)
    }

    /// The peer address of a member.
    pub fn address_of(&self, node: NodeId) -> Option<&str> {
        self.membership.get(node).map(|m| m.address.as_str())
    }
}
