//! Dealing partitions to members.
//!
//! Smooth weighted round robin: at every step each member earns its weight, the
//! richest gets the partition and pays for it with the sum of all weights. Each member
//! ends within one partition of its share, and its partitions lie evenly spread, so
//! that the replicas of a member's partitions fall on all others alike. Among equally
//! rich members the one whose zone was dealt to longest ago comes first, so that
//! neighbours on the ring are of different zones.

use super::{Seat, zones};
use std::cmp::Reverse;

/// The seat of each partition's owner. Depends on nothing but its arguments.
pub(super) fn deal(seats: &[Seat], partitions: usize) -> Vec<u16> {
    let total: i64 = seats.iter().map(|s| i64::from(s.weight)).sum();
    let (zone, zone_count) = zones(seats);
    let mut credit = vec![0i64; seats.len()];
    // The step at which each zone was last dealt to.
    let mut dealt = vec![0usize; zone_count];
    let mut owners = Vec::with_capacity(partitions);
    for step in 1..=partitions {
        for (credit, seat) in credit.iter_mut().zip(seats) {
            *credit += i64::from(seat.weight);
        }
        let next = (0..seats.len())
            .max_by_key(|&i| (credit[i], Reverse(dealt[zone[i]]), Reverse(i)))
            .expect("a ring has members");
        credit[next] -= total;
        dealt[zone[next]] = step;
        owners.push(u16::try_from(next).expect("members are at most 1,000"));
    }
    owners
}
