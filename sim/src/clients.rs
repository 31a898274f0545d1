//! Clients: each does one thing at a time, at any node, and tells the oracle.

use crate::{
    dice::Dice,
    edge::Seen,
    history::{History, Standing},
    invariants::{Violation, answered_once, serves_when_quiet},
    load::Progress,
    scenario::Scenario,
    tally::Bite,
    world::{Event, World},
};
use bytes::Bytes;
use dynamo_core::{
    id::{Generation, RequestId},
    key::Key,
    node::{Input, Token},
    request::{Command, Outcome, Reply, Request, Wanted, WriteCommand},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub(crate) struct Client {
    /// All its chance, so that it does the same whatever others do.
    pub(crate) dice: Dice,
    pub(crate) progress: Progress,
    /// What it has seen of each key.
    seen: BTreeMap<Key, Seen>,
    doing: Option<Doing>,
    /// What it is to do when everything must succeed; others do as they like.
    script: Option<VecDeque<Step>>,
}

/// A step and its latest attempt.
struct Doing {
    token: Token,
    step: Step,
    attempts: u32,
}

#[derive(Clone)]
enum Step {
    Get {
        key: Key,
        wanted: Wanted,
        last: Option<Option<RequestId>>,
    },
    Write {
        key: Key,
        write: WriteCommand,
        /// Its context, sealed.
        presents: Bytes,
        wanted: Wanted,
    },
    /// A put or a delete of the key that has seen everything, and a look at what is left.
    Settle {
        key: Key,
    },
}

/// One attempt at a request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) client: usize,
    pub(crate) machine: usize,
    pub(crate) request: Request,
    /// With a write: the context, sealed.
    pub(crate) presents: Bytes,
    pub(crate) began: Duration,
    pub(crate) reached: Option<Reached>,
    pub(crate) answered: bool,
    /// With the answer: the context, sealed.
    seen: Option<Seen>,
}

/// Which process a call reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) generation: Generation,
    pub(crate) at: Duration,
}

/// What a client hears of a call.
pub(crate) enum Answer {
    Reply(Reply),
    /// Nobody was there: nothing was sent.
    NotDelivered,
    /// The connection broke, or nothing came.
    Broken,
}

impl Client {
    pub(crate) fn new(seed: u64, progress: Progress) -> Self {
        let (seen, doing, script) = Default::default();
        Client { dice: Dice::new(seed), progress, seen, doing, script }
    }

    /// What it has seen of some other key, if of any.
    pub(crate) fn seen_of_another(&self, key: &Key) -> Option<&Seen> {
        self.seen.iter().find(|(other, _)| *other != key).map(|(_, seen)| seen)
    }

    fn seen_of(&self, key: &Key) -> Seen {
        self.seen.get(key).cloned().unwrap_or_default()
    }

    /// Whether it waits for nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.doing.is_none()
    }
}

impl World {
    /// The client begins its next step.
    pub(crate) fn next_step(&mut self, c: usize) {
        if self.clients[c].doing.is_some() {
            return;
        }
        let step = match &mut self.clients[c].script {
            Some(script) => script.pop_front(),
            None => {
                if !self.begins_another(c) {
                    return;
                }
                Some(self.draw_step(c))
            }
        };
        match step {
            Some(Step::Settle { key }) => self.settle(c, key),
            Some(step) => self.attempt(c, step, 0),
            None => self.finish(),
        }
    }

    /// Some keys are hot.
    fn draw_step(&mut self, c: usize) -> Step {
        let Scenario { keys, factor, least_write, .. } = self.schedule.scenario;
        let client = &mut self.clients[c];
        let dice = &mut client.dice;
        let n = dice.number(0..=keys - 1).min(dice.number(0..=keys - 1));
        let key = if n % 3 == 2 {
            Key::new(format!("k{n}"), format!("s{n}"))
        } else {
            Key::plain(format!("k{n}"))
        };
        let reads = dice.chance(0.4);
        let least = if reads { 1 } else { least_write };
        let wanted = draw_wanted(dice, least, factor);
        if reads {
            return Step::Get { key, wanted, last: None };
        }
        let uses_context = dice.chance(0.8);
        let deletes = dice.chance(0.15);
        let seen = if uses_context { client.seen_of(&key) } else { Seen::default() };
        self.new_write(c, key, seen, wanted, deletes)
    }

