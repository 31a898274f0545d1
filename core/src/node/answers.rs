//! How a node carries requests on when somebody answers or cannot be reached, and brings
//! them to their end.

use super::{
    Effect, Node, Note, RequestKind,
    requests::{Machine, Origin, Running},
    routing::MAX_IN_FLIGHT,
};
use crate::{
    coordinator::{forward::Fate, get::Step, put::Progress},
    id::{NodeId, OpId},
    key::Key,
    message::{Message, PeerOperation},
    quorum::Voter,
    replica::{Asker, Job, ReplicaAnswer},
    request::{Refusal, Reply, Written},
    time::{Instant, Now},
    version::Versions,
};
use std::{collections::BTreeSet, time::Duration};

/// An answered get waits so long for replies that are late, to repair those replicas too.
const REPAIR_WAIT: Duration = Duration::from_secs(1);

/// Who is silent for less than this is not blamed: the client was impatient.
const BLAME_AFTER: Duration = Duration::from_secs(1);

/// When this node itself comes so much too late to a deadline, it blames nobody: it may
/// have been paused, or its disk slow, and answers wait to be read.
const OWN_DELAY: Duration = Duration::from_millis(500);

impl Node {
    /// A peer's operation on the local replica; the answer goes straight back to it.
    pub(super) fn peer_asks_replica(
        &mut self,
        now: Now,
        asker: Asker,
        (key, stands_for): (Key, Option<NodeId>),
        operation: PeerOperation,
        out: &mut Vec<Effect>,
    ) {
        if let (Some(owner), PeerOperation::Merge { .. }) = (stands_for, &operation) {
            self.handoff.expect(owner, now.instant);
            out.push(Effect::Note(Note::Hinted(owner)));
        }
        let task = self.task(key, stands_for, operation);
        out.push(Effect::Replica(Job { asker, task }));
    }

    pub(super) fn replica_answered(
        &mut self,
        now: Now,
        asker: Asker,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        match (asker, answer) {
            (Asker::Own(id), answer) => {
                self.answered(now, id, self.membership.own().node, answer, out);
            }
            (Asker::Peer(node, id), ReplicaAnswer::Tree(answer)) => {
                out.push(Effect::Send(node, Message::TreeResponse { id, answer }));
            }
            (Asker::Peer(node, id), ReplicaAnswer::Inspected(agreed)) => {
                out.push(Effect::Send(node, Message::ReapResponse { id, agreed }));
            }
            (Asker::Peer(node, id), answer) => {
                out.push(Effect::Send(node, Message::ReplicaResponse { id, answer }));
            }
        }
    }

