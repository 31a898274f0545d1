//! The driver of a node, in virtual time: takes in all inputs that wait, runs what they
//! want stored as one batch, and only then lets messages and replies leave.

use crate::{
    invariants::{damage_is_told, truncates_oldest_first},
    machine::Turn,
    network::{Cut, Link},
    tally::Bite,
    world::{Event, World},
};
use dynamo_core::{
    id::NodeId,
    key::Key,
    message::Message,
    node::{Effect, Input, Note},
    replica::{Job, Operation, ReplicaAnswer, Task},
    store::Place,
    version::{Version, Versions},
};
use dynamo_proto::v1;
use prost::Message as _;

/// The longest that a batch takes, in microseconds, on a slow disk.
pub(crate) const SLOWEST_BATCH_US: u64 = 200_000;

impl World {
    /// Hands an input to the process of a machine, if it has one.
    pub(crate) fn give(&mut self, m: usize, input: Input) {
        let Some(process) = &mut self.machines[m].process else { return };
        process.waiting.push(input);
        if process.paused {
            self.tally.bite(Bite::PausedInput);
        }
        self.turn(m);
    }

    /// Runs a turn, unless the process is paused or its disk is at work.
    pub(crate) fn turn(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        let now = machine.now(self.now);
        let Some(process) = &mut machine.process else { return };
        if process.paused || process.batch.is_some() {
            return;
        }
        let mut inputs = std::mem::take(&mut process.waiting);
        if process.node.deadline() <= now.instant {
            inputs.push(Input::Tick);
        }
        let mut effects = Vec::new();
        for input in inputs {
            process.node.handle(now, input, &mut effects);
        }
        let deadline = process.deadline();
        if process.wake.is_none_or(|wake| deadline < wake) {
            process.wake = Some(deadline);
            self.queue.add(deadline, Event::Wake(m, machine.generation));
        }
        self.carry_out(m, effects);
    }

    fn carry_out(&mut self, m: usize, effects: Vec<Effect>) {
        let mut turn = Turn::default();
        for effect in effects {
            match effect {
                Effect::Persist(record) => turn.records.push(record),
                Effect::Replica(job) => turn.jobs.push(job),
                other => turn.leaving.push(other),
            }
        }
        if turn.jobs.is_empty() && turn.records.is_empty() {
            self.leave(m, turn.leaving);
            return;
        }
        let machine = &mut self.machines[m];
        let takes = if machine.disk().slow {
            self.tally.bite(Bite::SlowBatch);
            self.dice.micros(10_000..=SLOWEST_BATCH_US)
        } else {
            self.dice.micros(50..=3_000)
        };
        if let Some(process) = &mut machine.process {
            process.batch = Some(turn);
            if process.doomed.is_some() {
                self.queue.add(self.now + takes / 2, Event::Crash(m, machine.generation));
            }
            self.queue.add(self.now + takes, Event::Disk(m, machine.generation));
        }
    }

    /// The disk is done.
    pub(crate) fn batch_done(&mut self, m: usize) {
        let Some(process) = &mut self.machines[m].process else { return };
        if process.paused {
            return;
        }
        let Some(Turn { jobs, records, leaving }) = process.batch.take() else { return };
        let answers = self.commit(m, jobs, records);
        self.leave(m, leaving);
        if let Some(process) = &mut self.machines[m].process {
            process.waiting.extend(answers);
        }
        self.turn(m);
    }

    /// Runs a batch on the disk and tells the oracle which versions it made.
    pub(crate) fn commit(
        &mut self,
        m: usize,
        jobs: Vec<Job>,
        records: Vec<dynamo_core::store::Record>,
    ) -> Vec<Input> {
        let tasks: Vec<_> = jobs.iter().map(|job| job.task.clone()).collect();
        let hints: Vec<_> = tasks.iter().map(|task| self.hint_in_danger(m, task)).collect();
        let answers = self.machines[m].replica.run(jobs, records).expect("commits succeed");
        for ((task, hint), (_, answer)) in tasks.into_iter().zip(hints).zip(&answers) {
            self.observe(m, task, answer);
            if let (Some((owner, key, hint)), ReplicaAnswer::Forgot(true)) = (hint, answer) {
                self.judge(|w| w.check_delivered(owner, &key, &hint));
            }
        }
        answers.into_iter().map(|(asker, answer)| Input::Replica(asker, answer)).collect()
    }

    /// A hint that a task may delete, as it is before the batch.
    fn hint_in_danger(&self, m: usize, task: &Task) -> Option<(NodeId, Key, Versions)> {
        let Task::One { key, place: Place::Hint(owner), operation: Operation::Forget(_) } = task
        else {
            return None;
        };
        let hint = self.machines[m].disk().holds(Place::Hint(*owner), key);
        Some((*owner, key.clone(), hint))
    }