    fn new_write(&mut self, c: usize, key: Key, seen: Seen, wanted: Wanted, deletes: bool) -> Step {
        let Seen { context, sealed } = seen;
        let dice = &mut self.clients[c].dice;
        let unique = u128::from(dice.any()) << 64 | u128::from(dice.any());
        let request = RequestId(unique.to_be_bytes());
        // An empty value is a value.
        let text = if dice.chance(0.05) { String::new() } else { format!("{unique:x}") };
        let value = (!deletes).then(|| Bytes::from(text));
        self.history.begin(key.clone(), request, value.clone(), context.clone());
        let write = WriteCommand { request, context, value };
        Step::Write { key, write, presents: sealed, wanted }
    }

    fn attempt(&mut self, c: usize, step: Step, before: u32) {
        let client = &mut self.clients[c];
        let at = client.dice.number(0..=self.machines.len() - 1);
        let timeout = match client.script {
            Some(_) => Duration::from_secs(5),
            None if self.schedule.scenario.reaps => client.dice.millis(100..=800),
            None => client.dice.millis(100..=3_000),
        };
        let (request, presents) = match step.clone() {
            Step::Get { key, wanted, .. } => {
                (Request { key, command: Command::Get, wanted, timeout }, Bytes::new())
            }
            Step::Write { key, write, presents, wanted } => {
                (Request { key, command: Command::Write(write), wanted, timeout }, presents)
            }
            Step::Settle { .. } => return,
        };
        let token = Token(self.calls.len() as u64);
        self.trace.line(self.now, format_args!("c{c} -> n{at} {token:?} {}", summary(&request)));
        let (client, machine, began) = (c, at, self.now);
        let (reached, answered, seen) = (None, false, None);
        let call = Call { client, machine, request, presents, began, reached, answered, seen };
        self.calls.insert(token, call);
        self.tally.operations += 1;
        self.clients[c].doing = Some(Doing { token, step, attempts: before + 1 });
        let arrives = self.now + self.dice.micros(50..=2_000);
        self.queue.add(arrives, Event::Arrive(token));
        self.limit_patience(c, token, timeout);
    }

    /// A call reaches its machine.
    pub(crate) fn arrive(&mut self, token: Token) {
        let Some(call) = self.calls.get_mut(&token) else { return };
        let machine = &self.machines[call.machine];
        if machine.process.is_none() {
            let at = self.now + self.dice.micros(50..=2_000);
            self.queue.add(at, Event::Answer(token, Answer::NotDelivered));
            return;
        }
        call.reached = Some(Reached { generation: machine.generation, at: self.now });
        let m = call.machine;
        if let Some(request) = self.opened(token) {
            self.give(m, Input::Request(token, request));
        }
    }

