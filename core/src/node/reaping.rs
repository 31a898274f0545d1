//! How a node takes part in reaping, as a member and as the reaper of the partitions of
//! which it is the first primary. See [`reap`](crate::reap) for why it is safe.

use super::{Effect, Node, Note};
use crate::{
    id::{NodeId, OpId},
    key::Key,
    message::Message,
    reap::{GRAVES, Grave, ReapRequest, ReapStep, Reaping},
    replica::{Asker, Job, ReplicaAnswer, Task},
    time::{Instant, Now, Stamp},
    version::Versions,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How often the reaper looks for tombstones.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A member that does not answer for so long ends the round.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most keys that a member pledges for at a time: those of many reapers.
const MAX_PLEDGES: usize = 64 * GRAVES;

/// What a node has pledged, and the round that it leads.
#[derive(Debug)]
pub(super) struct Reaper {
    times: Reaping,
    pledges: BTreeMap<Key, Pledge>,
    /// Where the next look begins.
    cursor: Option<Key>,
    next: Instant,
    round: Round,
    /// When this node did something last.
    awake: Instant,
}

#[derive(Debug)]
struct Pledge {
    versions: Versions,
    until: Instant,
}

#[derive(Debug)]
enum Round {
    None,
    Looking(OpId),
    /// Waits for all members to pledge or to confirm.
    Asking {
        id: OpId,
        step: ReapStep,
        /// Who has not answered.
        members: BTreeSet<NodeId>,
        left: Vec<Entry>,
        /// For which of them all others have agreed.
        agreed: Vec<bool>,
        since: Instant,
    },
    Settling {
        left: Vec<Entry>,
        until: Instant,
    },
}

/// A tombstone that may still be reaped in this round.
type Entry = (Key, Versions);

/// Who was away for so long is told things that were under way for too long: see
/// [`reap`](crate::reap).
const AWAY: Duration = Duration::from_secs(3);

impl Reaper {
    pub(super) fn new(times: Reaping) -> Self {
        let (pledges, next) = (BTreeMap::new(), Instant::default());
        Reaper { times, pledges, cursor: None, next, round: Round::None, awake: next }
    }

    /// To be called before anything else. A process that was paused, which ticks every
    /// second otherwise, has kept no pledge: what waits in its sockets may be older than
    /// any time to settle.
    pub(super) fn wake(&mut self, now: Instant) {
        if now.since(self.awake) >= AWAY {
            self.pledges.clear();
        }
        self.awake = now;
    }

    /// What a replica is to be told in place of `versions`: if there is anything that a
    /// pledged tombstone has overwritten, then with that tombstone.
    pub(super) fn absorb(&self, key: &Key, mut versions: Versions) -> Versions {
        if let Some(pledge) = self.pledges.get(key)
            && pledge.versions.has_overwritten_any_of(&versions)
        {
            versions.merge(&pledge.versions);
        }
        versions
    }

    fn keeps(&self, (key, versions): &Entry) -> bool {
        self.pledges.get(key).is_some_and(|p| p.versions == *versions)
    }
}

impl Node {
    /// To be called once a second.
    pub(super) fn reap(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.reaper.pledges.retain(|_, p| p.until > now.instant);
        match std::mem::replace(&mut self.reaper.round, Round::None) {
            Round::None if now.instant >= self.reaper.next => self.look_for_graves(now, out),
            Round::Asking { since, left, .. } if now.instant.since(since) >= PATIENCE => {
                self.give_up(now, left, out);
            }
            Round::Settling { left, until } if until <= now.instant => {
                self.ask_all(now, ReapStep::Confirm, left, out);
            }
            round => self.reaper.round = round,
        }
    }

    fn look_for_graves(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.reaper.next = now.instant + LOOK_EVERY;
        if self.everybody(now).is_none() {
            return;
        }
        let id = self.next_id();
        self.reaper.round = Round::Looking(id);
        let age = u64::try_from(self.reaper.times.after.as_millis()).unwrap_or(u64::MAX);
        let before = Stamp(now.wall.0.saturating_sub(age));
        let task = Task::Graves { after: self.reaper.cursor.take(), before };
        out.push(Effect::Replica(Job { asker: Asker::Own(id), task }));
    }

    /// All members of the ring, if they can be reached.
    fn everybody(&self, now: Now) -> Option<BTreeSet<NodeId>> {
        let ring = self.ring.as_ref()?;
        let members: BTreeSet<_> = ring.seats().iter().map(|s| s.node).collect();
        members.iter().all(|n| self.membership.is_up(*n, now.instant)).then_some(members)
    }

    /// The own replica has looked.
    pub(super) fn graves_found(
        &mut self,
        now: Now,
        id: OpId,
        answer: &ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(self.reaper.round, Round::Looking(asked) if asked == id) {
            return;
        }
        self.reaper.round = Round::None;
        let ReplicaAnswer::Records { records, next } = answer else { return };
        let Some(ring) = self.ring.clone() else { return };
        let own = self.membership.own().node;
        let first = |key| ring.primaries(ring.partition_of(key)).first();
        let ours = records.iter().filter(|(key, _)| first(key) == Some(&own));
        let mut ours: Vec<_> = ours.cloned().collect();
        self.reaper.cursor = next.clone();
        if ours.len() > GRAVES {
            ours.truncate(GRAVES);
            self.reaper.cursor = ours.last().map(|(key, _)| key.clone());
        }
        if !ours.is_empty() {
            self.ask_all(now, ReapStep::Pledge, ours, out);
        }
    }

    fn ask_all(&mut self, now: Now, step: ReapStep, left: Vec<Entry>, out: &mut Vec<Effect>) {
        let Some(members) = self.everybody(now) else {
            return self.give_up(now, left, out);
        };
        let id = self.next_id();
        let agreed = vec![true; left.len()];
        self.reaper.round = Round::Asking {
            id,
            step,
            members: members.clone(),
            left: left.clone(),
            agreed,
            since: now.instant,
        };
        self.tell_members(now, id, step, members, left, out);
    }

    fn tell_members(
        &mut self,
        now: Now,
        id: OpId,
        step: ReapStep,
        members: BTreeSet<NodeId>,
        graves: Vec<Entry>,
        out: &mut Vec<Effect>,
    ) {
        let own = self.membership.own().node;
        let request = ReapRequest { step, ring: self.ring_tag(), graves };
        for node in members {
            if node == own {
                self.reap_asked(now, Asker::Own(id), request.clone(), out);
            } else {
                let request = request.clone();
                out.push(Effect::Send(node, Message::ReapRequest { id, request }));
            }
        }
    }

    /// A member says for which of the keys it has pledged, or kept its pledge.
    pub(super) fn reap_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        says: &[bool],
        out: &mut Vec<Effect>,
    ) {
        let Round::Asking { id: asked, members, agreed, .. } = &mut self.reaper.round else {
            return;
        };
        if *asked != id || !members.remove(&from) {
            return;
        }
        let says = says.iter().copied().chain(std::iter::repeat(false));
        agreed.iter_mut().zip(says).for_each(|(all, one)| *all &= one);
        if !members.is_empty() {
            return;
        }
        let round = std::mem::replace(&mut self.reaper.round, Round::None);
        let Round::Asking { step, left, agreed, .. } = round else { return };
        let (mut both, mut rest) = (Vec::new(), Vec::new());
        for (entry, agreed) in left.into_iter().zip(agreed) {
            if agreed { &mut both } else { &mut rest }.push(entry);
        }
        self.give_up(now, rest, out);
        match step {
            _ if both.is_empty() => {}
            ReapStep::Pledge => {
                let until = now.instant + self.reaper.times.settle;
                self.reaper.round = Round::Settling { left: both, until };
            }
            _ => {
                out.push(Effect::Note(Note::Reaped { keys: both.len() }));
                let id = self.next_id();
                let members = self.members();
                self.tell_members(now, id, ReapStep::Reap, members, both, out);
            }
        }
    }

    /// Tells all members that these keys are not reaped this time.
    fn give_up(&mut self, now: Now, graves: Vec<Entry>, out: &mut Vec<Effect>) {
        if !graves.is_empty() {
            let id = self.next_id();
            let members = self.members();
            self.tell_members(now, id, ReapStep::Release, members, graves, out);
        }
    }

    fn members(&self) -> BTreeSet<NodeId> {
        self.ring.iter().flat_map(|ring| ring.seats()).map(|s| s.node).collect()
    }

    /// A reaper asks this node, as a member.
    pub(super) fn reap_asked(
        &mut self,
        now: Now,
        asker: Asker,
        request: ReapRequest,
        out: &mut Vec<Effect>,
    ) {
        let ReapRequest { step, ring, graves } = request;
        let known = ring == self.ring_tag() && graves.len() <= GRAVES;
        let ask = match step {
            _ if !known => false,
            ReapStep::Pledge => self.pledge(now, &graves),
            ReapStep::Confirm => graves.iter().all(|entry| self.reaper.keeps(entry)),
            ReapStep::Reap | ReapStep::Release => {
                graves.iter().for_each(|(key, _)| drop(self.reaper.pledges.remove(key)));
                if step == ReapStep::Reap {
                    let asker = Asker::Own(self.next_id());
                    let task = Task::Bury(self.inspected(graves));
                    out.push(Effect::Replica(Job { asker, task }));
                }
                return;
            }
        };
        if ask {
            let task = Task::Inspect(self.inspected(graves));
            out.push(Effect::Replica(Job { asker, task }));
        } else {
            self.replica_answered(now, asker, ReplicaAnswer::Inspected(Vec::new()), out);
        }
    }

    fn pledge(&mut self, now: Now, graves: &[Entry]) -> bool {
        if self.reaper.pledges.len() + graves.len() > MAX_PLEDGES {
            return false;
        }
        // Longer than any round takes.
        let until = now.instant + self.reaper.times.settle + 4 * PATIENCE;
        for (key, versions) in graves {
            let pledge = Pledge { versions: versions.clone(), until };
            self.reaper.pledges.insert(key.clone(), pledge);
        }
        true
    }

    fn inspected(&self, graves: Vec<Entry>) -> Vec<Grave> {
        let own = self.membership.own().node;
        let Some(ring) = &self.ring else { return Vec::new() };
        let grave = |(key, versions): Entry| {
            let owners = ring.primaries(ring.partition_of(&key)).to_vec();
            let is_primary = owners.contains(&own);
            Grave { key, versions, owners, is_primary }
        };
        graves.into_iter().map(grave).collect()
    }
}
