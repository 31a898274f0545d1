//! Computes the status from what was seen. Pure; it says nothing that changes by itself
//! with time, so that an idle cluster is never written.

mod conditions;
mod nodes;
mod progress;

pub use progress::Outcome;

use crate::{
    api::{Condition, ConditionType, DynamoClusterStatus, RingStatus},
    build,
    observed::Observed,
    validate::{Invalid, ValidatedCluster},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

/// What a condition says, before it is known since when.
struct Finding {
    kind: ConditionType,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn new(kind: ConditionType, holds: bool, reason: &'static str, message: String) -> Self {
        Finding { kind, status: if holds { "True" } else { "False" }, reason, message }
    }
}

/// The status after a pass: `old` is the one before it, `outcome` what its steps did.
pub fn compute(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
    outcome: &Outcome,
) -> DynamoClusterStatus {
    let pods = || seen.pods.values().filter(|p| !p.terminating);
    let outdated = seen.outdated().filter(|p| !p.terminating).count();
    let mut new = DynamoClusterStatus {
        observed_generation: Some(cluster.generation),
        replicas: count(pods().count()),
        ready_replicas: count(pods().filter(|p| p.is_ready()).count()),
        updated_replicas: count(pods().count() - outdated),
        selector: Some(build::selector_text(cluster)),
        quorum: Some(quorum(cluster)),
        current_version: old.current_version.clone(),
        target_version: Some(cluster.image.clone()),
        ring: ring(cluster, seen, old),
        nodes: nodes::nodes(cluster, seen, old),
        conditions: Vec::new(),
    };
    let mut findings = conditions::findings(cluster, seen, &new.nodes);
    findings.push(progress::finding(cluster, seen, old, &new, outcome));
    new.conditions = dated(findings, &old.conditions, seen.now, cluster.generation);
    if is_uniform(cluster, seen) {
        new.current_version = Some(cluster.image.clone());
    }
    new
}

/// The status when the ring's id is written, before anything exists.
pub fn recorded(
    cluster: &ValidatedCluster,
    ring: uuid::Uuid,
    old: &DynamoClusterStatus,
) -> DynamoClusterStatus {
    DynamoClusterStatus {
        selector: Some(build::selector_text(cluster)),
        quorum: Some(quorum(cluster)),
        target_version: Some(cluster.image.clone()),
        ring: Some(RingStatus { id: ring.to_string(), ..RingStatus::default() }),
        ..old.clone()
    }
}

/// The status of a cluster that is left alone because it cannot be understood.
pub fn invalid(
    why: &Invalid,
    generation: i64,
    old: &DynamoClusterStatus,
    now: Timestamp,
) -> DynamoClusterStatus {
    let message = format!("the cluster is left as it is: {why}");
    let kind = ConditionType::Degraded;
    let finding = Finding::new(kind, true, "InvalidSpec", message);
    let mut new = old.clone();
    new.observed_generation = Some(generation);
    new.conditions.retain(|c| c.type_ != kind);
    new.conditions.extend(dated(vec![finding], &old.conditions, now, generation));
    new
}

fn quorum(cluster: &ValidatedCluster) -> String {
    format!("{}/{}/{}", cluster.factor, cluster.read_quorum, cluster.write_quorum)
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// What is known of the ring. An epoch is never taken back: a ring that no node holds
/// for the moment has been laid all the same.
fn ring(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
) -> Option<RingStatus> {
    let id = cluster.ring?.id.to_string();
    let mut ring = old.ring.clone().unwrap_or_default();
    ring.id = id;
    if let Some(now) = &seen.ring {
        ring.epoch = ring.epoch.max(i64::try_from(now.epoch()).unwrap_or(i64::MAX));
        ring.partitions = count(now.partitions());
    }
    Some(ring)
}

/// Whether all nodes that are wanted run the image that is wanted.
fn is_uniform(cluster: &ValidatedCluster, seen: &Observed) -> bool {
    let ready = seen.pods.values().filter(|p| p.is_ready()).count();
    let workload = seen.workload.as_ref();
    seen.outdated().next().is_none()
        && workload.is_some_and(|w| w.current && w.image == cluster.image)
        && u32::try_from(ready).is_ok_and(|ready| ready >= cluster.replicas)
}

/// A condition keeps its time as long as its status stays what it is.
fn dated(
    findings: Vec<Finding>,
    old: &[Condition],
    now: Timestamp,
    generation: i64,
) -> Vec<Condition> {
    // The API server keeps whole seconds.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let condition = |f: Finding| {
        let before = old.iter().find(|c| c.type_ == f.kind && c.status == f.status);
        Condition {
            type_: f.kind,
            status: f.status.into(),
            reason: f.reason.into(),
            message: f.message,
            last_transition_time: before.map_or(Time(now), |c| c.last_transition_time.clone()),
            observed_generation: Some(generation),
        }
    };
    findings.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests;