    /// A process has ended, and with it all calls that it had not answered.
    pub(crate) fn requests_lost(&mut self, m: usize, generation: Generation) {
        let lost: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| {
                let here = call.reached.is_some_and(|r| r.generation == generation);
                call.machine == m && here && !call.answered
            })
            .map(|(token, _)| *token)
            .collect();
        for token in lost {
            self.tally.bite(Bite::CrashLostRequest);
            // Or the client has to find out by itself.
            if self.dice.chance(0.7) {
                let at = self.now + self.dice.micros(50..=20_000);
                self.queue.add(at, Event::Answer(token, Answer::Broken));
            }
        }
    }

    /// A node answers a call.
    pub(crate) fn replied(&mut self, m: usize, token: Token, reply: Reply) {
        self.judge(|w| {
            let Some(process) = &w.machines[m].process else { return Ok(()) };
            answered_once::check(&w.calls[&token], process, w.now)
        });
        let seen = self.sealed(m, &self.calls[&token].request.key, &reply);
        let Some(call) = self.calls.get_mut(&token) else { return };
        (call.answered, call.seen) = (true, seen);
        if let (Reply::Written(written), Command::Write(write)) = (&reply, &call.request.command) {
            let (request, wanted, acks) = (write.request, call.request.wanted, written.acks);
            self.judge(|w| w.check_acknowledged(m, request, wanted, acks));
        }
        let at = self.now + self.dice.micros(50..=2_000);
        self.queue.add(at, Event::Answer(token, Answer::Reply(reply)));
    }

    /// Whether the call is the one that its client waits for.
    pub(crate) fn waits_for(&self, token: Token) -> bool {
        let doing = &self.clients[self.calls[&token].client].doing;
        doing.as_ref().is_some_and(|d| d.token == token)
    }

    /// The client hears of a call; nothing if it has given up on it.
    pub(crate) fn hear(&mut self, token: Token, answer: Answer) {
        let c = self.calls[&token].client;
        if !self.waits_for(token) {
            return;
        }
        let Some(doing) = self.clients[c].doing.take() else { return };
        self.trace.line(self.now, format_args!("c{c} <- {token:?} {}", outcome(&answer)));
        if matches!(answer, Answer::Reply(Reply::Got(_) | Reply::Written(_))) {
            self.tally.succeeded += 1;
        }
        if self.clients[c].script.is_some() {
            self.judge(|w| check_script(&w.history, &doing.step, &answer));
        }
        let again = match &doing.step {
            Step::Write { key, write, .. } => {
                self.write_ended(c, token, key, write.request, answer)
            }
            Step::Get { key, .. } => {
                if let Answer::Reply(Reply::Got(got)) = answer {
                    self.read(token, key, &got);
                    self.see(c, token, key);
                }
                false
            }
            Step::Settle { .. } => false,
        };
        if let Some(at) = again.then(|| self.next_attempt(c, doing.attempts)).flatten() {
            self.clients[c].doing = Some(doing);
            return self.queue.add(at, Event::Retry(c, token));
        }
        let next = match self.clients[c].script {
            Some(_) => self.now + Duration::from_millis(1),
            None => self.next_operation(c),
        };
        self.queue.add(next, Event::Next(c));
    }

    /// The same write with the same request id, through any node.
    pub(crate) fn retry(&mut self, c: usize, token: Token) {
        let Some(doing) = self.clients[c].doing.take_if(|d| d.token == token) else { return };
        if let Step::Write { write, .. } = &doing.step {
            self.tally.bite(Bite::Retry);
            self.history.retry(write.request);
        }
        self.attempt(c, doing.step, doing.attempts);
    }

    /// Returns whether it makes sense to try again.
    fn write_ended(
        &mut self,
        c: usize,
        token: Token,
        key: &Key,
        request: RequestId,
        answer: Answer,
    ) -> bool {
        let written = match answer {
            Answer::Reply(Reply::Written(written)) => written,
            Answer::Reply(Reply::Refused(r)) if r.outcome() == Outcome::Indeterminate => {
                self.history.doubted(request);
                return true;
            }
            Answer::Broken => {
                self.history.doubted(request);
                return true;
            }
            Answer::Reply(_) | Answer::NotDelivered => {
                self.history.refused(request);
                return true;
            }
        };
        self.history.acknowledged(request, self.now, written.acks.primaries);
        self.judge(|w| w.check_written(request, &written));
        self.see(c, token, key);
        false
    }

    /// A client keeps what came with an answer as what it has seen of a key.
    fn see(&mut self, c: usize, token: Token, key: &Key) {
        match self.calls[&token].seen.clone() {
            Some(seen) => self.clients[c].seen.insert(key.clone(), seen),
            None => self.clients[c].seen.remove(key),
        };
    }

    /// When it is quiet: reads every key at all replicas, and settles it.
    pub(crate) fn begin_script(&mut self) {
        let keys: Vec<_> = self.history.keys().cloned().collect();
        let all = everybody(self.schedule.scenario.factor);
        let steps = keys.into_iter().flat_map(|key| {
            [Step::Get { key: key.clone(), wanted: all, last: None }, Step::Settle { key }]
        });
        let mut client = Client::new(self.dice.any(), Progress::default());
        client.script = Some(steps.collect());
        self.clients.push(client);
        self.next_step(self.clients.len() - 1);
    }

    fn settle(&mut self, c: usize, key: Key) {
        let seen = self.clients[c].seen_of(&key);
        let all = everybody(self.schedule.scenario.factor);
        let deletes = self.clients[c].dice.chance(0.2);
        let step = self.new_write(c, key.clone(), seen, all, deletes);
        if let (Step::Write { write, .. }, Some(script)) = (&step, &mut self.clients[c].script) {
            let last = Some((!deletes).then_some(write.request));
            script.push_front(Step::Get { key, wanted: all, last });
        }
        self.attempt(c, step, 0);
    }

    /// Whether some client still waits for an answer to a write.
    pub(crate) fn open_writes(&self) -> usize {
        let open = |k| self.history.of(k).filter(|w| w.standing == Standing::Open).count();
        self.history.keys().map(open).sum()
    }
}

