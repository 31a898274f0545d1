//! The cluster of a run and its load: how many nodes, their quorums, the keys, how long
//! clients are at work and how their operations are spread over that time.

use crate::dice::Dice;
use dynamo_core::{limits::Bounds, reap::Reaping};
use std::{ops::RangeInclusive, time::Duration};

/// What all clients of a run do together, retries not counted.
pub(crate) const OPERATIONS: usize = 300;

/// When tombstones are reaped in a run that is about it. Clocks are up to 10 s apart and
/// retries go on for 6 s. A message is held for 1 s or so by a fault and 1.5 s on its way;
/// a request takes at most 1 s.
const REAPING: Reaping =
    Reaping { after: Duration::from_secs(18), settle: Duration::from_secs(10) };

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Machines that the ring is laid over.
    pub(crate) members: usize,
    /// Machines that join during the load.
    pub(crate) late: usize,
    pub(crate) zones: usize,
    pub(crate) partitions: usize,
    pub(crate) factor: usize,
    pub(crate) read_quorum: usize,
    pub(crate) write_quorum: usize,
    /// Machines that may lose what they have stored.
    pub(crate) victims: usize,
    /// The smallest W that a client may ask for.
    pub(crate) least_write: usize,
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    /// Over which time the operations of each client are spread.
    pub(crate) load: Duration,
    /// How many of them come at a time.
    pub(crate) burst: usize,
    /// The longest time between the beginnings of two faults, in milliseconds.
    pub(crate) calm: u64,
    /// How long faults last, in milliseconds.
    pub(crate) lasts: RangeInclusive<u64>,
    /// Whether a node comes back at another address.
    pub(crate) moving: bool,
    /// Whether every commit is synced.
    pub(crate) syncs: bool,
    pub(crate) bounds: Bounds,
    pub(crate) reaping: Reaping,
    /// Whether it is about tombstones: they are reaped during the load, and clients do not
    /// try for long.
    pub(crate) reaps: bool,
    /// Whether tombstones are reaped at once. Then clients never try again: a retry after
    /// that would not be recognised, and nothing else may depend on the age.
    pub(crate) hasty: bool,
    /// Whether a member is away for long, and nobody is left to keep hints for it.
    pub(crate) away: bool,
}

impl Scenario {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let nodes = dice.number(5..=9);
        let late = dice.number(0..=2);
        let reaps = dice.chance(0.3);
        let hasty = reaps && dice.chance(0.5);
        let away = reaps && dice.chance(0.4);
        let members = if away { (nodes - late).min(5) } else { nodes - late };
        let factor = match dice.number(0..=9) {
            _ if away => members,
            0 => 2,
            1 if members >= 5 => 5,
            _ => 3,
        };
        let (read_quorum, write_quorum) = quorums(dice, factor);
        let lasts = match dice.number(0..=2) {
            0 => 50..=1_000,
            1 => 1_000..=8_000,
            _ => 100..=8_000,
        };
        let lasts = if reaps { 50..=1_000 } else { lasts };
        let load = if reaps { dice.millis(40_000..=60_000) } else { dice.millis(10_000..=30_000) };
        // Where everything is broken all the time, nothing is done that could go wrong.
        let calms: &[u64] = match *lasts.end() {
            // A round of reaping ends with every crash.
            _ if away => &[20_000],
            1_001.. => &[2_500, 6_000],
            _ => &[800, 2_500],
        };
        Scenario {
            members,
            late,
            zones: dice.number(0..=3),
            // At least one for every node.
            partitions: 1 << dice.number(4..=6),
            factor,
            read_quorum,
            write_quorum,
            victims: 0,
            least_write: 1,
            clients: dice.number(3..=7),
            keys: dice.number(3..=30),
            load,
            burst: dice.pick(&[1, 1, 5, 20]).unwrap_or(1),
            calm: dice.pick(calms).unwrap_or(2_500),
            lasts,
            moving: dice.chance(0.3),
            syncs: dice.chance(0.7),
            bounds: Bounds {
                siblings: dice.pick(&[3, 64]).unwrap_or(64),
                clock: dice.pick(&[3, 32, 32]).unwrap_or(32),
                ..Bounds::default()
            },
            reaping: match (reaps, hasty) {
                (true, true) => Reaping { after: Duration::ZERO, ..REAPING },
                (true, false) => REAPING,
                (false, _) => Reaping::default(),
            },
            reaps,
            hasty,
            away,
        }
    }

    pub(crate) fn nodes(&self) -> usize {
        self.members + self.late
    }
}

/// R and W. Most overlap; some do not, and promise less.
fn quorums(dice: &mut Dice, factor: usize) -> (usize, usize) {
    if dice.chance(0.6) {
        let majority = factor / 2 + 1;
        return (majority, majority);
    }
    let write = dice.number(1..=factor);
    if dice.chance(0.7) {
        (dice.number(factor - write + 1..=factor), write)
    } else {
        (dice.number(1..=factor - write + 1), write)
    }
}
