//! Hinted handoff (paper, section 4.6): what this node holds for others goes to them once
//! they can be reached, and is dropped here only when they have it on disk.
//!
//! ```text
//! Waiting ── owner is up ──▶ Reading ── a page of hints ──▶ Sending ── all answered ──▶ Reading …
//!    ▲                          └── nothing is left ──▶ done            │
//!    └───────── owner is lost, or too slow, or failed some ◀────────────┘
//! ```
//!
//! A hint is removed only if it still is what its owner has acknowledged: one that has
//! grown in the meantime goes once more. After a restart all owners are found on disk
//! again. That hints arrive is an optimisation: anti-entropy would bring the same.

use super::{Effect, Node, Note};
use crate::{
    id::{NodeId, OpId},
    key::Key,
    message::{Message, PeerOperation},
    replica::{Asker, Job, Operation, ReplicaAnswer, Task},
    store::Place,
    time::{Instant, Now},
    version::Versions,
};
use std::{collections::BTreeMap, time::Duration};

/// An owner that does not answer for so long is left alone for a while.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which is so long.
const REST: Duration = Duration::from_secs(5);

/// Whose hints this node has, and how far their delivery has come.
#[derive(Debug, Default)]
pub(super) struct Handoff {
    owners: BTreeMap<NodeId, Delivery>,
    /// Whose turn an answer belongs to.
    asked: BTreeMap<OpId, NodeId>,
    /// The disk was asked whose hints there are.
    began: bool,
}

#[derive(Debug)]
struct Delivery {
    stage: Stage,
    /// A hint was stored since the first page was read.
    grown: bool,
    /// A hint of this pass was not taken.
    failed: bool,
    delivered: usize,
}

#[derive(Debug)]
enum Stage {
    Waiting { until: Instant },
    Reading { first: bool },
    Sending { next: Option<Key>, under_way: BTreeMap<OpId, (Key, Versions)>, since: Instant },
}

impl Handoff {
    /// A hint for a node is about to be stored.
    pub(super) fn expect(&mut self, owner: NodeId, now: Instant) {
        let stage = Stage::Waiting { until: now };
        let fresh = Delivery { stage, grown: false, failed: false, delivered: 0 };
        self.owners.entry(owner).or_insert(fresh).grown = true;
    }

    /// For how many nodes there are, or may be, hints.
    pub(super) fn owners(&self) -> usize {
        self.owners.len()
    }

    /// Whether anything is being delivered.
    pub(super) fn is_busy(&self) -> bool {
        self.owners.values().any(|d| matches!(d.stage, Stage::Sending { .. }))
    }

    fn rest(&mut self, owner: NodeId, until: Instant) {
        self.asked.retain(|_, o| *o != owner);
        if let Some(delivery) = self.owners.get_mut(&owner) {
            delivery.stage = Stage::Waiting { until };
        }
    }
}

impl Node {
    /// To be called once a second.
    pub(super) fn hand_off(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !std::mem::replace(&mut self.handoff.began, true) {
            let asker = Asker::Own(self.next_id());
            out.push(Effect::Replica(Job { asker, task: Task::Owners }));
        }
        let late = |d: &Delivery| match d.stage {
            Stage::Sending { since, .. } => now.instant.since(since) >= PATIENCE,
            _ => false,
        };
        let owners = &self.handoff.owners;
        let late: Vec<_> = owners.iter().filter(|(_, d)| late(d)).map(|(o, _)| *o).collect();
        for owner in late {
            self.handoff.rest(owner, now.instant + REST);
        }
        let due =
            |d: &Delivery| matches!(d.stage, Stage::Waiting { until } if until <= now.instant);
        let owners = self.handoff.owners.iter().filter(|(_, d)| due(d)).map(|(o, _)| *o);
        let up = |owner: &NodeId| self.membership.is_up(*owner, now.instant);
        for owner in owners.filter(up).collect::<Vec<_>>() {
            if let Some(delivery) = self.handoff.owners.get_mut(&owner) {
                (delivery.grown, delivery.failed) = (false, false);
            }
            self.read_hints(owner, None, out);
        }
    }