/// What a client asks of its quorum: mostly nothing special, sometimes so many, or
/// primaries only, or to be strict.
fn draw_wanted(dice: &mut Dice, least: usize, factor: usize) -> Wanted {
    let mut wanted = Wanted::default();
    if dice.chance(0.1) {
        wanted.total = Some(dice.number(least..=factor));
    }
    if dice.chance(0.1) {
        wanted.primaries = dice.number(1..=factor);
    }
    wanted.strict = dice.chance(0.1);
    wanted
}

/// All primaries.
fn everybody(factor: usize) -> Wanted {
    Wanted { total: Some(factor), primaries: factor, strict: false }
}

fn check_script(history: &History, step: &Step, answer: &Answer) -> Result<(), Violation> {
    let reply = match answer {
        Answer::Reply(reply) => Ok(reply),
        Answer::NotDelivered => Err("nobody was there"),
        Answer::Broken => Err("no answer came"),
    };
    serves_when_quiet::check(reply)?;
    match (step, reply) {
        // A clock that was cut has forgotten what it had seen.
        (Step::Get { last: Some(last), key, .. }, Ok(reply)) if !history.is_truncated(key) => {
            serves_when_quiet::check_last(reply, *last)
        }
        _ => Ok(()),
    }
}

/// Few words for the trace.
fn summary(request: &Request) -> String {
    match &request.command {
        Command::Get => format!("get {:?}", request.key),
        Command::Write(w) if w.value.is_none() => {
            format!("delete {:?} {:?}", request.key, w.request)
        }
        Command::Write(w) => {
            format!("put {:?} {:?} {:?}", request.key, w.request, w.context.seen())
        }
    }
}

fn outcome(answer: &Answer) -> String {
    match answer {
        Answer::Reply(Reply::Got(got)) => {
            let requests: Vec<_> = got.siblings.iter().map(|v| (v.dot, v.request)).collect();
            format!("got {requests:?} from {}+{}", got.primaries, got.fallbacks)
        }
        Answer::Reply(Reply::Written(w)) => {
            format!("written, {} siblings, {:?}", w.siblings, w.acks)
        }
        Answer::Reply(Reply::Refused(r)) => format!("refused: {r}"),
        Answer::NotDelivered => "not delivered".into(),
        Answer::Broken => "nothing".into(),
    }
}
