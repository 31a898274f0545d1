//! Decides what to do next. Pure: the same cluster and observation give the same steps,
//! and tests compare the lists.
//!
//! ```text
//!  no ring id yet ──▶ record it in the status, before anything exists
//!  objects differ ──▶ apply them
//!  no ring laid   ──▶ all nodes answer and see each other ──▶ bootstrap one of them
//!  pods outdated  ──▶ evict one, when nothing speaks against it
//! ```
//! A pass takes one of these at a time: what follows is decided on what is seen then.

mod create;
mod roll;
mod scale;

pub use create::{Laying, laying};
pub use roll::{Roll, roll};
pub use scale::{Target, target};

use crate::{object::Object, observed::Observed, validate::ValidatedCluster};
use dynamo_proto::v1::BootstrapRequest;
use uuid::Uuid;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write the ring's id into the status.
    RecordRing(Uuid),
    /// Make an object what it should be.
    Apply {
        /// What it should be.
        object: Object,
        /// Whether somebody else had changed it.
        drift: bool,
    },
    /// Lay the ring.
    Bootstrap {
        /// The pod to ask.
        pod: String,
        /// Its address.
        ip: String,
        /// What to ask.
        request: BootstrapRequest,
    },
    /// Have a pod replaced.
    Evict {
        /// Its name.
        pod: String,
        /// Which of that name.
        uid: String,
    },
}

/// What to do next; nothing if all is well, or nothing can be done.
pub fn plan(
    cluster: &ValidatedCluster,
    seen: &Observed,
    operator_namespace: Option<&str>,
) -> Vec<Step> {
    if cluster.paused || seen.in_the_way(cluster).is_some() {
        return Vec::new();
    }
    let Some(ring) = cluster.ring else {
        return create::ring_id(cluster, seen).map(Step::RecordRing).into_iter().collect();
    };
    let replicas = target(cluster, seen).replicas;
    let objects = create::objects(cluster, seen, ring.id, replicas, operator_namespace);
    if !objects.is_empty() {
        return objects;
    }
    if let Laying::Ready(step) = laying(cluster, seen) {
        return vec![*step];
    }
    match roll(cluster, seen) {
        Roll::Evict(pod) => vec![Step::Evict { pod: pod.name.clone(), uid: pod.uid.clone() }],
        Roll::Done | Roll::Wait(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
