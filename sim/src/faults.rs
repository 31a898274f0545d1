//! What goes wrong, and when it ends. A fault brings its own chance, so that it does the
//! same whatever else happens.

use crate::{
    dice::Dice,
    machine::MAX_SKEW_MS,
    network::{Cut, Link, Partition},
    schedule::Planned,
    tally::Bite,
    world::{Event, World},
};
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Two groups of machines do not hear each other.
    Partition,
    /// One group does not hear another, which hears it.
    OneWayPartition,
    /// Two groups do not hear each other, but one machine hears all and all hear it.
    BridgedPartition,
    /// Messages between two machines take long.
    SlowLink,
    /// The streams of two machines break.
    BrokenStreams,
    /// A process does nothing for a while.
    Pause,
    /// A process ends; its disk stays.
    Crash,
    /// A process is asked to end, and does.
    Drain,
    /// A disk fails all reads for a while.
    SickDisk,
    /// A disk is slow for a while.
    SlowDisk,
    /// A wall clock is set.
    ClockStep,
    /// A client gives up on its calls long before they must be answered.
    Impatience,
    /// All clients give up early and try again at once, again and again.
    RetryStorm,
    /// Single messages end their streams, in the whole run.
    Loss,
    /// Single messages take long, in the whole run.
    LongDelays,
    /// A machine starts for the first time.
    Join,
    /// A machine loses power, and what its disk had not synced.
    PowerLoss,
    /// A machine comes back with an empty disk.
    EmptyDisk,
    /// A record on a disk is damaged.
    DamagedRecord,
}

/// A fault that has not ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ongoing {
    Partition(u64),
    SlowLink([Link; 2]),
    Pause(usize),
    SickDisk(usize),
    SlowDisk(usize),
    Impatience(usize),
    RetryStorm,
    Loss(f64),
    LongDelays(f64),
}

impl Fault {
    /// Those that a run draws from.
    pub(crate) const ALL: [Fault; 13] = [
        Fault::Partition,
        Fault::OneWayPartition,
        Fault::BridgedPartition,
        Fault::SlowLink,
        Fault::BrokenStreams,
        Fault::Pause,
        Fault::Crash,
        Fault::Drain,
        Fault::SickDisk,
        Fault::SlowDisk,
        Fault::ClockStep,
        Fault::Impatience,
        Fault::RetryStorm,
    ];

    /// Those that only some machines of a run may have.
    pub(crate) const LOSSES: [Fault; 3] =
        [Fault::PowerLoss, Fault::EmptyDisk, Fault::DamagedRecord];

    pub(crate) fn loses_data(self) -> bool {
        Fault::LOSSES.contains(&self)
    }

    /// Whether it begins with the first process and ends when it is quiet.
    pub(crate) fn is_always(self) -> bool {
        matches!(self, Fault::Loss | Fault::LongDelays)
    }

    /// Whether how long it lasts means anything.
    pub(crate) fn lasts(self) -> bool {
        use Fault::*;
        !matches!(self, Drain | ClockStep | BrokenStreams | Join | DamagedRecord)
    }

    /// For people.
    pub(crate) fn words(self, target: usize, clients: usize) -> String {
        let n = format!("n{target}");
        match self {
            Fault::Partition => "two groups of nodes do not hear each other".into(),
            Fault::OneWayPartition => "one group of nodes does not hear the other".into(),
            Fault::BridgedPartition => format!("two groups are parted, {n} hears both"),
            Fault::SlowLink => format!("messages between {n} and another node are slow"),
            Fault::BrokenStreams => format!("the streams between {n} and another node break"),
            Fault::Pause => format!("{n} is paused"),
            Fault::Crash => format!("{n} crashes and is down"),
            Fault::Drain => format!("{n} is told to stop, and comes back"),
            Fault::SickDisk => format!("the disk of {n} fails reads"),
            Fault::SlowDisk => format!("the disk of {n} is slow"),
            Fault::ClockStep => format!("the wall clock of {n} is set"),
            Fault::Impatience => format!("client c{} gives up early", target % clients.max(1)),
            Fault::RetryStorm => "all clients give up early and retry at once".into(),
            Fault::Loss => "messages are lost".into(),
            Fault::LongDelays => "some messages take long".into(),
            Fault::Join => format!("{n} joins"),
            Fault::PowerLoss => format!("{n} loses power and what it had not synced, and is down"),
            Fault::EmptyDisk => format!("{n} loses its disk and is down"),
            Fault::DamagedRecord => format!("a record on the disk of {n} is damaged"),
        }
    }
}