    /// A replica, this node's own or a peer's, answers something that this node asked.
    pub(super) fn answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        let Some(running) = self.requests.get(id) else {
            // Not of a request, or late: most answers come after the quorum was reached.
            return self.background_answered(now, id, from, answer, out);
        };
        // What comes too late changes nothing, not even replicas: see `reap`.
        if now.instant > running.deadline {
            return;
        }
        if let ReplicaAnswer::Wrote { truncated: entries @ 1.., .. } = answer {
            out.push(Effect::Note(Note::Truncated { entries }));
        }
        let is_own = from == self.membership.own().node;
        match &mut running.machine {
            Machine::Get(_) | Machine::Put(..) if answer == ReplicaAnswer::Failed && !is_own => {
                self.lost(now, id, from, true, out);
            }
            Machine::Get(_) if answer == ReplicaAnswer::Failed => {
                self.lost(now, id, from, true, out);
            }
            Machine::Get(get) => {
                let step = get.answered(from, answer);
                self.step(now, id, step, out);
            }
            Machine::Put(put, _) => {
                let progress = put.answered(from, answer);
                self.advance(now, id, progress, out);
            }
            Machine::Forward(..) => {}
        }
    }

    /// An answer to something that no request has asked.
    fn background_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        match answer {
            ReplicaAnswer::Tree(_) => self.tree_answered(now, id, from, answer, out),
            ReplicaAnswer::Inspected(agreed) => self.reap_answered(now, id, from, &agreed, out),
            answer => {
                self.tree_answered(now, id, from, answer.clone(), out);
                self.graves_found(now, id, &answer, out);
                self.scrubbed(id, &answer, out);
                self.handoff_answered(now, id, from, answer, out);
            }
        }
    }

    /// Does what a get's machine says.
    fn step(&mut self, now: Now, id: OpId, step: Step, out: &mut Vec<Effect>) {
        let Some(key) = self.requests.get(id).map(|r| r.key.clone()) else { return };
        if let Some((to, versions)) = step.write_back {
            self.bring(id, &key, to, &versions, out);
        }
        if let Some(result) = step.answer {
            self.answer(now, id, result.into(), out);
            self.requests.linger(id, now.instant + REPAIR_WAIT);
        }
        let full = self.requests.lingering() > MAX_IN_FLIGHT;
        let Some(running) = self.requests.get(id) else { return };
        let over = matches!(&running.machine, Machine::Get(get) if get.is_over());
        if over || (running.answered && full) {
            self.repair(now, id, out);
        }
    }

    /// Ends a get: read repair (row Q5).
    fn repair(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(Running { key, deadline, machine: Machine::Get(get), .. }) =
            self.requests.remove(id)
        else {
            return;
        };
        self.synced(now, id, out);
        // Who was paused meanwhile may have old news only: see `reap`.
        if now.instant.since(deadline) >= OWN_DELAY {
            return;
        }
        let (stale, versions) = get.repairs();
        if !stale.is_empty() {
            out.push(Effect::Note(Note::Repaired { replicas: stale.len() }));
            self.bring(id, &key, stale, &versions, out);
        }
    }

    /// Brings versions to primaries.
    pub(super) fn bring(
        &self,
        id: OpId,
        key: &Key,
        to: Vec<NodeId>,
        versions: &Versions,
        out: &mut Vec<Effect>,
    ) {
        for node in to {
            let operation = PeerOperation::Merge { versions: versions.clone(), sync: false };
            self.ask(id, key, Voter { node, stands_for: None }, operation, out);
        }
    }

    /// Does what a put's machine says.
    fn advance(&mut self, now: Now, id: OpId, progress: Progress, out: &mut Vec<Effect>) {
        match progress {
            Progress::Waiting => {}
            Progress::Replicate { to, versions, answer } => {
                let Some(key) = self.requests.get(id).map(|r| r.key.clone()) else { return };
                for voter in to {
                    let versions = versions.clone();
                    let operation = PeerOperation::Merge { versions, sync: false };
                    self.ask(id, &key, voter, operation, out);
                }
                if let Some(written) = answer {
                    self.finish(now, id, Reply::Written(written), out);
                }
            }
            Progress::Done(result) => self.finish(now, id, result.into(), out),
        }
    }

    pub(super) fn forward_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        result: Result<Written, Refusal>,
        out: &mut Vec<Effect>,
    ) {
        let Some(running) = self.requests.get(id) else { return };
        let Machine::Forward(forward, ..) = &mut running.machine else { return };
        if forward.at() != from {
            return;
        }
        match forward.answered(result) {
            Fate::AskNext => self.forward_again(now, id, out),
            Fate::Done(result) => self.finish(now, id, result.into(), out),
        }
    }

    /// Something sent to a node failed: no request waits for it any longer.
    pub(super) fn unreachable(&mut self, now: Now, node: NodeId, out: &mut Vec<Effect>) {
        if self.membership.lose(node, now.instant) {
            out.push(Effect::Note(Note::Lost(node)));
        }
        for id in self.requests.ids() {
            self.lost(now, id, node, false, out);
        }
        self.handoff_lost(now, node);
        self.anti_entropy.lost(node);
    }

    /// A node that may have been asked will not answer; or it has, that it cannot read its
    /// record.
    fn lost(&mut self, now: Now, id: OpId, node: NodeId, damaged: bool, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.get(id) else { return };
        if now.instant > running.deadline {
            return;
        }
        let primary = match &mut running.machine {
            Machine::Get(get) => get.failed(node, damaged),
            Machine::Put(put, _) => put.failed(node),
            Machine::Forward(forward, ..) => {
                if forward.at() == node {
                    forward.lost();
                    self.forward_again(now, id, out);
                }
                return;
            }
        };
        if let Some(primary) = primary {
            self.call_stand_in(now, id, primary, out);
        }
        self.progress(now, id, out);
    }

    /// Asks one more node, in the place of a primary.
    fn call_stand_in(&mut self, now: Now, id: OpId, primary: NodeId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.get(id) else { return };
        let key = running.key.clone();
        let vote = match &running.machine {
            Machine::Get(get) => get.vote().clone(),
            Machine::Put(put, _) => put.vote().clone(),
            Machine::Forward(..) => return,
        };
        let Some(voter) = self.stand_in(now, &key, &vote, primary) else { return };
        let Some(running) = self.requests.get(id) else { return };
        let operation = match &mut running.machine {
            Machine::Get(get) => get.stand_in(voter).then_some(PeerOperation::Read),
            Machine::Put(put, _) => {
                put.stand_in(voter).map(|versions| PeerOperation::Merge { versions, sync: false })
            }
            Machine::Forward(..) => None,
        };
        if let Some(operation) = operation {
            self.ask(id, &key, voter, operation, out);
        }
    }

    /// Looks at how a request stands, after something about its voters has changed.
    fn progress(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.get(id) else { return };
        match &mut running.machine {
            Machine::Get(get) => {
                let step = get.progress();
                self.step(now, id, step, out);
            }
            Machine::Put(put, _) => {
                let progress = put.progress();
                self.advance(now, id, progress, out);
            }
            Machine::Forward(..) => {}
        }
    }

    /// Looks at requests whose time has come: stand-ins are called for who is slow, late
    /// replies are no longer waited for, and what has not made its quorum by its deadline
    /// ends.
    ///
    /// Who has said nothing at all since one of them began, and had time to, is not asked
    /// again until it is heard. It may be slow, so other requests go on waiting for it.
    pub(super) fn expire(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut silent = BTreeSet::new();
        while let Some(id) = self.requests.next_due(now.instant) {
            let Some(running) = self.requests.get(id) else { break };
            let (began, deadline) = (running.began, running.deadline);
            if running.answered {
                self.repair(now, id, out);
            } else if now.instant < deadline {
                self.requests.postpone(id, deadline);
                self.hedge(now, id, out);
            } else {
                let asked = self.time_up(now, id, out);
                if deadline.since(began) >= BLAME_AFTER && now.instant.since(deadline) < OWN_DELAY {
                    silent.extend(asked.into_iter().filter(|n| self.is_silent(*n, began)));
                }
            }
        }
        for node in silent {
            if self.membership.lose(node, now.instant) {
                out.push(Effect::Note(Note::Lost(node)));
            }
        }
    }

    fn is_silent(&self, node: NodeId, since: Instant) -> bool {
        self.membership.silent_since(node, since)
    }

    fn hedge(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.get(id) else { return };
        let silent: Vec<_> = match &running.machine {
            Machine::Get(get) => get.vote().silent().collect(),
            Machine::Put(put, _) => put.silent().collect(),
            Machine::Forward(..) => return,
        };
        for voter in silent {
            self.call_stand_in(now, id, voter.seat(), out);
        }
    }

    /// Ends a request that did not make it. Returns who had not answered.
    fn time_up(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) -> Vec<NodeId> {
        let Some(running) = self.requests.get(id) else { return Vec::new() };
        let (refusal, silent) = match &running.machine {
            Machine::Get(get) => (get.timed_out(), get.vote().silent().map(|v| v.node).collect()),
            Machine::Put(put, _) => (put.timed_out(), put.silent().map(|v| v.node).collect()),
            Machine::Forward(forward, ..) => (forward.timed_out(), vec![forward.at()]),
        };
        self.answer(now, id, Reply::Refused(refusal), out);
        if matches!(self.requests.get(id), Some(r) if matches!(r.machine, Machine::Get(_))) {
            self.repair(now, id, out);
        }
        self.requests.remove(id);
        silent
    }

    fn finish(&mut self, now: Now, id: OpId, reply: Reply, out: &mut Vec<Effect>) {
        self.answer(now, id, reply, out);
        self.requests.remove(id);
    }

    fn answer(&mut self, now: Now, id: OpId, reply: Reply, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.get(id) else { return };
        let (origin, began, kind) = (running.origin, running.began, running.machine.kind());
        if matches!(origin, Origin::Nobody) {
            return;
        }
        // A coordinator that was asked before may have applied what this one refuses.
        let reply = match (reply, &running.machine) {
            (Reply::Refused(refusal), Machine::Put(_, Some(before))) => {
                Reply::Refused(before.refuse(refusal))
            }
            (reply, _) => reply,
        };
        self.note_finished(now, kind, began, !matches!(reply, Reply::Refused(_)), out);
        self.reply(origin, reply, out);
    }

    pub(super) fn note_finished(
        &mut self,
        now: Now,
        kind: RequestKind,
        began: Instant,
        ok: bool,
        out: &mut Vec<Effect>,
    ) {
        let took = now.instant.since(began);
        self.pace.observe(took);
        out.push(Effect::Note(Note::Finished { kind, ok, took }));
    }

    pub(super) fn reply(&self, origin: Origin, reply: Reply, out: &mut Vec<Effect>) {
        match (origin, reply) {
            (Origin::Client(token), reply) => out.push(Effect::Reply(token, reply)),
            (Origin::Peer(node, id), Reply::Written(written)) => {
                let result = Ok(written);
                out.push(Effect::Send(node, Message::ForwardResponse { id, result }));
            }
            (Origin::Peer(node, id), Reply::Refused(refusal)) => {
                let result = Err(refusal);
                out.push(Effect::Send(node, Message::ForwardResponse { id, result }));
            }
            (Origin::Peer(..), Reply::Got(_)) => unreachable!("gets are not forwarded"),
            (Origin::Nobody, _) => {}
        }
    }
}
