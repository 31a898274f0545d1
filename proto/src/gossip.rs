//! Gossip and its members.

use crate::{Malformed, malformed::at_most, v1};
use dynamo_core::{
    gossip::{Gossip, Member},
    id::{Generation, NodeId},
    ring::{MAX_ZONE, Ring, RingTag},
};
use std::sync::Arc;

/// More than any cluster has, former nodes included.
const MAX_TOLD: usize = 10_000;

/// The longest name, address or version, in bytes: that of a DNS name, and its port.
const MAX_TEXT: usize = 262;

impl From<Gossip> for v1::Gossip {
    fn from(gossip: Gossip) -> Self {
        v1::Gossip {
            members: gossip.members.into_iter().map(v1::Member::from).collect(),
            reply_wanted: gossip.reply_wanted,
            ring_epoch: gossip.ring_tag.epoch,
            ring_digest: gossip.ring_tag.digest,
            ring: gossip.ring.as_deref().map(v1::Ring::from),
        }
    }
}

impl TryFrom<v1::Gossip> for Gossip {
    type Error = Malformed;
    fn try_from(gossip: v1::Gossip) -> Result<Self, Malformed> {
        at_most("the list of members", gossip.members.len(), MAX_TOLD)?;
        let members: Result<_, _> = gossip.members.into_iter().map(Member::try_from).collect();
        Ok(Gossip {
            members: members?,
            reply_wanted: gossip.reply_wanted,
            ring_tag: RingTag { epoch: gossip.ring_epoch, digest: gossip.ring_digest },
            ring: gossip.ring.map(Ring::try_from).transpose()?.map(Arc::new),
        })
    }
}

impl From<Member> for v1::Member {
    fn from(member: Member) -> Self {
        v1::Member {
            node: member.node.0,
            name: member.name,
            address: member.address,
            client_address: member.client_address,
            zone: member.zone,
            version: member.version,
            generation: member.generation.0,
            heartbeat: member.heartbeat,
            ring_epoch: member.ring_epoch,
            stopping: member.stopping,
        }
    }
}

impl TryFrom<v1::Member> for Member {
    type Error = Malformed;
    fn try_from(member: v1::Member) -> Result<Self, Malformed> {
        at_most("a member's name", member.name.len(), MAX_TEXT)?;
        at_most("a member's address", member.address.len(), MAX_TEXT)?;
        at_most("a member's client address", member.client_address.len(), MAX_TEXT)?;
        at_most("a member's zone", member.zone.len(), MAX_ZONE)?;
        at_most("a member's version", member.version.len(), MAX_TEXT)?;
        Ok(Member {
            node: NodeId(member.node),
            name: member.name,
            address: member.address,
            client_address: member.client_address,
            zone: member.zone,
            version: member.version,
            generation: Generation(member.generation),
            heartbeat: member.heartbeat,
            ring_epoch: member.ring_epoch,
            stopping: member.stopping,
        })
    }
}
