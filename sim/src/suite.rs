//! Many seeds, on two threads: fresh ones and those that were recorded because they once
//! found something.

use crate::{
    invariants::Violation,
    schedule::Schedule,
    tally::{Tally, grouped},
    world::{Finished, run_schedule},
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Every run is one thread; this many of them go side by side.
const THREADS: usize = 2;

/// With so many seeds every kind of fault must have hit something.
const ENOUGH: u64 = 100;

/// What a suite consists of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The first fresh seed.
    pub start: u64,
    /// How many of them.
    pub seeds: u64,
    /// Whether recorded seeds run as well.
    pub recorded: bool,
    /// Whether it ends when a seed has failed.
    pub until_failure: bool,
}

/// A seed that is run every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Which.
    pub seed: u64,
    /// Why it is kept.
    pub why: String,
}

/// What became of many seeds.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was run.
    pub options: Options,
    /// How many recorded seeds there were.
    pub recorded: usize,
    /// Those that broke an invariant, by seed.
    pub failed: Vec<Finished>,
    /// All counts together.
    pub tally: Tally,
}

impl Recorded {
    /// All of them, as they stand in `sim/seeds.txt`.
    pub fn all() -> Vec<Recorded> {
        Self::parse(include_str!("../seeds.txt"))
    }

    /// Lines of a seed and a reason; others are comments.
    fn parse(text: &str) -> Vec<Recorded> {
        let line = |line: &str| {
            let (seed, why) = line.split_once(' ')?;
            Some(Recorded { seed: seed.parse().ok()?, why: why.trim().into() })
        };
        text.lines().filter_map(line).collect()
    }
}

/// Runs a suite.
pub fn run_all(options: Options) -> Summary {
    let recorded = if options.recorded { Recorded::all() } else { Vec::new() };
    let recorded: Vec<_> = recorded.into_iter().map(|r| r.seed).collect();
    let fresh = (0..options.seeds).map(|n| options.start.wrapping_add(n));
    let seeds: Vec<u64> = recorded.iter().copied().chain(fresh).collect();
    let (next, enough) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (failed, tally) = (Vec::new(), Tally::default());
    let summary = Mutex::new(Summary { options, recorded: recorded.len(), failed, tally });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    let finished = run_caught(seed, Schedule::draw(seed), false);
                    if finished.violation.is_some() && options.until_failure {
                        enough.store(true, Ordering::Relaxed);
                    }
                    summary.lock().unwrap_or_else(PoisonError::into_inner).add(finished);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failed.sort_by_key(|f| f.seed);
    summary
}

/// Runs a schedule, and prints its trace if wanted. A panic of the core is a failure of
/// this run, and of no other.
pub fn run_caught(seed: u64, schedule: Schedule, printing: bool) -> Finished {
    let run = AssertUnwindSafe(|| run_schedule(seed, schedule, printing));
    catch_unwind(run).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let violation = Some(Violation::new("the core never panics", said.into()));
        Finished { seed, hash: 0, tally: Tally::default(), violation }
    })
}

impl Summary {
    fn add(&mut self, finished: Finished) {
        self.tally.add(&finished.tally);
        if finished.violation.is_some() {
            self.failed.push(finished);
        }
    }

    /// Faults that never hit anything, although there were seeds enough: what they are
    /// to prove is not proved.
    pub fn never_bit(&self) -> Vec<&'static str> {
        if self.options.seeds < ENOUGH || self.options.until_failure {
            return Vec::new();
        }
        self.tally.bites().filter(|(_, times)| *times == 0).map(|(fault, _)| fault).collect()
    }
}

/// One line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { options, recorded, failed, tally } = self;
        write!(f, "{} seeds from {}", grouped(options.seeds), options.start)?;
        if *recorded > 0 {
            write!(f, " and {recorded} recorded")?;
        }
        match failed.as_slice() {
            [] => write!(f, ": all passed; {tally}"),
            [first, ..] => {
                write!(f, ": {} FAILED, the first is {}; {tally}", failed.len(), first.seed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_in_which_a_fault_never_bit_says_so() {
        let options = Options { start: 0, seeds: 100, recorded: false, until_failure: false };
        let (failed, tally) = (Vec::new(), Tally::default());
        let mut summary = Summary { options, recorded: 0, failed, tally };
        assert!(summary.never_bit().contains(&"crashes"));
        summary.options.seeds = 99;
        assert!(summary.never_bit().is_empty());
    }

    #[test]
    fn every_line_of_the_record_is_a_comment_or_a_seed_with_its_reason() {
        let text = include_str!("../seeds.txt");
        let lines = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
        let recorded = Recorded::all();
        assert_eq!(lines.count(), recorded.len());
        assert!(recorded.iter().all(|r| !r.why.is_empty()));
        assert!(!recorded.is_empty());
    }
}
