//! How a node takes requests up: it finds who is asked, starts the request's machine, and
//! sends its first messages.

use super::{Effect, Node, Note, OPS_PER_GENERATION, RESERVE, RequestKind, Token};
use crate::{
    coordinator::{Electorate, forward::Forward, get::Get, put::Put},
    id::{NodeId, OpId},
    key::Key,
    message::{ForwardedWrite, Message, PeerOperation},
    quorum::Voter,
    replica::{self, Asker, Draft, Job, Operation, Task},
    request::{Command, MAX_TIMEOUT, Refusal, Reply, Request, Wanted, WriteCommand},
    store::{Place, Record},
    time::{Instant, Now},
};
use rand::seq::IteratorRandom;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Whoever is silent for so long gets a stand-in, while it is still waited for. Long
/// beside any healthy answer, short beside any time-out.
const HEDGE_AFTER: Duration = Duration::from_millis(300);

/// All requests in flight, and answered gets that still wait for late replies.
#[derive(Default)]
pub(super) struct Requests {
    running: BTreeMap<OpId, Running>,
    /// When each of them is to be looked at next.
    due: BTreeSet<(Instant, OpId)>,
    in_flight: usize,
}

/// A request.
pub(super) struct Running {
    pub(super) origin: Origin,
    pub(super) key: Key,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    due: Instant,
    pub(super) answered: bool,
    pub(super) machine: Machine,
}

/// Who gets the answer.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Client(Token),
    Peer(NodeId, OpId),
    /// It is this node's own business.
    Nobody,
}

pub(super) enum Machine {
    Get(Get),
    /// With the forward that came before it, if it was forwarded in vain.
    Put(Put, Option<Forward>),
    Forward(Forward, WriteCommand, Wanted),
}

impl Machine {
    pub(super) fn kind(&self) -> RequestKind {
        match self {
            Machine::Get(_) => RequestKind::Get,
            Machine::Put(..) => RequestKind::Put,
            Machine::Forward(..) => RequestKind::Forward,
        }
    }
}

impl Requests {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Those that are not answered.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Those that are answered and wait for late replies.
    pub(super) fn lingering(&self) -> usize {
        self.running.len() - self.in_flight
    }

    pub(super) fn get(&mut self, id: OpId) -> Option<&mut Running> {
        self.running.get_mut(&id)
    }

    pub(super) fn ids(&self) -> Vec<OpId> {
        self.running.keys().copied().collect()
    }

    fn insert(&mut self, id: OpId, running: Running) {
        self.due.insert((running.due, id));
        self.in_flight += usize::from(!running.answered);
        self.running.insert(id, running);
    }

    pub(super) fn remove(&mut self, id: OpId) -> Option<Running> {
        let running = self.running.remove(&id)?;
        self.due.remove(&(running.due, id));
        self.in_flight -= usize::from(!running.answered);
        Some(running)
    }

    /// One whose time has come, the earliest first.
    pub(super) fn next_due(&self, now: Instant) -> Option<OpId> {
        self.due.first().filter(|(at, _)| *at <= now).map(|&(_, id)| id)
    }

    /// It is looked at again then.
    pub(super) fn postpone(&mut self, id: OpId, due: Instant) {
        let Some(running) = self.running.get_mut(&id) else { return };
        self.due.remove(&(running.due, id));
        running.due = due;
        self.due.insert((due, id));
    }

    /// Its client has the answer, but late replies are welcome until then.
    pub(super) fn linger(&mut self, id: OpId, until: Instant) {
        let Some(running) = self.running.get_mut(&id) else { return };
        self.in_flight -= usize::from(!std::mem::replace(&mut running.answered, true));
        let until = until.min(running.deadline);
        self.postpone(id, until);
    }
}

/// A write, on its way to a coordinator, and what its client may expect.
struct Errand {
    origin: Origin,
    key: Key,
    write: WriteCommand,
    wanted: Wanted,
    began: Instant,
    deadline: Instant,
}

