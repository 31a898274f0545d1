//! One run: the events of one seed in virtual time, until it ends or breaks an
//! invariant.

use crate::{
    clients::{Answer, Call, Client},
    cluster::machines,
    dice::Dice,
    faults::Ongoing,
    history::History,
    invariants::{Violation, agreement},
    load::Progress,
    machine::Machine,
    network::{Envelope, Network},
    queue::Queue,
    scenario,
    schedule::{Planned, PlannedClient, Schedule},
    tally::Tally,
    trace::Trace,
};
use dynamo_core::{
    id::{Generation, NodeId, OpId},
    node::{Input, Token},
};
use std::{collections::BTreeMap, time::Duration};

/// Nothing can have come right before: processes that are down come back, one that drains
/// takes up to 7 s for it.
const QUIET: Duration = Duration::from_secs(8);

/// By then replicas are equal and all nodes agree.
const CONVERGED: Duration = Duration::from_secs(90);

/// A run that has not come to its end by then hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Nor one in which so much happens: some hundred times as much as in any good one.
const MAX_EVENTS: u64 = 2_000_000;

/// What can happen next.
pub(crate) enum Event {
    /// A process starts on a machine.
    Start(usize),
    /// A process wanted to be woken.
    Wake(usize, Generation),
    /// A disk is done with a batch.
    Disk(usize, Generation),
    /// A process crashes.
    Crash(usize, Generation),
    /// A draining process may be ready to end.
    Drained(usize, u32),
    Deliver(Envelope),
    /// A process is told that a node cannot be reached.
    Unreachable(usize, Generation, NodeId),
    /// A client's call reaches its machine.
    Arrive(Token),
    /// A client hears of its call.
    Answer(Token, Answer),
    /// An impatient client gives up on its call.
    GiveUp(Token),
    Next(usize),
    Retry(usize, Token),
    /// The operator orders Bootstrap.
    Operator,
    Fault(Planned),
    /// The fault of that number ends.
    Over(usize),
    Quiet,
    /// Everything must have come right.
    Check,
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) queue: Queue<Event>,
    pub(crate) dice: Dice,
    pub(crate) schedule: Schedule,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    /// Of single messages, as long as there are faults.
    pub(crate) loss: f64,
    pub(crate) tail: f64,
    /// Faults that have not ended, by their numbers.
    pub(crate) lasting: BTreeMap<usize, Ongoing>,
    /// The ring has been laid.
    pub(crate) laid: bool,
    pub(crate) load_began: Duration,
    /// All faults have ended, and since when.
    pub(crate) quiet: bool,
    quiet_since: Duration,
    pub(crate) clients: Vec<Client>,
    pub(crate) calls: BTreeMap<Token, Call>,
    /// What machines asked others, and which of their processes did first.
    pub(crate) asked: BTreeMap<(usize, OpId), Generation>,
    pub(crate) history: History,
    pub(crate) trace: Trace,
    pub(crate) tally: Tally,
    violation: Option<Violation>,
    finished: bool,
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Which run.
    pub seed: u64,
    /// Of its trace: equal hashes are equal runs.
    pub hash: u64,
    /// What happened.
    pub tally: Tally,
    /// The invariant that was broken, and how.
    pub violation: Option<Violation>,
}

/// Runs the schedule of a seed.
pub fn run(seed: u64) -> Finished {
    run_schedule(seed, Schedule::draw(seed), false)
}

/// Runs what is left of the schedule of a seed, and prints its trace if wanted.
pub(crate) fn run_schedule(seed: u64, schedule: Schedule, printing: bool) -> Finished {
    let mut world = World::new(seed, schedule, printing);
    world.run();
    let World { trace, tally, violation, .. } = world;
    Finished { seed, hash: trace.hash(), tally, violation }
}

