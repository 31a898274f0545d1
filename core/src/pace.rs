//! How fast background work may go (paper, section 6.5): it is admitted by how the
//! foreground fares. "The admission controller … changes the number of time slices
//! available to background tasks"; here it is the number of records under way at a time.
//!
//! What requests take while there is no background work is the yardstick. As long as they
//! take little more beside it, the window grows by half each second; otherwise it shrinks
//! by half.

use std::time::Duration;

/// The most records under way when nobody else asks for anything.
pub const WIDEST: usize = 256;

/// And beside requests. What several nodes send to one adds up there, in one batch and one
/// sync that requests wait for.
pub const BESIDE_REQUESTS: usize = 32;

/// The fewest: background work never stops, or it would never end.
const NARROWEST: usize = 2;

/// Requests may take so much longer beside background work, or this long, whichever is more.
const TOLERATED: f64 = 1.3;
const HARMLESS: Duration = Duration::from_millis(2);

/// How much the latest second counts in the yardstick.
const FRESH: f64 = 0.2;

/// The yardstick follows a change of load even while there is always background work, but
/// slowly: by this much a second.
const CREEP: f64 = 0.02;

/// The controller.
#[derive(Clone, Debug)]
pub struct Pace {
    /// What a request took on average when all was quiet, in seconds.
    quiet: Option<f64>,
    /// Of the requests since the last adjustment.
    sum: f64,
    count: u32,
    window: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { quiet: None, sum: 0.0, count: 0, window: NARROWEST * 8 }
    }
}

impl Pace {
    /// A request has ended.
    pub fn observe(&mut self, took: Duration) {
        self.sum += took.as_secs_f64();
        self.count += 1;
    }

    /// To be called once a second. `busy` says whether there was background work.
    pub fn adjust(&mut self, busy: bool) {
        let mean = (self.count > 0).then(|| self.sum / f64::from(self.count));
        (self.sum, self.count) = (0.0, 0);
        let Some(mean) = mean else {
            self.widen(WIDEST);
            return;
        };
        self.window = self.window.min(BESIDE_REQUESTS);
        let quiet = *self.quiet.get_or_insert(mean);
        if !busy {
            self.quiet = Some(quiet + FRESH * (mean - quiet));
            return;
        }
        self.quiet = Some(quiet + (CREEP * quiet).min((mean - quiet).max(0.0)));
        if mean > (quiet * TOLERATED).max(HARMLESS.as_secs_f64()) {
            self.window = (self.window / 2).max(NARROWEST);
        } else {
            self.widen(BESIDE_REQUESTS);
        }
    }

    fn widen(&mut self, limit: usize) {
        self.window = (self.window + self.window / 2).min(limit);
    }

    /// How many records may be under way.
    pub fn window(&self) -> usize {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(pace: &mut Pace, millis: u64, busy: bool) {
        (0..100).for_each(|_| pace.observe(Duration::from_millis(millis)));
        pace.adjust(busy);
    }

    #[test]
    fn it_widens_as_long_as_requests_do_not_suffer_and_narrows_when_they_do() {
        let mut pace = Pace::default();
        (0..5).for_each(|_| second(&mut pace, 5, false));
        (0..10).for_each(|_| second(&mut pace, 6, true));
        assert_eq!(pace.window(), BESIDE_REQUESTS);
        (0..10).for_each(|_| second(&mut pace, 20, true));
        assert_eq!(pace.window(), NARROWEST);
    }

    #[test]
    fn nobody_is_disturbed_when_there_are_no_requests() {
        let mut pace = Pace::default();
        (0..10).for_each(|_| pace.adjust(true));
        assert_eq!(pace.window(), WIDEST);
    }

    #[test]
    fn a_load_that_has_grown_for_good_does_not_starve_background_work() {
        let mut pace = Pace::default();
        second(&mut pace, 5, false);
        (0..200).for_each(|_| second(&mut pace, 20, true));
        assert_eq!(pace.window(), BESIDE_REQUESTS);
    }
}
