//! A failure made short: what can be left out of a schedule so that the same invariant
//! still breaks (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating
//! failure-inducing input", 2002).
//!
//! Faults go first, then clients, then the ends of what clients do, and all that again as
//! long as it helps. Leaving one thing out changes the order in which messages meet, so
//! what remains need not be the least there is; it is real all the same, since every
//! step of it has been run.

use crate::{
    schedule::{Keep, Numbers, Schedule},
    suite::run_caught,
    world::Finished,
};
use std::{collections::BTreeSet, fmt};

/// A failure and the little that is needed for it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The seed.
    pub seed: u64,
    /// What is kept of its schedule.
    pub keep: Keep,
    /// How the shortest run failed.
    pub failed: Finished,
    /// How many runs it took.
    pub runs: usize,
}

/// Shrinks the schedule of a run that failed, in at most so many further runs.
pub fn shrink(failed: &Finished, most_runs: usize) -> Option<Shrunk> {
    let invariant = failed.violation.as_ref()?.invariant;
    let seed = failed.seed;
    let whole = Schedule::draw(seed);
    let mut last = failed.clone();
    let breaks = |keep: &Keep| {
        let run = run_caught(seed, whole.clone().keep(keep), false);
        let same = run.violation.as_ref().is_some_and(|v| v.invariant == invariant);
        if same {
            last = run;
        }
        same
    };
    let mut search = Search { breaks, runs: 0, most_runs };
    let keep = search.shortest(&whole);
    let runs = search.runs;
    Some(Shrunk { seed, keep, failed: last, runs })
}

struct Search<F> {
    /// Whether what is kept still fails.
    breaks: F,
    runs: usize,
    most_runs: usize,
}

/// What is kept, without the question whether it is all there is.
#[derive(Clone, PartialEq)]
struct Part {
    faults: BTreeSet<usize>,
    clients: BTreeSet<usize>,
    operations: usize,
}

impl Part {
    fn keep(&self) -> Keep {
        Keep {
            faults: Some(Numbers(self.faults.clone())),
            clients: Some(Numbers(self.clients.clone())),
            operations: Some(self.operations),
        }
    }
}

impl<F: FnMut(&Keep) -> bool> Search<F> {
    fn shortest(&mut self, whole: &Schedule) -> Keep {
        let mut part = Part {
            faults: whole.fault_numbers(),
            clients: whole.client_numbers(),
            operations: whole.operations(),
        };
        loop {
            let before = part.clone();
            part.faults = self.fewest(&part.faults, |faults| Part { faults, ..part.clone() });
            part.clients = self.fewest(&part.clients, |clients| Part { clients, ..part.clone() });
            part.operations = self.least_operations(&part);
            if part == before || self.runs >= self.most_runs {
                return part.keep();
            }
        }
    }

    /// Leaves out all, then halves, quarters and so on, as long as it still fails.
    fn fewest(
        &mut self,
        all: &BTreeSet<usize>,
        part: impl Fn(BTreeSet<usize>) -> Part,
    ) -> BTreeSet<usize> {
        let mut items: Vec<_> = all.iter().copied().collect();
        let mut chunk = items.len();
        while chunk > 0 {
            let mut from = 0;
            while from < items.len() {
                let to = items.len().min(from + chunk);
                let rest: Vec<_> = [&items[..from], &items[to..]].concat();
                if self.still_breaks(&part(rest.iter().copied().collect())) {
                    items = rest;
                } else {
                    from = to;
                }
            }
            chunk /= 2;
        }
        items.into_iter().collect()
    }

    fn least_operations(&mut self, part: &Part) -> usize {
        let (mut passes, mut fails) = (0, part.operations);
        while fails - passes > 1 {
            let operations = passes + (fails - passes) / 2;
            if self.still_breaks(&Part { operations, ..part.clone() }) {
                fails = operations;
            } else {
                passes = operations;
            }
        }
        fails
    }

    fn still_breaks(&mut self, part: &Part) -> bool {
        if self.runs >= self.most_runs {
            return false;
        }
        self.runs += 1;
        (self.breaks)(&part.keep())
    }
}

/// The short schedule in words, and how to run it.
impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shrunk { seed, keep, failed, runs } = self;
        if let Some(violation) = &failed.violation {
            writeln!(f, "seed {seed}, shrunk in {runs} runs: {violation}")?;
        }
        write!(f, "{}", Schedule::draw(*seed).keep(keep))?;
        write!(f, "  cargo run -p dynamo-sim --release -- --seed {seed}{keep}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(keep: &Keep) -> bool {
        let has = |numbers: &Option<Numbers>, n| numbers.as_ref().is_some_and(|s| s.0.contains(&n));
        has(&keep.faults, 1)
            && has(&keep.faults, 3)
            && has(&keep.clients, 2)
            && keep.operations >= Some(9)
    }

    #[test]
    fn what_is_needed_for_a_failure_is_all_that_is_left() {
        let mut search = Search { breaks: needs, runs: 0, most_runs: 1_000 };
        let keep = search.shortest(&Schedule::draw(7));
        let (faults, clients) = (Some(Numbers([1, 3].into())), Some(Numbers([2].into())));
        assert_eq!(keep, Keep { faults, clients, operations: Some(9) });
    }

    #[test]
    fn without_runs_nothing_is_left_out() {
        let whole = Schedule::draw(7);
        let mut search = Search { breaks: needs, runs: 0, most_runs: 0 };
        assert_eq!(search.shortest(&whole).faults, Some(Numbers(whole.fault_numbers())));
    }
}
