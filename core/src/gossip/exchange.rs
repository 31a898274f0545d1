//! A round of gossip: with whom, and what is said.

use super::{Entry, MAX_ENTRIES, MAX_PULSES, Membership, Pulse, Stage, membership::Peer};
use crate::{
    id::{Generation, NodeId},
    time::Instant,
};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// In its first rounds a node is fresh: it greets whom it hears of.
const FRESH_ROUNDS: u64 = 3;

/// In its first minute, and whenever it sees nobody, a node asks a seed in every round,
/// later in one of so many: a seed that is no member's address, such as the name of a
/// headless service, is asked for ever.
const SEED_ROUNDS: u64 = 60;
const SEED_EVERY: u64 = 10;

/// How many strangers a fresh node greets in all. A small cluster is met at once; a large
/// one must survive that all of its nodes start together, and its news comes as soon.
const GREETINGS: usize = 32;

/// With whom a round is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partner {
    /// A member.
    Member(NodeId),
    /// Whoever is at this address.
    Seed(String),
}

impl Membership {
    /// Whom to tell in this round: a random member, a random one of those that cannot
    /// be reached, so that their return is noticed soon and a split heals although
    /// nobody on one side knows a seed, and a random seed that is not the address of a
    /// member that is up.
    pub fn partners(&self, now: Instant, rng: &mut impl Rng) -> Vec<Partner> {
        let (up, down): (Vec<_>, Vec<_>) =
            self.peers.keys().copied().partition(|&n| self.is_up(n, now));
        let covers = |n: &NodeId, seed: &str| self.peers[n].entry.member.address == seed;
        let uncovered = |seed: &&String| !up.iter().any(|n| covers(n, seed));
        let heartbeat = self.own.member.heartbeat;
        let is_seed_round = heartbeat < SEED_ROUNDS || heartbeat.is_multiple_of(SEED_EVERY);
        let seeds: Vec<_> = match up.is_empty() || is_seed_round {
            true => self.seeds.iter().filter(uncovered).collect(),
            false => Vec::new(),
        };
        let mut partners = Vec::new();
        partners.extend(pick(&up, rng).map(|&n| Partner::Member(n)));
        partners.extend(pick(&down, rng).map(|&n| Partner::Member(n)));
        partners.extend(pick(&seeds, rng).map(|&s| Partner::Seed(s.clone())));
        partners
    }

    /// Members that a fresh node has only heard of and not yet greeted. Each is named
    /// once. None, when this node is not fresh: then others are news to it, which
    /// can wait for their next heartbeat, and they are spared a thousand greetings.
    pub fn strangers(&mut self) -> Vec<NodeId> {
        if self.own.member.heartbeat > FRESH_ROUNDS {
            return Vec::new();
        }
        let left = GREETINGS.saturating_sub(self.greeted.len());
        let is_stranger = |(_, p): &(_, &Peer)| !p.proven;
        let strangers = self.peers.iter().filter(is_stranger).map(|(&node, _)| node);
        let fresh = strangers.filter(|node| !self.greeted.contains(node));
        let chosen: Vec<_> = fresh.take(left).collect();
        self.greeted.extend(&chosen);
        chosen
    }

    /// Opens a round.
    pub fn digest(&self, rng: &mut impl Rng) -> Stage {
        let known = self.peers.values().map(|p| p.entry.pulse()).collect();
        Stage::Digest { own: Box::new(self.own.clone()), known: at_most(MAX_PULSES, known, rng) }
    }

    /// This node's own entry alone, for news that should not wait for a round.
    pub fn announcement(&self) -> Stage {
        Stage::Entries(vec![self.own.clone()])
    }

    /// What is said to a message, if anything. Its news has been taken in already.
    pub fn reply_to(&self, told: &Stage, rng: &mut impl Rng) -> Option<Stage> {
        match told {
            Stage::Digest { own, known } => Some(self.answer(own.pulse(), known, rng)),
            Stage::Answer { wanted, .. } => {
                let wanted = &wanted[..wanted.len().min(MAX_ENTRIES)];
                let entries: Vec<_> =
                    wanted.iter().filter_map(|&n| self.entry(n)).cloned().collect();
                (!entries.is_empty()).then_some(Stage::Entries(entries))
            }
            Stage::Entries(_) => None,
        }
    }

    fn answer(&self, opener: Pulse, known: &[Pulse], rng: &mut impl Rng) -> Stage {
        let told: BTreeMap<NodeId, (Generation, u64)> =
            known.iter().chain([&opener]).map(|p| (p.node, p.age())).collect();
        let (mut pulses, mut lacking) = (Vec::new(), Vec::new());
        let mut own: Option<&Entry> = None;
        for entry in self.all() {
            let pulse = entry.pulse();
            match told.get(&pulse.node) {
                Some(&age) if age >= pulse.age() => {}
                Some(&age) if pulse.is_all_that_lacks(age) => pulses.push(pulse),
                _ if pulse.node == self.own.member.node => own = Some(entry),
                _ => lacking.push(entry),
            }
        }
        // A stranger must have the sender's own, or it takes nothing from it.
        let room = MAX_ENTRIES - usize::from(own.is_some());
        let chosen = at_most(room, lacking, rng);
        let entries = own.into_iter().chain(chosen).cloned().collect();
        let is_ahead = |p: &&Pulse| self.entry(p.node).is_none_or(|e| p.age() > e.member.age());
        let others = known.iter().filter(|p| p.node != self.own.member.node);
        let wanted = others.filter(is_ahead).map(|p| p.node).collect();
        Stage::Answer { pulses, entries, wanted: at_most(MAX_ENTRIES, wanted, rng) }
    }
}

/// All of them, or so many in a row from a random place on: what is left out now comes
/// in another round.
fn at_most<T>(limit: usize, mut all: Vec<T>, rng: &mut impl Rng) -> Vec<T> {
    if all.len() > limit {
        let first = rng.random_range(0..all.len());
        all.rotate_left(first);
        all.truncate(limit);
    }
    all
}

fn pick<'a, T>(from: &'a [T], rng: &mut impl Rng) -> Option<&'a T> {
    if from.is_empty() { None } else { from.get(rng.random_range(0..from.len())) }
}
