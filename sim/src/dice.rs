//! All chance of a run, from its seed.

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_pcg::Pcg64;
use std::{ops::RangeInclusive, time::Duration};

pub(crate) struct Dice(Pcg64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(Pcg64::seed_from_u64(seed))
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    /// From 0 up to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.random_range(0.0..1.0)
    }

    pub(crate) fn number(&mut self, range: RangeInclusive<usize>) -> usize {
        self.0.random_range(range)
    }

    pub(crate) fn any(&mut self) -> u64 {
        self.0.random()
    }

    pub(crate) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        self.micros(range.start() * 1_000..=range.end() * 1_000)
    }

    pub(crate) fn micros(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_micros(self.0.random_range(range))
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.choose(&mut self.0).copied()
    }
}