impl Node {
    pub(super) fn request(&mut self, now: Now, token: Token, r: Request, out: &mut Vec<Effect>) {
        let origin = Origin::Client(token);
        let deadline = now.instant + r.timeout.min(MAX_TIMEOUT);
        let began = match r.command {
            Command::Get => self.begin_get(now, origin, (r.key, r.wanted), deadline, out),
            Command::Write(write) => {
                let (key, wanted, began) = (r.key, r.wanted, now.instant);
                let errand = Errand { origin, key, write, wanted, began, deadline };
                self.begin_write(now, errand, None, out)
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
        forwarded: ForwardedWrite,
        out: &mut Vec<Effect>,
    ) {
        let ForwardedWrite { key, write, wanted, timeout } = forwarded;
        let (origin, began) = (Origin::Peer(from, id), now.instant);
        let deadline = now.instant + timeout.min(MAX_TIMEOUT);
        let errand = Errand { origin, key, write, wanted, began, deadline };
        if let Err(refusal) = self.begin_write(now, errand, None, out) {
            self.reply(origin, Reply::Refused(refusal), out);
        }
    }

    fn begin_get(
        &mut self,
        now: Now,
        origin: Origin,
        (key, wanted): (Key, Wanted),
        deadline: Instant,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let quorums = (self.read_quorum, self.write_quorum);
        let electorate = self.electorate(now, &key, wanted, quorums)?;
        let own = self.membership.own().node;
        let write_back = wanted.strict.then_some(self.write_quorum);
        let get = Get::new(own, &electorate, write_back);
        let id = self.admit(origin, key.clone(), (now.instant, deadline), Machine::Get(get));
        for voter in electorate.voters {
            self.ask(id, &key, voter, PeerOperation::Read, out);
        }
        Ok(())
    }

    /// Coordinates the write or sends it to a node that can. `before` is how it was forwarded
    /// in vain so far.
    fn begin_write(
        &mut self,
        now: Now,
        errand: Errand,
        before: Option<Forward>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let quorums = (self.write_quorum, self.read_quorum);
        let mut electorate = self.electorate(now, &errand.key, errand.wanted, quorums)?;
        let own = self.membership.own().node;
        if electorate.voter(own).is_some() {
            self.coordinate(now, errand, before, &electorate, out);
            return Ok(());
        }
        let Origin::Client(_) = errand.origin else { return Err(Refusal::NotAReplica) };
        let tried = |n: NodeId| before.as_ref().is_some_and(|f| f.has_tried(n));
        let candidates = electorate.voters.iter().map(|v| v.node).filter(|n| !tried(*n));
        // Who answered the read fastest; else the load of coordinating spreads (row Q2).
        let fastest = candidates.clone().find(|n| errand.write.context.fastest() == Some(*n));
        let Some(at) = fastest.or_else(|| candidates.choose(&mut self.rng)) else {
            let needed = electorate.quorum.total;
            let nobody = Refusal::Unavailable { needed, up: 0, of: electorate.of };
            if errand.wanted.strict {
                return Err(nobody);
            }
            self.step_in(&mut electorate).ok_or(nobody)?;
            self.coordinate(now, errand, before, &electorate, out);
            return Ok(());
        };
        let Errand { origin, key, write, mut wanted, began, deadline } = errand;
        wanted.total = Some(electorate.quorum.total);
        let forward = Forward::new(at, before, electorate.quorum.total);
        let machine = Machine::Forward(forward, write.clone(), wanted);
        let id = self.admit(origin, key.clone(), (began, deadline), machine);
        // Less than what is left, so that the coordinator's answer, also a failure, is here
        // before the time is up.
        let timeout = deadline.since(now.instant) * 9 / 10;
        let write = ForwardedWrite { key, write, wanted, timeout };
        out.push(Effect::Send(at, Message::ForwardRequest { id, write }));
        Ok(())
    }

    /// The coordinator that was asked will not do it: on to the next.
    pub(super) fn forward_again(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(running) = self.requests.remove(id) else { return };
        let Running { origin, key, began, deadline, machine, .. } = running;
        let Machine::Forward(forward, write, wanted) = machine else { return };
        let errand = Errand { origin, key, write, wanted, began, deadline };
        if let Err(refusal) = self.begin_write(now, errand, Some(forward.clone()), out) {
            self.note_finished(now, RequestKind::Forward, began, false, out);
            self.reply(origin, Reply::Refused(forward.refuse(refusal)), out);
        }
    }

    /// Makes the version on the own replica, and starts the machine that sees to the rest.
    fn coordinate(
        &mut self,
        now: Now,
        errand: Errand,
        before: Option<Forward>,
        electorate: &Electorate,
        out: &mut Vec<Effect>,
    ) {
        let own = self.membership.own().node;
        let Some(Voter { stands_for, .. }) = electorate.voter(own) else { return };
        let Errand { origin, key, write, began, deadline, .. } = errand;
        let put = Put::new(own, write.request, electorate);
        let machine = Machine::Put(put, before);
        let id = self.admit(origin, key.clone(), (began, deadline), machine);
        if let Some(owner) = stands_for {
            self.handoff.expect(owner, now.instant);
            out.push(Effect::Note(Note::Hinted(owner)));
        }
        let operation = Operation::Write(self.draft(now, write, out));
        let task = Task::One { key, place: replica::place(stands_for), operation };
        out.push(Effect::Replica(Job { asker: Asker::Own(id), task }));
    }

    pub(super) fn admit(
        &mut self,
        origin: Origin,
        key: Key,
        (began, deadline): (Instant, Instant),
        machine: Machine,
    ) -> OpId {
        let id = self.next_id();
        let answered = matches!(origin, Origin::Nobody);
        let hedge = match machine {
            _ if answered => deadline,
            Machine::Forward(..) => deadline,
            _ => began + HEDGE_AFTER.min(deadline.since(began) / 3),
        };
        let due = hedge.min(deadline);
        let running = Running { origin, key, began, deadline, due, answered, machine };
        self.requests.insert(id, running);
        id
    }

    /// A name for something that this node does and waits for.
    pub(super) fn next_id(&mut self) -> OpId {
        let id = self.next_op;
        self.next_op = OpId(id.0 + 1);
        debug_assert!(id.0 >> OPS_PER_GENERATION == self.membership.own().generation.0);
        id
    }

    /// The version that a write of this node will make, under a dot never used before.
    fn draft(&mut self, now: Now, write: WriteCommand, out: &mut Vec<Effect>) -> Draft {
        if self.counter == self.reserved {
            self.reserved += RESERVE;
            out.push(Effect::Persist(Record::Reserved(self.reserved)));
        }
        self.counter += 1;
        Draft {
            node: self.membership.own().node,
            incarnation: self.incarnation,
            counter: self.counter,
            request: write.request,
            stamp: now.wall,
            value: write.value,
            context: write.context,
        }
    }

    /// Asks a replica, the own one or a peer's.
    pub(super) fn ask(
        &self,
        id: OpId,
        key: &Key,
        voter: Voter,
        operation: PeerOperation,
        out: &mut Vec<Effect>,
    ) {
        let (key, Voter { node, stands_for }) = (key.clone(), voter);
        if node == self.membership.own().node {
            let task = self.task(key, stands_for, operation);
            out.push(Effect::Replica(Job { asker: Asker::Own(id), task }));
        } else {
            let message = Message::ReplicaRequest { id, key, stands_for, operation };
            out.push(Effect::Send(node, message));
        }
    }

    /// An operation that came as a message, as a task for the own replica. Who reads where
    /// a fallback keeps hints reads all hints for the key.
    pub(super) fn task(
        &self,
        key: Key,
        stands_for: Option<NodeId>,
        operation: PeerOperation,
    ) -> Task {
        let own = self.membership.own().node;
        let stands_for = stands_for.filter(|owner| *owner != own);
        match (operation, stands_for) {
            (PeerOperation::Read, Some(owner)) => {
                let ring = self.ring.as_ref();
                let primaries = ring.map(|r| r.primaries(r.partition_of(&key)).to_vec());
                Task::ReadHints { key, owners: primaries.unwrap_or_else(|| vec![owner]) }
            }
            (PeerOperation::Read, None) => {
                Task::One { key, place: Place::Own, operation: Operation::Read }
            }
            (PeerOperation::Merge { versions, sync }, stands_for) => {
                let versions = self.reaper.absorb(&key, versions);
                let operation = Operation::Merge { versions, sync };
                Task::One { key, place: replica::place(stands_for), operation }
            }
        }
    }
}
