//! How a node takes part in gossip, and comes by the ring.

use super::{Effect, Node, Note};
use crate::{
    gossip::{Gossip, Partner, Stage},
    id::NodeId,
    message::Message,
    ring::{Ring, RingTag},
    store::Record,
    time::Now,
};
use std::sync::Arc;

impl Node {
    pub(super) fn gossip_round(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.membership.beat(now.instant);
        for partner in self.membership.partners(now.instant, &mut self.rng) {
            match partner {
                Partner::Member(node) => self.open_round(node, out),
                // Whoever is there may have no ring; then it says so and is sent ours.
                Partner::Seed(address) => {
                    let digest = self.membership.digest(&mut self.rng);
                    let gossip = self.gossip_for(RingTag::MAX, digest);
                    out.push(Effect::SendToSeed(address, Message::Gossip(gossip)));
                }
            }
        }
    }

    /// Takes in what is told of members.
    pub(super) fn learn(&mut self, now: Now, told: &Gossip, out: &mut Vec<Effect>) {
        let before = self.membership.is_superseded();
        let new = self.membership.merge(told.stage.entries(), now.instant);
        self.membership.merge_pulses(told.stage.pulses(), now.instant);
        if self.membership.is_superseded() && !before {
            out.push(Effect::Note(Note::Superseded));
        }
        out.extend(new.into_iter().map(|node| Effect::Note(Note::Met(node))));
    }

    /// What is told of members has been learnt already.
    pub(super) fn gossip(&mut self, from: NodeId, told: Gossip, out: &mut Vec<Effect>) {
        if let Some(ring) = told.ring {
            self.adopt(ring, out);
        }
        let behind = told.ring_tag < self.ring_tag();
        let reply = self.membership.reply_to(&told.stage, &mut self.rng);
        if let Some(stage) = reply.or_else(|| behind.then(|| self.membership.announcement())) {
            let gossip = self.gossip_for(told.ring_tag, stage);
            out.push(Effect::Send(from, Message::Gossip(gossip)));
        }
        for stranger in self.membership.strangers() {
            self.open_round(stranger, out);
        }
    }

    /// Tells everybody at once, for news that should not wait for chance.
    pub(super) fn tell_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        let others: Vec<_> = self.membership.others().map(|m| m.node).collect();
        for node in others {
            if self.membership.is_up(node, now.instant) {
                self.tell(node, self.membership.announcement(), out);
            }
        }
    }

    /// Keeps the greater ring. Returns whether it was news.
    pub(super) fn adopt(&mut self, ring: Arc<Ring>, out: &mut Vec<Effect>) -> bool {
        if self.ring.as_ref().is_some_and(|held| *held >= ring) {
            return false;
        }
        out.push(Effect::Persist(Record::Ring(ring.clone())));
        out.push(Effect::Note(Note::RingAdopted { epoch: ring.epoch() }));
        self.membership.hold_ring(ring.epoch());
        self.ring = Some(ring);
        true
    }

    /// Of the ring that this node holds; 0 for none.
    pub(super) fn ring_epoch(&self) -> u64 {
        self.ring.as_ref().map_or(0, |r| r.epoch())
    }

    fn open_round(&mut self, node: NodeId, out: &mut Vec<Effect>) {
        let digest = self.membership.digest(&mut self.rng);
        self.tell(node, digest, out);
    }

    fn tell(&self, node: NodeId, stage: Stage, out: &mut Vec<Effect>) {
        let epoch = self.membership.get(node).map_or(0, |m| m.ring_epoch);
        // Whoever holds another ring of this epoch says so in its answer.
        let tag = RingTag { epoch, digest: u64::MAX };
        let gossip = self.gossip_for(tag, stage);
        out.push(Effect::Send(node, Message::Gossip(gossip)));
    }

    /// Of the ring that this node holds.
    pub(super) fn ring_tag(&self) -> RingTag {
        self.ring.as_ref().map_or_else(RingTag::default, |r| r.tag())
    }

    /// What is said to one that holds a ring of this tag.
    fn gossip_for(&self, theirs: RingTag, stage: Stage) -> Gossip {
        let ring_tag = self.ring_tag();
        let ring = self.ring.clone().filter(|_| theirs < ring_tag);
        Gossip { stage, ring_tag, ring }
    }
}