    /// Counts what the core says it had to do.
    fn count(&mut self, m: usize, note: &Note) {
        match note {
            Note::Damaged { leaves } => {
                self.judge(|w| damage_is_told::check_told(&w.machines[m], *leaves));
            }
            Note::Hinted(_) => self.tally.bite(Bite::Hinted),
            Note::HandedOff { delivered: 1.., .. } => self.tally.bite(Bite::HandedOff),
            Note::Repaired { .. } => self.tally.bite(Bite::Repaired),
            Note::Compared { counts, .. } if counts.differ > 0 => {
                self.tally.bite(Bite::FoundByTree);
            }
            _ => {}
        }
    }

    /// Tells the oracle what a task has done.
    fn observe(&mut self, m: usize, task: Task, answer: &ReplicaAnswer) {
        match (task, answer) {
            (_, ReplicaAnswer::Failed) => self.tally.bite(Bite::SickRead),
            (
                Task::One { key, operation: Operation::Write(draft), .. },
                ReplicaAnswer::Wrote { versions, truncated, .. },
            ) => {
                let is_new = |v: &&Version| {
                    let actor = (v.dot.actor.node, v.dot.actor.incarnation);
                    (actor, v.dot.counter) == ((draft.node, draft.incarnation), draft.counter)
                };
                if let Some(version) = versions.siblings().iter().find(is_new) {
                    self.judge(|w| w.history.applied(&key, version));
                }
                if *truncated > 0 {
                    self.tally.bite(Bite::Truncated);
                    self.history.truncated(&key);
                    self.judge(|_| truncates_oldest_first::check(&draft.context, versions));
                }
            }
            (Task::One { key, place, operation: Operation::Read }, ReplicaAnswer::Holds(_)) => {
                self.judge(|w| damage_is_told::check_served(&w.machines[m], place, &key));
            }
            (Task::Bury(graves), ReplicaAnswer::Buried(1..)) => {
                self.tally.bite(Bite::Reaped);
                for grave in graves.into_iter().filter(|g| g.is_primary) {
                    self.history.reaped(&grave.key, grave.versions.seen());
                }
            }
            _ => {}
        }
    }

    fn leave(&mut self, m: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(to, message) => self.send(m, to, message),
                Effect::SendToSeed(address, message) => {
                    if let Some(to) = self.machines.iter().position(|o| o.seed == address) {
                        self.transmit((m, to), None, message);
                    }
                }
                Effect::Reply(token, reply) => self.replied(m, token, reply),
                Effect::Obeyed(_, result) => self.obeyed(m, result),
                Effect::Note(note) => {
                    self.count(m, &note);
                    self.trace.line(self.now, format_args!("n{m} {note:?}"));
                }
                Effect::Persist(_) | Effect::Replica(_) => {}
            }
        }
    }

    /// To a node, where this one believes it to be.
    fn send(&mut self, m: usize, to: NodeId, message: Message) {
        let Some(process) = &self.machines[m].process else { return };
        let address = process.node.address_of(to).unwrap_or_default();
        let at = self.machines.iter().position(|o| o.address == address && o.node == to);
        match at {
            Some(at) => self.transmit((m, at), Some(to), message),
            None => self.tell_unreachable(m, to),
        }
    }

    fn transmit(&mut self, link: Link, told: Option<NodeId>, message: Message) {
        let (from, to) = link;
        if let Some(partition) = self.network.cut(link) {
            let (cut, bite) = (partition.cut, partition.bite);
            if cut != Cut::Held {
                self.tally.bite(bite);
                return self.fail(from, told.filter(|_| cut == Cut::Refused));
            }
        }
        if self.machines[to].process.is_none() {
            let dark = self.machines[to].dark;
            return self.fail(from, told.filter(|_| !dark));
        }
        let generation = self.machines[from].generation;
        self.judge(|w| w.check_question(from, &message));
        let bytes = v1::Message::from(message).encode_to_vec();
        let delay = self.delay() + self.slowness(link);
        let (at, envelope) = self.network.send(link, generation, bytes, self.now + delay);
        if self.dice.chance(self.loss) {
            self.tally.bite(Bite::LostMessage);
            let silent = self.dice.chance(0.5);
            return self.break_stream(link, silent);
        }
        self.queue.add(at, Event::Deliver(envelope));
    }

    fn delay(&mut self) -> std::time::Duration {
        if self.dice.chance(self.tail) {
            self.tally.bite(Bite::DelayedMessage);
            return self.dice.millis(20..=1_500);
        }
        self.dice.micros(100..=2_500)
    }

    /// Ends a stream, with what is in flight on it.
    pub(crate) fn break_stream(&mut self, link: Link, silent: bool) {
        let bite = if silent { Bite::SilentlyBrokenStream } else { Bite::BrokenStream };
        self.tally.bite(bite);
        self.network.break_stream(link);
        let told = Some(self.machines[link.1].node).filter(|_| !silent);
        self.fail(link.0, told);
    }

    fn fail(&mut self, from: usize, told: Option<NodeId>) {
        if let Some(node) = told {
            self.tell_unreachable(from, node);
        }
    }

    fn tell_unreachable(&mut self, m: usize, node: NodeId) {
        let at = self.now + self.dice.micros(100..=50_000);
        self.queue.add(at, Event::Unreachable(m, self.machines[m].generation, node));
    }
}
