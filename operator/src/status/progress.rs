//! What the operator is doing, and what it waits for.

use super::Finding;
use crate::{
    api::{ConditionType, DynamoClusterStatus, NodeState},
    events::{is_rolling, reason},
    observed::Observed,
    plan::{Laying, Roll, laying, roll, target},
    validate::ValidatedCluster,
};

/// What the steps of a pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many were taken.
    pub steps: usize,
    /// Why a pod could not be evicted: its name and what the API server said.
    pub refused: Option<(String, String)>,
}

pub(super) fn finding(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
    new: &DynamoClusterStatus,
    outcome: &Outcome,
) -> Finding {
    let (reason, message) = progress(cluster, seen, old, new, outcome);
    let holds = ![reason::STABLE, "Paused"].contains(&reason);
    Finding::new(ConditionType::Progressing, holds, reason, message)
}

fn progress(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
    new: &DynamoClusterStatus,
    outcome: &Outcome,
) -> (&'static str, String) {
    if cluster.paused {
        return ("Paused", "spec.paused is true".into());
    }
    if let Some(what) = seen.in_the_way(cluster) {
        return ("WaitingForName", what);
    }
    if cluster.ring.is_none() && outcome.steps == 0 {
        let message = "volumes of an earlier cluster of this name are in the way";
        return ("WaitingForVolumes", message.into());
    }
    if let Some((pod, why)) = &outcome.refused {
        return (reason::REFUSED, format!("pod {pod} may not be evicted now: {why}"));
    }
    if let Some(message) = rolling(cluster, seen, old, new) {
        return (reason::ROLLING, message);
    }
    if outcome.steps > 0 || seen.workload.as_ref().is_some_and(|w| !w.current) {
        return ("Applying", "changes have just been made".into());
    }
    if let Laying::Waiting(what) = laying(cluster, seen) {
        return ("WaitingForNodes", what);
    }
    joining(cluster, seen, new)
}

/// A roll begins when pods are seen to be outdated, and goes on until every pod is back,
/// not only until the last is sent away.
fn rolling(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
    new: &DynamoClusterStatus,
) -> Option<String> {
    let (updated, all) = (new.updated_replicas, target(cluster, seen).replicas);
    let so_far = format!("{updated} of {all} pods are changed");
    if !is_rolling(old) && !seen.workload.as_ref().is_some_and(|w| w.current) {
        return None;
    }
    match roll(cluster, seen) {
        Roll::Wait(why) => Some(format!("{so_far}; {why}")),
        Roll::Evict(pod) => Some(format!("{so_far}; {} is being replaced", pod.name)),
        Roll::Done if is_rolling(old) => {
            let away = (0..all).find(|o| seen.pods.get(o).is_none_or(|p| !p.is_ready()))?;
            Some(format!("{so_far}; pod {} is not ready yet", cluster.pod(away)))
        }
        Roll::Done => None,
    }
}

fn joining(
    cluster: &ValidatedCluster,
    seen: &Observed,
    new: &DynamoClusterStatus,
) -> (&'static str, String) {
    let wanted = target(cluster, seen).replicas;
    let without = |n: &&crate::api::NodeStatus| n.partitions == 0;
    let away: Vec<_> = new
        .nodes
        .iter()
        .filter(without)
        .filter(|n| n.state != NodeState::Joined)
        .map(|n| n.pod_name.as_str())
        .collect();
    let waiting: Vec<_> = new.nodes.iter().filter(without).map(|n| n.pod_name.as_str()).collect();
    if seen.ring.is_some() && !away.is_empty() {
        return ("NodesJoining", format!("waiting for {} to join", away.join(", ")));
    }
    if seen.ring.is_some() && !waiting.is_empty() {
        let message = format!(
            "{} joined and forward requests, but own no partitions: a later version of the \
             operator will move some to them",
            waiting.join(", ")
        );
        return (reason::REBALANCE_PENDING, message);
    }
    (reason::STABLE, format!("{wanted} nodes, as asked for"))
}
