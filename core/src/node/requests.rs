//! How a node carries requests from their beginning to their end: it finds the
//! replicas, runs the request's machine, and does what the machine says.

use super::{Effect, Node, Note, OPS_PER_GENERATION, RESERVE, RequestKind, Token};
use crate::{
    coordinator::{
        Electorate,
        forward::{Forward, Lost},
        get::Get,
        put::{Progress, Put},
    },
    id::{Actor, Dot, NodeId, OpId},
    key::Key,
    message::{ForwardedWrite, Message, PeerOperation},
    replica::{Asker, Job, Operation, ReplicaAnswer},
    request::{Command, MAX_TIMEOUT, Refusal, Reply, Request, WriteCommand},
    store::Record,
    time::{Instant, Now},
    version::{Version, Versions, Write},
};
use rand::seq::IndexedRandom;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The most requests that a node works on at a time. One that is over it is refused at
/// once, which is kinder than to be late for all of them.
const MAX_IN_FLIGHT: usize = 10_000;

/// Who is silent for less than this is not blamed: the client was impatient.
const BLAME_AFTER: Duration = Duration::from_secs(1);

/// When this node itself comes so much too late to a deadline, it blames nobody: it may
/// have been paused, or its disk slow, and answers wait to be read.
const OWN_DELAY: Duration = Duration::from_millis(500);

/// All requests in flight.
#[derive(Default)]
pub(super) struct Requests {
    running: BTreeMap<OpId, Running>,
    deadlines: BTreeSet<(Instant, OpId)>,
}

/// A request in flight.
struct Running {
    origin: Origin,
    key: Key,
    began: Instant,
    deadline: Instant,
    machine: Machine,
}

/// Who gets the answer.
#[derive(Clone, Copy)]
enum Origin {
    Client(Token),
    Peer(NodeId, OpId),
}

enum Machine {
    Put(Put),
    Get(Get),
    Forward(Forward),
}

impl Machine {
    fn kind(&self) -> RequestKind {
        match self {
            Machine::Put(_) => RequestKind::Put,
            Machine::Get(_) => RequestKind::Get,
            Machine::Forward(_) => RequestKind::Forward,
        }
    }
}

impl Requests {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    fn insert(&mut self, id: OpId, running: Running) {
        self.deadlines.insert((running.deadline, id));
        self.running.insert(id, running);
    }

    fn remove(&mut self, id: OpId) -> Option<Running> {
        let running = self.running.remove(&id)?;
        self.deadlines.remove(&(running.deadline, id));
        Some(running)
    }
}

impl Node {
    pub(super) fn request(&mut self, now: Now, token: Token, r: Request, out: &mut Vec<Effect>) {
        let origin = Origin::Client(token);
        let began = match r.command {
            Command::Get => {
                let quorum = r.quorum.unwrap_or(self.read_quorum);
                self.begin_get(now, origin, r.key, quorum, r.timeout, out)
            }
            Command::Write(write) => {
                let quorum = r.quorum.unwrap_or(self.write_quorum);
                let write = ForwardedWrite { key: r.key, write, quorum, timeout: r.timeout };
                self.begin_write(now, origin, write, out)
            }
        };
        if let Err(refusal) = began {
            self.reply(origin, Reply::Refused(refusal), out);
        }
    }

    /// A write that another node sent here. It is not sent on: a ring on which two
    /// nodes disagree must not make it travel in circles.
    pub(super) fn forwarded(
        &mut self,
        now: Now,
        from: NodeId,
        id: OpId,
        write: ForwardedWrite,
        out: &mut Vec<Effect>,
    ) {
        let origin = Origin::Peer(from, id);
        if let Err(refusal) = self.begin_write(now, origin, write, out) {
            self.reply(origin, Reply::Refused(refusal), out);
        }
    }

    fn begin_get(
        &mut self,
        now: Now,
        origin: Origin,
        key: Key,
        quorum: usize,
        timeout: Duration,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let electorate = self.electorate(now, &key, quorum)?;
        let own = self.membership.own().node;
        let get = Get::new(own, &electorate);
        let id = self.admit(now, origin, key.clone(), timeout, Machine::Get(get));
        for node in electorate.up {
            let key = key.clone();
            out.push(if node == own {
                Effect::Replica(Job { asker: Asker::Own(id), key, operation: Operation::Read })
            } else {
                let operation = PeerOperation::Read;
                Effect::Send(node, Message::ReplicaRequest { id, key, operation })
            });
        }
        Ok(())
    }