impl World {
    /// Lets one thing go wrong.
    pub(crate) fn fault(&mut self, planned: Planned) {
        let Planned { number, fault, target, lasts, seed, .. } = planned;
        if self.quiet {
            return;
        }
        let words = fault.words(target, self.clients.len());
        self.trace.line(self.now, format_args!("fault {number}: {words}, {lasts:?}"));
        let mut dice = Dice::new(seed);
        if let Some(ongoing) = self.begin_fault(fault, target, lasts, &mut dice) {
            self.lasting.insert(number, ongoing);
            self.apply_rates();
            if !fault.is_always() {
                self.queue.add(self.now + lasts, Event::Over(number));
            }
        }
    }

    fn begin_fault(
        &mut self,
        fault: Fault,
        target: usize,
        lasts: Duration,
        dice: &mut Dice,
    ) -> Option<Ongoing> {
        let ongoing = match fault {
            Fault::Partition | Fault::OneWayPartition | Fault::BridgedPartition => {
                self.part(fault, target, dice)
            }
            Fault::SlowLink => Ongoing::SlowLink(self.links(target, dice)),
            Fault::Pause => {
                self.machines[target].process.as_mut()?.paused = true;
                Ongoing::Pause(target)
            }
            Fault::SickDisk => {
                self.machines[target].disk_mut().sick = true;
                Ongoing::SickDisk(target)
            }
            Fault::SlowDisk => {
                self.machines[target].disk_mut().slow = true;
                Ongoing::SlowDisk(target)
            }
            Fault::Impatience => Ongoing::Impatience(target % self.clients.len()),
            Fault::RetryStorm => Ongoing::RetryStorm,
            Fault::Loss => Ongoing::Loss(dice.pick(&[0.001, 0.01]).unwrap_or(0.01)),
            Fault::LongDelays => {
                Ongoing::LongDelays(dice.pick(&[0.001, 0.01, 0.05]).unwrap_or(0.01))
            }
            _ => {
                self.strike(fault, target, lasts, dice);
                return None;
            }
        };
        Some(ongoing)
    }

    /// Faults of a moment.
    fn strike(&mut self, fault: Fault, m: usize, lasts: Duration, dice: &mut Dice) {
        match fault {
            Fault::BrokenStreams => {
                for link in self.links(m, dice) {
                    let silent = dice.chance(0.3);
                    self.break_stream(link, silent);
                }
            }
            Fault::ClockStep => {
                self.tally.bite(Bite::ClockStep);
                self.machines[m].skew_ms = dice.number(0..=2 * MAX_SKEW_MS);
            }
            // Now, or in the middle of its next batch.
            Fault::Crash => match &mut self.machines[m].process {
                Some(process) if dice.chance(0.5) => process.doomed = Some(lasts),
                _ => self.crash_and_restart(m, lasts),
            },
            Fault::Drain if self.machines[m].process.as_ref().is_some_and(|p| !p.draining) => {
                self.drain(m);
            }
            Fault::Join => {
                self.tally.bite(Bite::LateJoin);
                self.start(m);
            }
            Fault::PowerLoss => {
                self.crash_and_restart(m, lasts);
                if self.machines[m].lose_power(dice) {
                    self.tally.bite(Bite::LostUnsynced);
                }
            }
            Fault::EmptyDisk => {
                self.crash_and_restart(m, lasts);
                if self.machines[m].lose_disk() {
                    self.tally.bite(Bite::EmptyDisk);
                }
            }
            Fault::DamagedRecord if self.machines[m].disk_mut().damage(dice) => {
                self.tally.bite(Bite::DamagedRecord);
            }
            _ => {}
        }
    }

