//! The φ accrual failure detector (Hayashibara, Défago, Yared and Katayama, 2004), one
//! for each member: how long a silence is suspicious is learnt from the member's past.
//!
//! φ is −log10 of the probability that a living member is silent for so long, if the
//! intervals between its signs of life are distributed normally with the mean and the
//! deviation of the last of them. A member is taken for dead when φ reaches 8. Since φ
//! grows with the silence, that is the same as a silence of the mean and 5.61
//! deviations, which is what is computed: additions and one square root, the same on
//! every machine.

use std::time::Duration;

/// How many intervals are remembered.
const WINDOW: usize = 32;

/// So many deviations above the mean a normal distribution has φ = 8 left: one wrong
/// suspicion in 10^8 intervals.
const DEVIATIONS_AT_THRESHOLD: f64 = 5.612;

/// The smallest deviation that is believed, in milliseconds. Heartbeats that came like
/// clockwork may well miss some rounds: gossip chooses its partners at random.
const MIN_DEVIATION_MS: f64 = 1_000.0;

/// Before so many intervals were seen, silence is judged by [`UNLEARNT`].
const MIN_INTERVALS: usize = 8;
const UNLEARNT: Duration = Duration::from_secs(10);

/// A longer interval was an absence, not slowness, and counts as this one. It bounds
/// what can be learnt: no death goes unnoticed for longer than 34 s.
const MAX_INTERVAL_MS: u16 = 10_000;

/// Watches one member. All times are of the clock that stands still while the observer
/// does, see `Attention`.
#[derive(Clone, Debug)]
pub(super) struct Detector {
    /// The last intervals in milliseconds, the oldest overwritten first.
    window: [u16; WINDOW],
    seen: usize,
    /// When its heartbeat grew last, and when there was any sign of life.
    beat: Duration,
    alive: Duration,
    /// The silence at which φ reaches its threshold.
    limit: Duration,
}

impl Detector {
    /// Begins to watch.
    pub(super) fn new(now: Duration) -> Self {
        Detector { window: [0; WINDOW], seen: 0, beat: now, alive: now, limit: UNLEARNT }
    }

    /// The heartbeat was seen to grow, whoever told it.
    pub(super) fn beat(&mut self, now: Duration) {
        let interval = now.saturating_sub(self.beat).as_millis();
        let interval = u16::try_from(interval).unwrap_or(u16::MAX).min(MAX_INTERVAL_MS);
        self.window[self.seen % WINDOW] = interval;
        self.seen += 1;
        self.limit = self.learnt();
        self.restart(now);
    }

    /// Another process has begun: the time before it was no silence of a living one.
    pub(super) fn restart(&mut self, now: Duration) {
        self.beat = now;
        self.alive = now;
    }

    /// The member itself said something. How often it does depends on what it is asked,
    /// so nothing is learnt from that.
    pub(super) fn speaks(&mut self, now: Duration) {
        self.alive = now;
    }

    /// Whether φ has reached its threshold.
    pub(super) fn is_dead(&self, now: Duration) -> bool {
        now.saturating_sub(self.alive) >= self.limit
    }

    fn learnt(&self) -> Duration {
        let intervals = &self.window[..self.seen.min(WINDOW)];
        if intervals.len() < MIN_INTERVALS {
            return UNLEARNT;
        }
        // At most 32 · 10^8: sums of whole numbers are exact in f64.
        let count = intervals.len() as f64;
        let mean = intervals.iter().map(|&i| f64::from(i)).sum::<f64>() / count;
        let squares = intervals.iter().map(|&i| f64::from(i) * f64::from(i)).sum::<f64>();
        let deviation = (squares / count - mean * mean).max(0.0).sqrt().max(MIN_DEVIATION_MS);
        Duration::from_secs_f64((mean + DEVIATIONS_AT_THRESHOLD * deviation) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A detector that saw these intervals, and when the last ended. It must not have
    /// suspected anybody meanwhile.
    fn after(intervals: impl IntoIterator<Item = u64>) -> (Detector, Duration) {
        let (mut detector, mut now) = (Detector::new(ms(0)), ms(0));
        for interval in intervals {
            now += ms(interval);
            assert!(!detector.is_dead(now), "suspected after {interval} ms of silence");
            detector.beat(now);
        }
        (detector, now)
    }

    #[test]
    fn a_death_after_steady_heartbeats_is_noticed_within_seven_seconds() {
        let (detector, last) = after(std::iter::repeat_n(1_000, 100));
        assert!(!detector.is_dead(last + ms(5_000)), "some rounds may be missed");
        assert!(detector.is_dead(last + ms(7_000)));
    }

    #[test]
    fn jitter_widens_the_limit() {
        let (detector, last) = after((0..100).map(|i| if i % 4 == 0 { 5_000 } else { 500 }));
        assert!(!detector.is_dead(last + ms(9_000)));
        assert!(detector.is_dead(last + ms(13_000)));
    }

    #[test]
    fn a_network_that_slows_down_is_followed() {
        let slower = (0..100).map(|i| 1_000 + i * 80);
        let (detector, last) = after(slower);
        assert!(!detector.is_dead(last + ms(10_000)));
        assert!(detector.is_dead(last + ms(20_000)));
    }

    #[test]
    fn whatever_was_learnt_a_death_is_noticed_within_34_seconds() {
        for absences in 0..=WINDOW {
            let mut detector = Detector::new(ms(0));
            let mut now = ms(0);
            for i in 0..WINDOW {
                now += if i < absences { ms(3_600_000) } else { ms(0) };
                detector.beat(now);
            }
            assert!(detector.is_dead(now + ms(34_000)), "{absences} absences");
        }
    }

    #[test]
    fn an_absence_is_forgotten() {
        let steady = || std::iter::repeat_n(1_000, 100);
        let (mut detector, mut now) = after(steady());
        now += ms(600_000);
        detector.beat(now);
        for interval in steady() {
            now += ms(interval);
            detector.beat(now);
        }
        assert!(detector.is_dead(now + ms(7_000)));
    }

    #[test]
    fn who_speaks_is_alive_without_heartbeats() {
        let (mut detector, last) = after(std::iter::repeat_n(1_000, 100));
        detector.speaks(last + ms(6_000));
        assert!(!detector.is_dead(last + ms(12_000)));
        assert!(detector.is_dead(last + ms(13_000)));
    }
}
