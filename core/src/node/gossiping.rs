//! How a node takes part in gossip, and comes by the ring.

use super::{Effect, Node, Note};
use crate::{
    gossip::{Gossip, Member, Partner},
    id::NodeId,
    message::Message,
    ring::{Ring, RingTag},
    store::Record,
    time::Now,
};
use std::sync::Arc;

impl Node {
    pub(super) fn gossip_round(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.membership.beat();
        for partner in self.membership.partners(now.instant, &mut self.rng) {
            match partner {
                Partner::Member(node) => self.tell(node, true, out),
                // Whoever is there may have no ring; then it says so and is sent ours.
                Partner::Seed(address) => {
                    let gossip = self.view_for(RingTag::MAX, true);
                    out.push(Effect::SendToSeed(address, Message::Gossip(gossip)));
                }
            }
        }
    }

    pub(super) fn learn(&mut self, now: Now, told: &[Member], out: &mut Vec<Effect>) {
        let before = self.membership.is_superseded();
        let new = self.membership.merge(told, now.instant);
        if self.membership.is_superseded() && !before {
            out.push(Effect::Note(Note::Superseded));
        }
        out.extend(new.into_iter().map(|node| Effect::Note(Note::Met(node))));
    }

    /// The members in it have been learnt already.
    pub(super) fn gossip(&mut self, from: NodeId, told: Gossip, out: &mut Vec<Effect>) {
        if let Some(ring) = told.ring {
            self.adopt(ring, out);
        }
        let behind = told.ring_tag < self.ring_tag();
        if told.reply_wanted || behind {
            let gossip = self.view_for(told.ring_tag, false);
            out.push(Effect::Send(from, Message::Gossip(gossip)));
        }
    }

    /// Tells everybody at once, for news that should not wait for chance.
    pub(super) fn tell_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        let others: Vec<_> = self.membership.others().map(|m| m.node).collect();
        for node in others {
            if self.membership.is_up(node, now.instant) {
                self.tell(node, false, out);
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

    fn tell(&self, node: NodeId, reply_wanted: bool, out: &mut Vec<Effect>) {
        let epoch = self.membership.get(node).map_or(0, |m| m.ring_epoch);
        // Whoever holds another ring of this epoch says so in its answer.
        let tag = RingTag { epoch, digest: u64::MAX };
        let gossip = self.view_for(tag, reply_wanted);
        out.push(Effect::Send(node, Message::Gossip(gossip)));
    }

    /// Of the ring that this node holds.
    fn ring_tag(&self) -> RingTag {
        self.ring.as_ref().map_or_else(RingTag::default, |r| r.tag())
    }

    /// What this node tells one that holds a ring of this tag.
    fn view_for(&self, theirs: RingTag, reply_wanted: bool) -> Gossip {
        let ring_tag = self.ring_tag();
        let ring = self.ring.clone().filter(|_| theirs < ring_tag);
        Gossip { members: self.membership.entries(), reply_wanted, ring_tag, ring }
    }
}