    fn read_hints(&mut self, owner: NodeId, after: Option<Key>, out: &mut Vec<Effect>) {
        let id = self.next_id();
        let Some(delivery) = self.handoff.owners.get_mut(&owner) else { return };
        delivery.stage = Stage::Reading { first: after.is_none() };
        self.handoff.asked.insert(id, owner);
        let task = Task::Hints { owner, after, limit: self.pace.window() };
        out.push(Effect::Replica(Job { asker: Asker::Own(id), task }));
    }

    /// An answer that belongs to no request.
    pub(super) fn handoff_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        if let ReplicaAnswer::Owners(owners) = answer {
            owners.into_iter().for_each(|owner| self.handoff.expect(owner, now.instant));
            return;
        }
        let Some(owner) = self.handoff.asked.remove(&id) else { return };
        let Some(delivery) = self.handoff.owners.get_mut(&owner) else { return };
        match (answer, &mut delivery.stage) {
            (ReplicaAnswer::Records { records, next }, Stage::Reading { first }) => {
                let nothing = records.is_empty() && next.is_none();
                match (nothing, *first) {
                    (true, true) if !delivery.grown => {
                        let delivered = delivery.delivered;
                        self.handoff.owners.remove(&owner);
                        out.push(Effect::Note(Note::HandedOff { owner, delivered }));
                    }
                    (true, _) => self.next_pass(owner, now),
                    (false, _) => self.send_hints(now, owner, records, next, out),
                }
            }
            (answer, Stage::Sending { under_way, .. }) if from == owner => {
                let Some((key, versions)) = under_way.remove(&id) else { return };
                if answer == (ReplicaAnswer::Merged { durable: true }) {
                    delivery.delivered += 1;
                    let (place, operation) = (Place::Hint(owner), Operation::Forget(versions));
                    let task = Task::One { key, place, operation };
                    let asker = Asker::Own(self.next_id());
                    out.push(Effect::Replica(Job { asker, task }));
                } else {
                    delivery.failed = true;
                }
                self.sent(now, owner, out);
            }
            _ => self.handoff.rest(owner, now.instant + REST),
        }
    }

    fn send_hints(
        &mut self,
        now: Now,
        owner: NodeId,
        records: Vec<(Key, Versions)>,
        next: Option<Key>,
        out: &mut Vec<Effect>,
    ) {
        let mut under_way = BTreeMap::new();
        for (key, versions) in records {
            let id = self.next_id();
            self.handoff.asked.insert(id, owner);
            under_way.insert(id, (key.clone(), versions.clone()));
            let operation = PeerOperation::Merge { versions, sync: true };
            let message = Message::ReplicaRequest { id, key, stands_for: None, operation };
            out.push(Effect::Send(owner, message));
        }
        if let Some(delivery) = self.handoff.owners.get_mut(&owner) {
            delivery.stage = Stage::Sending { next, under_way, since: now.instant };
        }
        self.sent(now, owner, out);
    }

    /// Goes on when all of a page was answered.
    fn sent(&mut self, now: Now, owner: NodeId, out: &mut Vec<Effect>) {
        let Some(delivery) = self.handoff.owners.get(&owner) else { return };
        let Stage::Sending { next, under_way, .. } = &delivery.stage else { return };
        if !under_way.is_empty() {
            return;
        }
        match next.clone() {
            Some(after) => self.read_hints(owner, Some(after), out),
            None => self.next_pass(owner, now),
        }
    }

    /// The last page was dealt with. Another look finds what was stored meanwhile, or
    /// nothing.
    fn next_pass(&mut self, owner: NodeId, now: Now) {
        let failed = self.handoff.owners.get(&owner).is_some_and(|d| d.failed);
        let rest = if failed { REST } else { Duration::ZERO };
        self.handoff.rest(owner, now.instant + rest);
    }

    /// A node cannot be reached.
    pub(super) fn handoff_lost(&mut self, now: Now, node: NodeId) {
        if self.handoff.owners.contains_key(&node) {
            self.handoff.rest(node, now.instant);
        }
    }
}
