//! How many pods there should be.
//!
//! More nodes may always join. Fewer would take partitions with them, which cannot be
//! moved away yet, so the number never falls, unless there is certainly no ring.

use crate::{observed::Observed, validate::ValidatedCluster};

/// How many pods there should be, and whether that is what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The replicas of the StatefulSet.
    pub replicas: u32,
    /// True when fewer were asked for.
    pub blocked: bool,
}

/// The number asked for, but not less than the operator has given the StatefulSet.
///
/// A StatefulSet that somebody else has scaled is not looked at: what was given counts.
/// One that does not exist gets a pod for every volume of the ring, since each of them
/// may hold partitions.
pub fn target(cluster: &ValidatedCluster, seen: &Observed) -> Target {
    let held = match &seen.workload {
        Some(workload) => workload.given,
        None => of_the_ring(cluster, seen),
    };
    if cluster.replicas >= held || has_no_ring(cluster, seen) {
        Target { replicas: cluster.replicas, blocked: false }
    } else {
        Target { replicas: held, blocked: true }
    }
}

fn of_the_ring(cluster: &ValidatedCluster, seen: &Observed) -> u32 {
    let ring = cluster.ring.map(|r| r.id.to_string());
    let volumes = seen.volumes.iter().filter(|v| Some(&v.ring) == ring.as_ref());
    volumes.map(|v| v.ordinal + 1).max().unwrap_or(0)
}

/// Only of a ring of this object's own, none of whose nodes can hold one unseen: each
/// has said that it does not, or has never run.
fn has_no_ring(cluster: &ValidatedCluster, seen: &Observed) -> bool {
    let Some(ring) = cluster.ring else { return false };
    let empty = seen.pods.values().all(|p| match &p.node {
        Some(node) => node.epoch == 0,
        None => !p.started,
    });
    !ring.laid && ring.id == cluster.uid && seen.workload.is_some() && empty
}
