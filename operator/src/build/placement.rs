//! Where pods run: spread over zones, and each on a machine of its own if possible.

use super::label_selector;
use crate::{api::AntiAffinity, validate::ValidatedCluster};
use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, PodSpec, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};

pub(super) fn place(cluster: &ValidatedCluster, pod: &mut PodSpec) {
    let placement = &cluster.placement;
    pod.affinity = affinity(cluster);
    pod.topology_spread_constraints = Some(spread(cluster));
    if !placement.node_selector.is_empty() {
        pod.node_selector = Some(placement.node_selector.clone());
    }
    if !placement.tolerations.is_empty() {
        pod.tolerations = Some(placement.tolerations.clone());
    }
}

fn affinity(cluster: &ValidatedCluster) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(label_selector(cluster)),
        topology_key: "kubernetes.io/hostname".into(),
        ..PodAffinityTerm::default()
    };
    let anti = match cluster.placement.anti_affinity {
        AntiAffinity::None => return None,
        AntiAffinity::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        AntiAffinity::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term },
            ]),
            ..PodAntiAffinity::default()
        },
    };
    Some(Affinity { pod_anti_affinity: Some(anti), ..Affinity::default() })
}

fn spread(cluster: &ValidatedCluster) -> Vec<TopologySpreadConstraint> {
    let given = &cluster.placement.topology_spread_constraints;
    if given.is_empty() {
        return vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: cluster.placement.zone_key.clone(),
            when_unsatisfiable: "ScheduleAnyway".into(),
            label_selector: Some(label_selector(cluster)),
            ..TopologySpreadConstraint::default()
        }];
    }
    let mut given = given.clone();
    for constraint in &mut given {
        constraint.label_selector.get_or_insert_with(|| label_selector(cluster));
    }
    given
}
