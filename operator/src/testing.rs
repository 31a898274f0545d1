//! What tests share: a cluster in memory.

use crate::{
    api::DynamoCluster,
    build::{REPLICAS, VOLUME},
    object::{Kind, Object},
    observed::{Node, Observed, Pod, Sight, Workload},
    plan::{Step, plan},
    validate::ValidatedCluster,
};
use dynamo_core::{
    id::NodeId,
    ring::{Plan, Ring, Seal, Seat},
};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub(crate) const UID: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";

/// The resource as the API server would hand it over, from its specification as YAML.
pub(crate) fn resource(spec: &str) -> DynamoCluster {
    let mut body: serde_json::Value = serde_yaml_ng::from_str(spec).unwrap();
    body["apiVersion"] = json!("dynamokv.io/v1alpha1");
    body["kind"] = json!("DynamoCluster");
    body["metadata"] = json!({
        "name": "cart", "namespace": "shop", "uid": UID, "generation": 7, "resourceVersion": "1",
    });
    serde_json::from_value(body).unwrap()
}

/// A parsed cluster of three nodes whose ring id is recorded.
pub(crate) fn cluster() -> ValidatedCluster {
    cluster_of("spec: {replicas: 3, storage: {size: 10Gi}}")
}

pub(crate) fn cluster_of(spec: &str) -> ValidatedCluster {
    let mut resource = resource(spec);
    let mut status = resource.status.take().unwrap_or_default();
    status.ring = Some(crate::api::RingStatus { id: UID.into(), epoch: 0, partitions: 0 });
    resource.status = Some(status);
    ValidatedCluster::parse(&resource, "dynamokv/node:1").unwrap()
}

pub(crate) fn laid(mut cluster: ValidatedCluster) -> ValidatedCluster {
    let ring = cluster.ring.as_mut().unwrap();
    ring.laid = true;
    cluster
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn id(ordinal: u32) -> NodeId {
    NodeId(u64::from(ordinal) + 1)
}

/// A node that has heard of `size` nodes, all up.
pub(crate) fn node(ordinal: u32, size: u32, epoch: u64) -> Node {
    let sight = Sight { up: true, generation: 1 };
    Node {
        cluster: UID.into(),
        id: id(ordinal),
        generation: 1,
        version: "0.1.0".into(),
        epoch,
        ready: epoch > 0,
        pending_hints: 0,
        members: (0..size).map(|o| (id(o), sight)).collect(),
    }
}

/// A ready pod of revision "a".
pub(crate) fn pod(cluster: &ValidatedCluster, ordinal: u32, node: Node) -> Pod {
    Pod {
        name: cluster.pod(ordinal),
        uid: format!("uid-{ordinal}"),
        ip: Some(format!("10.0.0.{ordinal}")),
        zone: Some(format!("z{ordinal}")),
        revision: "a".into(),
        ready_since: (node.epoch > 0).then(|| now() - SignedDuration::from_secs(60)),
        started: true,
        node: Some(node),
        ..Pod::default()
    }
}

pub(crate) fn ring(size: u32) -> Ring {
    let seat = |o| Seat { node: id(o), zone: format!("z{o}"), weight: 1 };
    let plan = Plan {
        operation: "bootstrap".into(),
        partitions: 8,
        factor: 3.min(size as usize),
        seats: (0..size).map(seat).collect(),
    };
    Ring::first(plan, Seal([0; 16])).unwrap()
}

/// A cluster in which `size` pods run and everything the operator wants exists; with a
/// ring over all of them when `epoch` is not 0.
pub(crate) fn running(cluster: &ValidatedCluster, size: u32, epoch: u64) -> Observed {
    let mut seen = Observed { now: now(), ..Observed::default() };
    let settled = ValidatedCluster { replicas: size, ..cluster.clone() };
    for step in plan(&settled, &seen, None) {
        if let Step::Apply { object, .. } = step {
            seen.live.insert((object.kind, object.name.clone()), object.body);
        }
    }
    read_workload(&mut seen);
    for ordinal in 0..size {
        seen.pods.insert(ordinal, pod(cluster, ordinal, node(ordinal, size, epoch)));
    }
    seen.ring = (epoch > 0).then(|| ring(size));
    seen
}

/// Reads the StatefulSet among the live objects.
fn read_workload(seen: &mut Observed) {
    let set = seen.live.iter().find(|((kind, _), _)| *kind == Kind::StatefulSet).unwrap().1;
    let replicas = u32::try_from(set["spec"]["replicas"].as_u64().unwrap()).unwrap();
    let given = set["metadata"]["annotations"][REPLICAS].as_str().unwrap().parse().unwrap();
    let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    let (image, revision) = (image.into(), "a".into());
    seen.workload = Some(Workload { replicas, given, current: true, revision, image });
}

/// Somebody scales the StatefulSet itself.
pub(crate) fn scale_directly(seen: &mut Observed, replicas: u32) {
    let (_, set) = seen.live.iter_mut().find(|((k, _), _)| *k == Kind::StatefulSet).unwrap();
    set["spec"]["replicas"] = json!(replicas);
    read_workload(seen);
}

/// The step that applies an object.
pub(crate) fn apply(object: Object) -> Step {
    Step::Apply { object, drift: false }
}

/// The name of the claim of a pod.
pub(crate) fn claim(cluster: &ValidatedCluster, ordinal: u32) -> String {
    format!("{VOLUME}-{}", cluster.pod(ordinal))
}
