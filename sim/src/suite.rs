//! Many seeds, on two threads.

use crate::{
    tally::{Tally, grouped},
    world::{Finished, run},
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Every run is one thread; this many of them go side by side.
const THREADS: usize = 2;

/// What became of many seeds.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The first.
    pub start: u64,
    /// How many.
    pub seeds: u64,
    /// Those that broke an invariant, by seed.
    pub failed: Vec<Finished>,
    /// All counts together.
    pub tally: Tally,
}

/// Runs `seeds` seeds from `start` on.
pub fn run_all(start: u64, seeds: u64) -> Summary {
    let next = AtomicU64::new(0);
    let summary = Mutex::new(Summary { start, seeds, failed: Vec::new(), tally: Tally::default() });
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= seeds {
                        break;
                    }
                    let finished = run_caught(start.wrapping_add(n));
                    summary.lock().unwrap_or_else(PoisonError::into_inner).add(finished);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failed.sort_by_key(|f| f.seed);
    summary
}

/// A panic of the core is a failure of its seed, not of all.
fn run_caught(seed: u64) -> Finished {
    catch_unwind(AssertUnwindSafe(|| run(seed, false))).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        let violation = Some(format!("the core panicked: {said}"));
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
}

/// One line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { start, seeds, failed, tally } = self;
        write!(f, "{} seeds from {start}: ", grouped(*seeds))?;
        match failed.as_slice() {
            [] => write!(f, "all passed; {tally}"),
            [first, ..] => {
                write!(f, "{} FAILED, the first is {}; {tally}", failed.len(), first.seed)
            }
        }
    }
}