    fn begin_write(
        &mut self,
        now: Now,
        origin: Origin,
        write: ForwardedWrite,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let ForwardedWrite { key, write, quorum, timeout } = write;
        let electorate = self.electorate(now, &key, quorum)?;
        let own = self.membership.own().node;
        if electorate.up.contains(&own) {
            let put = Put::new(own, write.request, &electorate);
            let id = self.admit(now, origin, key.clone(), timeout, Machine::Put(put));
            let operation = Operation::Write(self.version(now, write, out));
            out.push(Effect::Replica(Job { asker: Asker::Own(id), key, operation }));
            return Ok(());
        }
        let Origin::Client(_) = origin else { return Err(Refusal::NotAReplica) };
        // The load of coordinating spreads over all replicas (row Q2).
        let mut candidates = electorate.up;
        if let Some(first) = candidates.choose(&mut self.rng).copied() {
            candidates.retain(|&n| n != first);
            candidates.push(first);
        }
        let Some(forward) = Forward::new(write, quorum, candidates) else {
            return Err(Refusal::Unavailable { needed: quorum, up: 0, of: electorate.of });
        };
        let id = self.admit(now, origin, key, timeout, Machine::Forward(forward));
        self.send_forward(now, id, out);
        Ok(())
    }

    /// The replicas of a key that can be asked, if they can make the quorum and this node
    /// takes requests at all.
    fn electorate(&self, now: Now, key: &Key, needed: usize) -> Result<Electorate, Refusal> {
        let Some(ring) = &self.ring else { return Err(Refusal::NoRing) };
        if self.membership.own().stopping || self.membership.is_superseded() {
            return Err(Refusal::Stopping);
        }
        if self.requests.len() >= MAX_IN_FLIGHT {
            return Err(Refusal::Overloaded { limit: MAX_IN_FLIGHT });
        }
        let mut up = ring.primaries(ring.partition_of(key)).to_vec();
        up.retain(|&node| self.membership.is_up(node, now.instant));
        let electorate = Electorate { needed, up, of: ring.factor() };
        electorate.check()?;
        Ok(electorate)
    }

    fn admit(
        &mut self,
        now: Now,
        origin: Origin,
        key: Key,
        timeout: Duration,
        machine: Machine,
    ) -> OpId {
        let id = self.next_op;
        self.next_op = OpId(id.0 + 1);
        debug_assert!(id.0 >> OPS_PER_GENERATION == self.membership.own().generation.0);
        let deadline = now.instant + timeout.min(MAX_TIMEOUT);
        let running = Running { origin, key, began: now.instant, deadline, machine };
        self.requests.insert(id, running);
        id
    }

    /// The version that a write of this node will make, under a dot never used before.
    fn version(&mut self, now: Now, write: WriteCommand, out: &mut Vec<Effect>) -> Write {
        if self.counter == self.reserved {
            self.reserved += RESERVE;
            out.push(Effect::Persist(Record::Reserved(self.reserved)));
        }
        self.counter += 1;
        let actor = Actor { node: self.membership.own().node, incarnation: self.incarnation };
        let version = Version {
            dot: Dot { actor, counter: self.counter },
            request: write.request,
            stamp: now.wall,
            value: write.value,
        };
        Write { version, context: write.context }
    }

    /// A peer's operation on the local replica; the answer goes straight back to it.
    pub(super) fn peer_asks_replica(
        &self,
        asker: Asker,
        key: Key,
        operation: PeerOperation,
        out: &mut Vec<Effect>,
    ) {
        let operation = match operation {
            PeerOperation::Read => Operation::Read,
            PeerOperation::Merge(versions) => Operation::Merge(versions),
        };
        out.push(Effect::Replica(Job { asker, key, operation }));
    }

    pub(super) fn replica_answered(
        &mut self,
        now: Now,
        asker: Asker,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        match asker {
            Asker::Own(id) => self.answered(now, id, self.membership.own().node, answer, out),
            Asker::Peer(node, id) => {
                out.push(Effect::Send(node, Message::ReplicaResponse { id, answer }));
            }
        }
    }

