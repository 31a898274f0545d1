//! Bringing a cluster into being: the ring's id, the objects, the ring.

use super::{Step, target};
use crate::{
    build,
    object::{Difference, Kind, Object},
    observed::{Node, Observed, Pod},
    validate::ValidatedCluster,
};
use dynamo_proto::v1::{BootstrapRequest, RingMember};
use uuid::Uuid;

/// The ring of the volumes that an earlier cluster of this name left, or else a new one.
///
/// A new ring takes the uid of the object that asked for it: an operator that dies before
/// it is recorded comes to the same. `None` while volumes are about to vanish, or when
/// they are of several rings and a person must choose.
pub(super) fn ring_id(cluster: &ValidatedCluster, seen: &Observed) -> Option<Uuid> {
    if seen.volumes.iter().any(|v| v.doomed) {
        return None;
    }
    let old: Vec<_> = seen.old_rings().into_iter().collect();
    match old.as_slice() {
        [] => Some(cluster.uid),
        [one] => Uuid::parse_str(one).ok(),
        _ => None,
    }
}

/// The objects that are not what they should be.
///
/// Services come first, so that names resolve when the first pod starts; the budget and
/// the policy come before there is anything for them to protect; the StatefulSet, which
/// needs all of them, comes last.
pub(super) fn objects(
    cluster: &ValidatedCluster,
    seen: &Observed,
    ring: Uuid,
    replicas: u32,
    operator_namespace: Option<&str>,
) -> Vec<Step> {
    let budget = build::pod_disruption_budget(cluster, replicas);
    let policy = build::network_policy(cluster, operator_namespace);
    let wanted = [
        Some(Object::new(Kind::Service, &build::peer_service(cluster))),
        Some(Object::new(Kind::Service, &build::client_service(cluster))),
        Some(Object::new(Kind::ServiceAccount, &build::service_account(cluster))),
        budget.map(|b| Object::new(Kind::PodDisruptionBudget, &b)),
        Some(Object::new(Kind::NetworkPolicy, &policy)),
        Some(Object::new(Kind::StatefulSet, &build::stateful_set(cluster, ring, replicas))),
    ];
    let apply = |object: Object| match object.difference(seen.live(&object)) {
        Difference::None => None,
        difference => Some(Step::Apply { object, drift: difference == Difference::Drift }),
    };
    wanted.into_iter().flatten().filter_map(apply).collect()
}

/// Whether the ring can be laid now.
#[derive(Clone, Debug, PartialEq)]
pub enum Laying {
    /// There is one, or there was one.
    Laid,
    /// Not yet, and why not.
    Waiting(String),
    /// Now.
    Ready(Box<Step>),
}

/// The ring is laid once, over all the nodes that are asked for, when each of them
/// answers, holds none, and sees all the others.
///
/// A ring that is recorded as laid is never laid again, not even when no node holds it
/// any more: its data may still be on a volume that is only away.
pub fn laying(cluster: &ValidatedCluster, seen: &Observed) -> Laying {
    let Some(ring) = cluster.ring else {
        return Laying::Waiting("the id of the ring is not recorded yet".into());
    };
    if ring.laid || seen.ring.is_some() || seen.nodes(ring.id).any(|n| n.epoch > 0) {
        return Laying::Laid;
    }
    let mut members: Vec<(&Pod, &Node)> = Vec::new();
    for ordinal in 0..target(cluster, seen).replicas {
        let name = cluster.pod(ordinal);
        let Some(pod) = seen.pods.get(&ordinal).filter(|p| !p.terminating) else {
            return Laying::Waiting(format!("pod {name} does not exist yet"));
        };
        match (pod.node_of(ring.id), &pod.trouble) {
            (Some(node), _) => members.push((pod, node)),
            (None, Some(trouble)) => {
                return Laying::Waiting(format!("pod {name} does not run: {trouble}"));
            }
            (None, None) => return Laying::Waiting(format!("pod {name} does not answer yet")),
        }
    }
    for (pod, node) in &members {
        let unseen = members.iter().find(|(_, other)| !sees(node, other));
        if let Some((other, _)) = unseen {
            return Laying::Waiting(format!("pod {} does not see {} yet", pod.name, other.name));
        }
    }
    bootstrap(cluster, ring.id, &members)
}

/// Whether a node sees another up in its present life.
pub(super) fn sees(node: &Node, other: &Node) -> bool {
    node.members.get(&other.id).is_some_and(|s| s.up && s.generation == other.generation)
}

fn bootstrap(cluster: &ValidatedCluster, ring: Uuid, members: &[(&Pod, &Node)]) -> Laying {
    let addressed = members.iter().find_map(|(pod, _)| Some((pod, pod.ip.clone()?)));
    let Some((pod, ip)) = addressed else {
        return Laying::Waiting("no pod has an address yet".into());
    };
    let member = |(pod, node): &(&Pod, &Node)| RingMember {
        node_id: node.id.to_string(),
        zone: pod.zone.clone().unwrap_or_default(),
        weight: 1,
    };
    let request = BootstrapRequest {
        cluster_id: ring.to_string(),
        operation_id: format!("bootstrap-{ring}"),
        partitions: cluster.partitions,
        factor: cluster.factor,
        members: members.iter().map(member).collect(),
    };
    Laying::Ready(Box::new(Step::Bootstrap { pod: pod.name.clone(), ip, request }))
}
