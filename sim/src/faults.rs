//! What goes wrong, and when it ends.

use crate::{
    machine::MAX_SKEW_MS,
    network::{Cut, Link, Partition},
    tally::Bite,
    world::{Event, World},
};
use std::collections::BTreeSet;

/// A kind of fault. Loss and delay of single messages come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Two groups of machines do not hear each other.
    Partition,
    /// One group does not hear another, which hears it.
    OneWayPartition,
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
    /// The streams of two machines break.
    BrokenStreams,
}

/// A fault that is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Partition(u64),
    Pause(usize),
    SickDisk(usize),
    SlowDisk(usize),
}

impl Fault {
    pub(crate) const ALL: [Fault; 9] = [
        Fault::Partition,
        Fault::OneWayPartition,
        Fault::Pause,
        Fault::Crash,
        Fault::Drain,
        Fault::SickDisk,
        Fault::SlowDisk,
        Fault::ClockStep,
        Fault::BrokenStreams,
    ];
}

impl World {
    /// Lets one thing go wrong, and another one some time later.
    pub(crate) fn fault(&mut self) {
        if self.quiet {
            return;
        }
        let m = self.dice.number(0..=self.machines.len() - 1);
        let running = self.machines[m].process.as_ref().is_some_and(|p| !p.draining);
        let lasts = self.dice.millis(100..=8_000);
        if let Some(fault) = self.dice.pick(&self.scenario.faults) {
            self.trace.line(self.now, format_args!("fault {fault:?} n{m} for {lasts:?}"));
            let over = match fault {
                Fault::Partition | Fault::OneWayPartition => {
                    Some(self.part(fault == Fault::OneWayPartition))
                }
                Fault::BrokenStreams => {
                    self.break_streams(m);
                    None
                }
                Fault::ClockStep => {
                    self.tally.bite(Bite::ClockStep);
                    self.machines[m].skew_ms = self.dice.number(0..=2 * MAX_SKEW_MS);
                    None
                }
                Fault::SickDisk => {
                    self.machines[m].disk.sick = true;
                    Some(Over::SickDisk(m))
                }
                Fault::SlowDisk => {
                    self.machines[m].disk.slow = true;
                    Some(Over::SlowDisk(m))
                }
                Fault::Pause => self.pause(m),
                Fault::Crash => {
                    self.doom(m);
                    None
                }
                Fault::Drain if running => {
                    self.drain(m);
                    None
                }
                Fault::Drain => None,
            };
            if let Some(over) = over {
                self.queue.add(self.now + lasts, Event::Over(over));
                self.lasting.push(over);
            }
        }
        let next = self.now + self.dice.millis(100..=self.scenario.calm);
        self.queue.add(next, Event::Fault);
    }

    /// Ends a fault.
    pub(crate) fn over(&mut self, over: Over) {
        match over {
            Over::Partition(number) => self.heal(number),
            Over::SickDisk(m) => self.machines[m].disk.sick = false,
            Over::SlowDisk(m) => self.machines[m].disk.slow = false,
            Over::Pause(m) => {
                if let Some(process) = &mut self.machines[m].process {
                    process.paused = false;
                    process.resumed = self.now;
                    // Its disk may have been done long ago.
                    if process.batch.is_some() {
                        self.queue.add(self.now, Event::Disk(m, self.machines[m].generation));
                    }
                    self.turn(m);
                }
            }
        }
    }

    /// Ends all faults: from here on everything must come right.
    pub(crate) fn end_all_faults(&mut self) {
        self.trace.line(self.now, format_args!("quiet"));
        self.quiet = true;
        self.loss = 0.0;
        self.tail = 0.0;
        for over in std::mem::take(&mut self.lasting) {
            self.over(over);
        }
        for m in 0..self.machines.len() {
            let at = self.now + self.dice.millis(0..=500);
            self.queue.add(at, Event::Start(m));
        }
    }

    /// Crashes a process now or in the middle of its next batch.
    fn doom(&mut self, m: usize) {
        let in_batch = self.dice.chance(0.5);
        match &mut self.machines[m].process {
            Some(process) if in_batch => process.doomed = true,
            _ => self.crash_and_restart(m),
        }
    }

    pub(crate) fn crash_and_restart(&mut self, m: usize) {
        if self.quiet || self.machines[m].process.is_none() {
            return;
        }
        self.tally.bite(Bite::Crash);
        self.crash(m);
        let back = self.now + self.dice.millis(100..=8_000);
        self.queue.add(back, Event::Start(m));
    }

    fn pause(&mut self, m: usize) -> Option<Over> {
        let process = self.machines[m].process.as_mut()?;
        process.paused = true;
        Some(Over::Pause(m))
    }

    fn part(&mut self, one_way: bool) -> Over {
        let side: Vec<_> = self.machines.iter().map(|_| self.dice.chance(0.5)).collect();
        let mut links = BTreeSet::new();
        for (from, from_side) in side.iter().enumerate() {
            for (to, to_side) in side.iter().enumerate() {
                if from_side != to_side && (!one_way || *from_side) {
                    links.insert((from, to));
                }
            }
        }
        let cut = self.dice.pick(&[Cut::Refused, Cut::Dropped, Cut::Held]).unwrap_or(Cut::Held);
        Over::Partition(self.network.part(Partition { links, cut, one_way }))
    }

    fn break_streams(&mut self, m: usize) {
        let other = self.dice.number(0..=self.machines.len() - 1);
        let links: [Link; 2] = [(m, other), (other, m)];
        for link in links {
            let silent = self.dice.chance(0.3);
            self.break_stream(link, silent);
        }
    }
}
