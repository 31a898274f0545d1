//! When clients begin their operations, how long they wait for answers, and whether they
//! try again; and when all of them are done.

use crate::{
    clients::Answer,
    faults::Ongoing,
    tally::Bite,
    world::{Event, World},
};
use dynamo_core::node::Token;
use std::time::Duration;

/// A client waits this much longer than the node is allowed to take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long an impatient one waits, in milliseconds.
const IMPATIENCE_MS: std::ops::RangeInclusive<u64> = 1..=40;

/// A write is tried so often at most, and in a storm of retries.
const ATTEMPTS: u32 = 4;
const STORM_ATTEMPTS: u32 = 12;

/// Who is late with his operations may be so late before it becomes quiet all the same.
const GRACE: Duration = Duration::from_secs(10);

/// How far a client has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Operations that it has begun, of those that it is to do.
    begun: usize,
    operations: usize,
    /// How many there would be in the whole load.
    share: usize,
}

impl Progress {
    pub(crate) fn new(operations: usize, share: usize) -> Self {
        Progress { begun: 0, operations, share }
    }
}

impl World {
    /// The ring is laid: load and faults begin, and further nodes come.
    pub(crate) fn begin_load(&mut self) {
        self.load_began = self.now;
        for planned in self.schedule.faults.clone() {
            if !planned.fault.is_always() {
                self.queue.add(self.now + planned.at, Event::Fault(planned));
            }
        }
        for c in 0..self.clients.len() {
            let first = self.next_operation(c);
            self.queue.add(first, Event::Next(c));
        }
        self.queue.add(self.now + self.schedule.scenario.load + GRACE, Event::Quiet);
    }

    /// When a client begins what comes next: its operations are spread over the load, in
    /// bursts. One that is late catches up.
    pub(crate) fn next_operation(&mut self, c: usize) -> Duration {
        let scenario = &self.schedule.scenario;
        let client = &mut self.clients[c];
        let Progress { begun, share, .. } = client.progress;
        let burst = begun / scenario.burst * scenario.burst;
        let every = scenario.load.div_f64(share.max(1) as f64);
        let due = self.load_began + every.mul_f64(burst as f64);
        let jitter = client.dice.micros(0..=5_000) + every.mul_f64(client.dice.fraction());
        (due + jitter).max(self.now + client.dice.micros(0..=5_000))
    }

    /// Whether there is one more operation for the client; if for none, it becomes quiet.
    pub(crate) fn begins_another(&mut self, c: usize) -> bool {
        let progress = &mut self.clients[c].progress;
        if !self.quiet && progress.begun < progress.operations {
            progress.begun += 1;
            return true;
        }
        let done = self.clients.iter().all(|c| c.is_idle() && c.progress.is_done());
        if done && !self.quiet {
            self.queue.add(self.now, Event::Quiet);
        }
        false
    }

    /// The client will give up on a call if no answer comes.
    pub(crate) fn limit_patience(&mut self, c: usize, token: Token, timeout: Duration) {
        let storm = self.lasting.values().any(|o| *o == Ongoing::RetryStorm);
        let impatient = self.lasting.values().any(|o| *o == Ongoing::Impatience(c));
        if storm || impatient {
            let wait = self.clients[c].dice.millis(IMPATIENCE_MS);
            self.queue.add(self.now + wait, Event::GiveUp(token));
        }
        self.queue.add(self.now + timeout + PATIENCE, Event::Answer(token, Answer::Broken));
    }

    /// An impatient client has waited long enough.
    pub(crate) fn give_up(&mut self, token: Token) {
        if !self.quiet && self.waits_for(token) {
            self.tally.bite(Bite::GivenUp);
            self.hear(token, Answer::Broken);
        }
    }

    /// When a client tries a write again that was tried so often; `None` for not at all.
    pub(crate) fn next_attempt(&mut self, c: usize, attempts: u32) -> Option<Duration> {
        if self.quiet || self.schedule.scenario.hasty {
            return None;
        }
        let storm = self.lasting.values().any(|o| *o == Ongoing::RetryStorm);
        let dice = &mut self.clients[c].dice;
        if storm && attempts < STORM_ATTEMPTS {
            self.tally.bite(Bite::StormRetry);
            return Some(self.now);
        }
        let tries = attempts < ATTEMPTS && dice.chance(0.7);
        tries.then(|| self.now + dice.millis(0..=300))
    }
}

impl Progress {
    fn is_done(&self) -> bool {
        self.begun >= self.operations
    }
}
