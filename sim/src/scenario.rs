//! What a seed stands for: the size of the cluster, its quorums, the load and the faults
//! that may happen.

use crate::{dice::Dice, faults::Fault};
use std::time::Duration;

#[derive(Debug)]
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
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    /// How long there is load.
    pub(crate) load: Duration,
    /// The longest that a client rests between operations.
    pub(crate) rest: u64,
    /// Of a message being the end of its stream, and of a long delay.
    pub(crate) loss: f64,
    pub(crate) tail: f64,
    /// Faults that may happen, and the longest time between two of them.
    pub(crate) faults: Vec<Fault>,
    pub(crate) calm: u64,
    /// Whether a node comes back at another address.
    pub(crate) moving: bool,
}

impl Scenario {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let members = dice.number(3..=7);
        let factor = match dice.number(0..=9) {
            0 => 2,
            1 if members >= 5 => 5,
            _ => 3,
        };
        let (read_quorum, write_quorum) = quorums(dice, factor);
        let faults = Fault::ALL.into_iter().filter(|_| dice.chance(0.6)).collect();
        Scenario {
            members,
            late: dice.number(0..=2),
            zones: dice.number(0..=3),
            partitions: 1 << dice.number(3..=6),
            factor,
            read_quorum,
            write_quorum,
            clients: dice.number(3..=7),
            keys: dice.number(3..=30),
            load: dice.millis(12_000..=30_000),
            rest: dice.pick(&[100, 300, 800]).unwrap_or(300),
            loss: dice.pick(&[0.0, 0.001, 0.01]).unwrap_or(0.0),
            tail: dice.pick(&[0.001, 0.01, 0.05]).unwrap_or(0.01),
            faults,
            calm: dice.pick(&[800, 2_500, 6_000]).unwrap_or(2_500),
            moving: dice.chance(0.3),
        }
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