    /// A replica, this node's own or a peer's, answers a request of this node.
    pub(super) fn answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        // Most answers that find nobody come after the quorum was reached.
        let Some(running) = self.requests.running.get_mut(&id) else { return };
        match &mut running.machine {
            Machine::Get(get) => {
                if let Some(result) = get.answered(from, answer) {
                    self.finish(now, id, result.into(), out);
                }
            }
            Machine::Put(put) => {
                let progress = put.answered(from, answer);
                self.advance(now, id, progress, out);
            }
            Machine::Forward(_) => {}
        }
    }

    /// Does what a put's machine says.
    fn advance(&mut self, now: Now, id: OpId, progress: Progress, out: &mut Vec<Effect>) {
        match progress {
            Progress::Waiting => {}
            Progress::Replicate { to, versions, answer } => {
                self.replicate(id, &to, &versions, out);
                if let Some(written) = answer {
                    self.finish(now, id, Reply::Written(written), out);
                }
            }
            Progress::Done(result) => {
                self.finish(now, id, result.into(), out);
            }
        }
    }

    fn replicate(&self, id: OpId, to: &[NodeId], versions: &Versions, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.running.get(&id) else { return };
        for &node in to {
            let (key, operation) = (running.key.clone(), PeerOperation::Merge(versions.clone()));
            out.push(Effect::Send(node, Message::ReplicaRequest { id, key, operation }));
        }
    }

    pub(super) fn forward_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        result: Result<crate::request::Written, Refusal>,
        out: &mut Vec<Effect>,
    ) {
        let Some(running) = self.requests.running.get_mut(&id) else { return };
        let Machine::Forward(forward) = &mut running.machine else { return };
        if forward.at() != from {
            return;
        }
        match forward.answered(result) {
            None => self.send_forward(now, id, out),
            Some(result) => {
                self.finish(now, id, result.into(), out);
            }
        }
    }

    fn send_forward(&self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.running.get(&id) else { return };
        let Machine::Forward(forward) = &running.machine else { return };
        let write = ForwardedWrite {
            key: running.key.clone(),
            write: forward.write.clone(),
            quorum: forward.quorum,
            // Less than what is left, so that the coordinator's answer, also a failure,
            // is here before the time is up.
            timeout: running.deadline.since(now.instant) * 9 / 10,
        };
        out.push(Effect::Send(forward.at(), Message::ForwardRequest { id, write }));
    }

    /// Something sent to a node failed: no request waits for it any longer.
    pub(super) fn unreachable(&mut self, now: Now, node: NodeId, out: &mut Vec<Effect>) {
        if self.membership.lose(node, now.instant) {
            out.push(Effect::Note(Note::Lost(node)));
        }
        let waiting: Vec<_> = self.requests.running.keys().copied().collect();
        for id in waiting {
            self.lost(now, id, node, out);
        }
    }

    fn lost(&mut self, now: Now, id: OpId, node: NodeId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.running.get_mut(&id) else { return };
        match &mut running.machine {
            Machine::Get(get) => {
                if let Some(result) = get.lost(node) {
                    self.finish(now, id, result.into(), out);
                }
            }
            Machine::Put(put) => {
                let progress = put.lost(node);
                self.advance(now, id, progress, out);
            }
            Machine::Forward(forward) => match forward.lost(node) {
                Lost::Nothing => {}
                Lost::AskNext => self.send_forward(now, id, out),
                Lost::Everybody(refusal) => self.finish(now, id, Reply::Refused(refusal), out),
            },
        }
    }

    /// Ends requests whose time is up. Who has said nothing at all since one of them
    /// began, and had time to, is not asked again until it is heard. It may be slow, so
    /// other requests go on waiting for it.
    pub(super) fn expire(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut silent = BTreeSet::new();
        while let Some(&(at, id)) = self.requests.deadlines.first() {
            if at > now.instant {
                break;
            }
            let Some(running) = self.requests.running.get(&id) else { break };
            let (began, mut asked) = (running.began, Vec::new());
            let refusal = match &running.machine {
                Machine::Put(put) => {
                    asked.extend(put.silent());
                    put.timed_out()
                }
                Machine::Get(get) => {
                    asked.extend(get.silent());
                    get.timed_out()
                }
                Machine::Forward(forward) => {
                    asked.push(forward.at());
                    forward.timed_out()
                }
            };
            if at.since(began) >= BLAME_AFTER && now.instant.since(at) < OWN_DELAY {
                asked.retain(|&n| self.membership.silent_since(n, began));
                silent.extend(asked);
            }
            self.finish(now, id, Reply::Refused(refusal), out);
        }
        for node in silent {
            if self.membership.lose(node, now.instant) {
                out.push(Effect::Note(Note::Lost(node)));
            }
        }
    }

    fn finish(&mut self, now: Now, id: OpId, reply: Reply, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.remove(id) else { return };
        out.push(Effect::Note(Note::Finished {
            kind: running.machine.kind(),
            ok: !matches!(reply, Reply::Refused(_)),
            took: now.instant.since(running.began),
        }));
        self.reply(running.origin, reply, out);
    }

    fn reply(&self, origin: Origin, reply: Reply, out: &mut Vec<Effect>) {
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
        }
    }
}