    /// Ends a fault, unless another one does the same.
    pub(crate) fn over(&mut self, number: usize) {
        let Some(ongoing) = self.lasting.remove(&number) else { return };
        self.apply_rates();
        if self.lasting.values().any(|other| *other == ongoing) {
            return;
        }
        match ongoing {
            Ongoing::Partition(number) => self.heal(number),
            Ongoing::SickDisk(m) => self.machines[m].disk_mut().sick = false,
            Ongoing::SlowDisk(m) => self.machines[m].disk_mut().slow = false,
            Ongoing::Pause(m) => self.resume(m),
            Ongoing::SlowLink(_)
            | Ongoing::Impatience(_)
            | Ongoing::RetryStorm
            | Ongoing::Loss(_)
            | Ongoing::LongDelays(_) => {}
        }
    }

    fn resume(&mut self, m: usize) {
        let Some(process) = &mut self.machines[m].process else { return };
        process.paused = false;
        process.resumed = self.now;
        // Its disk may have been done long ago.
        if process.batch.is_some() {
            self.queue.add(self.now, Event::Disk(m, self.machines[m].generation));
        }
        self.turn(m);
    }

    /// Ends all faults: from here on everything must come right.
    pub(crate) fn end_all_faults(&mut self) {
        self.trace.line(self.now, format_args!("quiet"));
        self.quiet = true;
        while let Some((&number, _)) = self.lasting.first_key_value() {
            self.over(number);
        }
        for m in 0..self.machines.len() {
            let at = self.now + self.dice.millis(0..=500);
            self.queue.add(at, Event::Start(m));
        }
    }

    pub(crate) fn crash_and_restart(&mut self, m: usize, down: Duration) {
        if self.quiet || self.machines[m].process.is_none() {
            return;
        }
        self.tally.bite(Bite::Crash);
        self.crash(m);
        self.queue.add(self.now + down, Event::Start(m));
    }

    /// How much longer a message takes because its link is slow.
    pub(crate) fn slowness(&mut self, link: Link) -> Duration {
        let slow = |o: &Ongoing| matches!(o, Ongoing::SlowLink(links) if links.contains(&link));
        if !self.lasting.values().any(slow) {
            return Duration::ZERO;
        }
        self.tally.bite(Bite::SlowMessage);
        self.dice.millis(50..=800)
    }

    /// The strongest of what is going on counts.
    fn apply_rates(&mut self) {
        (self.loss, self.tail) = (0.0, 0.0);
        for ongoing in self.lasting.values() {
            match *ongoing {
                Ongoing::Loss(rate) => self.loss = self.loss.max(rate),
                Ongoing::LongDelays(rate) => self.tail = self.tail.max(rate),
                _ => {}
            }
        }
    }

    fn part(&mut self, fault: Fault, m: usize, dice: &mut Dice) -> Ongoing {
        let side: Vec<_> = self.machines.iter().map(|_| dice.chance(0.5)).collect();
        let is_cut = |from: usize, to: usize| match fault {
            Fault::OneWayPartition => side[from] && !side[to],
            Fault::BridgedPartition => side[from] != side[to] && from != m && to != m,
            _ => side[from] != side[to],
        };
        let all = |n: usize| (0..n).flat_map(move |from| (0..n).map(move |to| (from, to)));
        let links = all(side.len()).filter(|&(from, to)| is_cut(from, to)).collect();
        let cut = dice.pick(&[Cut::Refused, Cut::Dropped, Cut::Held]).unwrap_or(Cut::Held);
        let bite = match fault {
            Fault::OneWayPartition => Bite::OneWayPartedMessage,
            Fault::BridgedPartition => Bite::BridgedPartedMessage,
            _ => Bite::PartedMessage,
        };
        Ongoing::Partition(self.network.part(Partition { links, cut, bite }))
    }

    /// Both ways between a machine and another one.
    fn links(&self, m: usize, dice: &mut Dice) -> [Link; 2] {
        let steps = dice.number(1..=self.machines.len() - 1);
        let other = (m + steps) % self.machines.len();
        [(m, other), (other, m)]
    }
}
