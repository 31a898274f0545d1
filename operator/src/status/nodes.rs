//! The list of nodes, by pod.

use super::count;
use crate::{
    api::{DynamoClusterStatus, NodeState, NodeStatus},
    observed::{Observed, Pod},
    plan::target,
    validate::ValidatedCluster,
};
use dynamo_core::{id::NodeId, ring::Ring};

/// One entry for each pod that there is or should be. What a node that does not answer
/// said last is kept.
pub(super) fn nodes(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
) -> Vec<NodeStatus> {
    let last = seen.pods.keys().next_back().map_or(0, |o| o + 1);
    let wanted = if seen.workload.is_some() { target(cluster, seen).replicas } else { 0 };
    (0..last.max(wanted)).map(|ordinal| node(cluster, seen, old, ordinal)).collect()
}

fn node(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
    ordinal: u32,
) -> NodeStatus {
    let pod_name = cluster.pod(ordinal);
    let old = old.nodes.iter().find(|n| n.pod_name == pod_name);
    let pod = seen.pods.get(&ordinal);
    let report = pod.and_then(|p| p.node_of(cluster.ring?.id));
    let node_id = report.map(|n| n.id.to_string());
    let node_id = node_id.or_else(|| old.and_then(|n| n.node_id.clone()));
    let id = node_id.as_ref().and_then(|id| id.parse::<NodeId>().ok());
    let seat = seen.ring.as_ref().zip(id);
    let partitions = match &seen.ring {
        Some(ring) => id.map_or(0, |id| count(ring.owned_by(id))),
        None => old.map_or(0, |n| n.partitions),
    };
    let zone = seat.and_then(|(ring, id)| zone(ring, id));
    let zone = zone.or_else(|| pod.and_then(|p| p.zone.clone()));
    let version = report.map(|n| n.version.clone());
    NodeStatus {
        state: state(seen, pod, report.map(|n| (n.ready, n.epoch)), partitions),
        zone: zone.or_else(|| old.and_then(|n| n.zone.clone())),
        pending_hints: report.map(|n| i32::try_from(n.pending_hints).unwrap_or(i32::MAX)),
        version: version.or_else(|| old.and_then(|n| n.version.clone())),
        pod_name,
        node_id,
        partitions,
    }
}

fn zone(ring: &Ring, id: NodeId) -> Option<String> {
    let seat = ring.seats().iter().find(|s| s.node == id)?;
    (!seat.zone.is_empty()).then(|| seat.zone.clone())
}

fn state(
    seen: &Observed,
    pod: Option<&Pod>,
    report: Option<(bool, u64)>,
    partitions: i32,
) -> NodeState {
    let Some(pod) = pod else { return NodeState::Pending };
    match report {
        _ if pod.terminating => NodeState::Stopping,
        None if pod.started && pod.trouble.is_none() => NodeState::Unreachable,
        None => NodeState::Pending,
        Some((_, 0)) if seen.ring.is_none() => NodeState::WaitingForRing,
        Some(_) if partitions == 0 => NodeState::Joined,
        Some((true, _)) if pod.is_ready() => NodeState::Normal,
        Some(_) => NodeState::NotReady,
    }
}
