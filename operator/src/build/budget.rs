//! What drains of machines, and the operator's own rolls, may interrupt.

use super::{label_selector, metadata};
use crate::validate::ValidatedCluster;
use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

/// None for a single node: there is nothing for it to protect. One that is left over
/// from more nodes does no harm, since it lets one pod be away.
///
/// Pods that are not ready may always be evicted: they serve nobody, and a broken one
/// must not keep a machine from being drained or itself from being replaced.
pub fn pod_disruption_budget(
    cluster: &ValidatedCluster,
    replicas: u32,
) -> Option<PodDisruptionBudget> {
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(cluster.max_unavailable)),
        selector: Some(label_selector(cluster)),
        unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
        ..PodDisruptionBudgetSpec::default()
    };
    (replicas > 1).then(|| PodDisruptionBudget {
        metadata: metadata(cluster, cluster.workload()),
        spec: Some(spec),
        ..PodDisruptionBudget::default()
    })
}