impl World {
    fn new(seed: u64, schedule: Schedule, printing: bool) -> Self {
        let mut dice = Dice::new(schedule.seed);
        let scenario = &schedule.scenario;
        let machines = machines(scenario, &mut dice);
        let mut trace = Trace::new(printing);
        trace.line(Duration::ZERO, format_args!("seed {seed}: {scenario:?}"));
        for (m, machine) in machines.iter().enumerate() {
            trace.line(Duration::ZERO, format_args!("n{m} is {}", machine.node));
        }
        let mut queue = Queue::new();
        for m in 0..scenario.members {
            queue.add(dice.millis(0..=2_000), Event::Start(m));
        }
        queue.add(Duration::from_secs(2), Event::Operator);
        let share = scenario::OPERATIONS / scenario.clients;
        let client = |c: &PlannedClient| Client::new(c.seed, Progress::new(c.operations, share));
        let clients = schedule.clients.iter().map(client).collect();
        let mut world = World {
            now: Duration::ZERO,
            queue,
            dice,
            machines,
            network: Network::default(),
            loss: 0.0,
            tail: 0.0,
            lasting: BTreeMap::new(),
            laid: false,
            load_began: Duration::ZERO,
            quiet: false,
            quiet_since: Duration::ZERO,
            clients,
            calls: BTreeMap::new(),
            asked: BTreeMap::new(),
            history: History::default(),
            trace,
            tally: Tally::default(),
            violation: None,
            finished: false,
            schedule,
        };
        for planned in world.schedule.faults.clone() {
            if planned.fault.is_always() {
                world.fault(planned);
            }
        }
        world
    }

    fn run(&mut self) {
        let mut events = 0;
        while !self.finished && self.violation.is_none() {
            let Some((at, event)) = self.queue.next() else { break };
            self.now = at;
            self.happen(event);
            events += 1;
            if self.now > PATIENCE || events > MAX_EVENTS {
                let how = format!("{} writes are open at {:?}", self.open_writes(), self.now);
                self.judge(|_| Err(Violation::new("a run ends", how)));
            }
        }
        if let Some(violation) = &self.violation {
            self.trace.line(self.now, format_args!("{violation}"));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(m) => self.start(m),
            Event::Wake(m, generation) => {
                if self.is_of(m, generation) {
                    if let Some(process) = &mut self.machines[m].process {
                        process.wake = None;
                    }
                    self.turn(m);
                }
            }
            Event::Disk(m, generation) => {
                if self.is_of(m, generation) {
                    self.batch_done(m);
                }
            }
            Event::Crash(m, generation) => {
                let process = self.machines[m].process.as_ref();
                if let (true, Some(down)) =
                    (self.is_of(m, generation), process.and_then(|p| p.doomed))
                {
                    self.crash_and_restart(m, down);
                }
            }
            Event::Drained(m, more_chances) => self.drained(m, more_chances),
            Event::Deliver(envelope) => self.deliver(envelope),
            Event::Unreachable(m, generation, node) => {
                if self.is_of(m, generation) {
                    self.give(m, Input::Unreachable(node));
                }
            }
            Event::Arrive(token) => self.arrive(token),
            Event::Answer(token, answer) => self.hear(token, answer),
            Event::GiveUp(token) => self.give_up(token),
            Event::Next(c) => self.next_step(c),
            Event::Retry(c, token) => self.retry(c, token),
            Event::Operator => self.bootstrap(),
            Event::Fault(planned) => self.fault(planned),
            Event::Over(number) => self.over(number),
            Event::Quiet if self.quiet => {}
            Event::Quiet => {
                self.end_all_faults();
                self.quiet_since = self.now;
                self.queue.add(self.now + QUIET, Event::Check);
            }
            Event::Check => self.check(),
        }
    }

    /// Everything must come right some time after it has become quiet. How long that takes
    /// is measured.
    fn check(&mut self) {
        let result = agreement::check(&self.machines, self.now).and(self.check_converged());
        let waited = self.now - self.quiet_since;
        if result.is_err() && waited < CONVERGED {
            return self.queue.add(self.now + Duration::from_secs(1), Event::Check);
        }
        self.tally.converged_within(waited);
        self.judge(|_| result);
        self.begin_script();
    }

    fn is_of(&self, m: usize, generation: Generation) -> bool {
        self.machines[m].generation == generation
    }

    /// Everything has been done; what is left must be right.
    pub(crate) fn finish(&mut self) {
        self.judge(|w| w.check_history());
        self.finished = true;
    }

    /// Asks an invariant; the first that is broken ends the run.
    pub(crate) fn judge(&mut self, check: impl FnOnce(&mut World) -> Result<(), Violation>) {
        if let Err(violation) = check(self) {
            self.violation.get_or_insert(violation);
        }
    }
}
