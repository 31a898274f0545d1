//! Gossip: its stages, entries and pulses.

use crate::{
    Malformed,
    malformed::{at_most, need},
    v1::{self, gossip::Stage as Wire},
};
use dynamo_core::{
    gossip::{Entry, Gossip, MAX_ENTRIES, MAX_PULSES, MAX_SUSPECTS, Member, Pulse, Stage},
    id::{Generation, NodeId},
    ring::{MAX_ZONE, Ring, RingTag},
};
use std::sync::Arc;

/// The longest name, address or version, in bytes: that of a DNS name, and its port.
const MAX_TEXT: usize = 262;

impl From<Gossip> for v1::Gossip {
    fn from(gossip: Gossip) -> Self {
        v1::Gossip {
            stage: Some(gossip.stage.into()),
            ring_epoch: gossip.ring_tag.epoch,
            ring_digest: gossip.ring_tag.digest,
            ring: gossip.ring.as_deref().map(v1::Ring::from),
        }
    }
}

impl TryFrom<v1::Gossip> for Gossip {
    type Error = Malformed;
    fn try_from(gossip: v1::Gossip) -> Result<Self, Malformed> {
        Ok(Gossip {
            stage: need(gossip.stage, "the stage of gossip")?.try_into()?,
            ring_tag: RingTag { epoch: gossip.ring_epoch, digest: gossip.ring_digest },
            ring: gossip.ring.map(Ring::try_from).transpose()?.map(Arc::new),
        })
    }
}

impl From<Stage> for Wire {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Digest { own, known } => {
                Wire::Digest(v1::Digest { own: Some((*own).into()), known: columns(&known) })
            }
            Stage::Answer { pulses, entries, wanted } => Wire::Answer(v1::Answer {
                pulses: columns(&pulses),
                entries: entries.into_iter().map(v1::Entry::from).collect(),
                wanted: wanted.into_iter().map(|n| n.0).collect(),
            }),
            Stage::Entries(entries) => Wire::Entries(v1::Entries {
                entries: entries.into_iter().map(v1::Entry::from).collect(),
            }),
        }
    }
}

impl TryFrom<Wire> for Stage {
    type Error = Malformed;
    fn try_from(stage: Wire) -> Result<Self, Malformed> {
        Ok(match stage {
            Wire::Digest(v1::Digest { own, known }) => Stage::Digest {
                own: Box::new(need(own, "the own entry of a digest")?.try_into()?),
                known: rows(known)?,
            },
            Wire::Answer(v1::Answer { pulses, entries, wanted }) => {
                at_most("the list of wanted entries", wanted.len(), MAX_ENTRIES)?;
                Stage::Answer {
                    pulses: rows(pulses)?,
                    entries: all(entries)?,
                    wanted: wanted.into_iter().map(NodeId).collect(),
                }
            }
            Wire::Entries(v1::Entries { entries }) => Stage::Entries(all(entries)?),
        })
    }
}

fn all(entries: Vec<v1::Entry>) -> Result<Vec<Entry>, Malformed> {
    at_most("the list of entries", entries.len(), MAX_ENTRIES)?;
    entries.into_iter().map(Entry::try_from).collect()
}

/// None is written as nothing.
fn columns(pulses: &[Pulse]) -> Option<v1::Pulses> {
    (!pulses.is_empty()).then(|| v1::Pulses {
        nodes: pulses.iter().map(|p| p.node.0).collect(),
        generations: pulses.iter().map(|p| p.generation.0).collect(),
        heartbeats: pulses.iter().map(|p| p.heartbeat).collect(),
        changed: pulses.iter().map(|p| p.changed).collect(),
    })
}

fn rows(pulses: Option<v1::Pulses>) -> Result<Vec<Pulse>, Malformed> {
    let v1::Pulses { nodes, generations, heartbeats, changed } = pulses.unwrap_or_default();
    at_most("the list of pulses", nodes.len(), MAX_PULSES)?;
    if [&generations, &heartbeats, &changed].iter().any(|column| column.len() != nodes.len()) {
        return Err(Malformed::Value("the columns of pulses have different lengths"));
    }
    let numbers = generations.into_iter().zip(heartbeats).zip(changed);
    let row = |(node, ((generation, heartbeat), changed)): (u64, ((u64, u64), u64))| Pulse {
        node: NodeId(node),
        generation: Generation(generation),
        heartbeat,
        changed,
    };
    Ok(nodes.into_iter().zip(numbers).map(row).collect())
}

impl From<Entry> for v1::Entry {
    fn from(entry: Entry) -> Self {
        v1::Entry {
            member: Some(entry.member.into()),
            changed: entry.changed,
            suspects: entry.suspects.into_iter().map(|n| n.0).collect(),
        }
    }
}

impl TryFrom<v1::Entry> for Entry {
    type Error = Malformed;
    fn try_from(entry: v1::Entry) -> Result<Self, Malformed> {
        at_most("the list of suspects", entry.suspects.len(), MAX_SUSPECTS)?;
        Ok(Entry {
            member: need(entry.member, "the member of an entry")?.try_into()?,
            changed: entry.changed,
            suspects: entry.suspects.into_iter().map(NodeId).collect(),
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
