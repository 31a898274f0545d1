//! Builds the Kubernetes objects of a cluster. Pure: the same cluster gives the same
//! objects, and the pods do not depend on how many there are, nor on the version of the
//! operator, so that neither restarts a node.

mod account;
mod budget;
mod container;
mod placement;
mod policy;
mod services;
mod workload;

pub use account::service_account;
pub use budget::pod_disruption_budget;
pub use policy::network_policy;
pub use services::{client_service, peer_service};
pub use workload::{REPLICAS, VOLUME, stateful_set};

use crate::{api::MANAGER, validate::ValidatedCluster};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ObjectMeta;
use std::collections::BTreeMap;

/// Where clients call.
pub const CLIENT_PORT: i32 = 7070;

/// Where nodes call each other, and the operator calls them.
pub const PEER_PORT: i32 = 7071;

/// Probes and metrics.
pub const HTTP_PORT: i32 = 7072;

/// What all objects made by the operator are labelled with.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", MANAGER);

/// The labels by which the pods and volumes of a cluster are found. A StatefulSet cannot
/// change them.
pub fn selector(cluster: &ValidatedCluster) -> BTreeMap<String, String> {
    let labels = [
        ("app.kubernetes.io/name", "dynamo"),
        ("app.kubernetes.io/instance", &cluster.name),
        ("app.kubernetes.io/component", "node"),
    ];
    labels.map(|(k, v)| (k.into(), v.into())).into()
}

/// The same as text, for queries and for the scale subresource.
pub fn selector_text(cluster: &ValidatedCluster) -> String {
    let labels: Vec<_> = selector(cluster).iter().map(|(k, v)| format!("{k}={v}")).collect();
    labels.join(",")
}

fn labels(cluster: &ValidatedCluster) -> BTreeMap<String, String> {
    let mut labels = selector(cluster);
    labels.insert(MANAGED_BY.0.into(), MANAGED_BY.1.into());
    labels
}

fn metadata(cluster: &ValidatedCluster, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(labels(cluster)),
        owner_references: Some(vec![cluster.owner.clone()]),
        ..ObjectMeta::default()
    }
}

fn label_selector(cluster: &ValidatedCluster) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(cluster)), ..LabelSelector::default() }
}

#[cfg(test)]
mod tests;
