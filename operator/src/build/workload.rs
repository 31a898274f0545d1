//! The StatefulSet.
//!
//! Pods are started in parallel: with ordered starts a roll that was reverted stays
//! stuck behind the pod it broke. They are replaced only when the operator evicts them
//! (`OnDelete`), because it alone knows whether the others agree.

use super::{container::container, label_selector, labels, metadata, placement, selector};
use crate::{api::RING_ID, validate::ValidatedCluster};
use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
            StatefulSetUpdateStrategy,
        },
        core::v1::{
            PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSecurityContext, PodSpec,
            PodTemplateSpec, SeccompProfile, VolumeResourceRequirements,
        },
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::api::ObjectMeta;
use uuid::Uuid;

/// The name of the volume, and the first part of the name of each claim.
pub const VOLUME: &str = "data";

/// How many replicas the operator gave the StatefulSet when it applied it last. What
/// differs from that was changed by somebody else.
pub const REPLICAS: &str = "dynamokv.io/replicas";

const RESTARTED_AT: &str = "dynamokv.io/restarted-at";

/// Who nodes run as; the images name the same.
const USER: i64 = 65532;

/// The pods of a cluster and their volumes.
pub fn stateful_set(cluster: &ValidatedCluster, ring: Uuid, replicas: u32) -> StatefulSet {
    let mut metadata = metadata(cluster, cluster.workload());
    metadata.annotations = Some([(REPLICAS.into(), replicas.to_string())].into());
    let when_deleted = if cluster.deletes_data() { "Delete" } else { "Retain" };
    let spec = StatefulSetSpec {
        replicas: i32::try_from(replicas).ok(),
        service_name: Some(cluster.peers()),
        selector: label_selector(cluster),
        pod_management_policy: Some("Parallel".into()),
        update_strategy: Some(StatefulSetUpdateStrategy {
            type_: Some("OnDelete".into()),
            ..StatefulSetUpdateStrategy::default()
        }),
        persistent_volume_claim_retention_policy: Some(
            StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(when_deleted.into()),
                when_scaled: Some("Retain".into()),
            },
        ),
        template: template(cluster, ring),
        volume_claim_templates: Some(vec![volume(cluster, ring)]),
        ..StatefulSetSpec::default()
    };
    StatefulSet { metadata, spec: Some(spec), ..StatefulSet::default() }
}

fn template(cluster: &ValidatedCluster, ring: Uuid) -> PodTemplateSpec {
    let given = &cluster.pod_template.metadata;
    let mut labels = labels(cluster);
    labels.extend(given.labels.clone());
    let mut annotations = given.annotations.clone();
    if let Some(at) = &cluster.restarted_at {
        annotations.insert(RESTARTED_AT.into(), at.0.to_string());
    }
    let metadata = ObjectMeta {
        labels: Some(labels),
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..ObjectMeta::default()
    };
    let mut pod = PodSpec {
        containers: vec![container(cluster, ring)],
        service_account_name: Some(cluster.workload()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(30),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".into()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    };
    placement::place(cluster, &mut pod);
    PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) }
}

/// The claim carries the id of the ring, so that a cluster made again finds it.
fn volume(cluster: &ValidatedCluster, ring: Uuid) -> PersistentVolumeClaim {
    let metadata = ObjectMeta {
        name: Some(VOLUME.into()),
        labels: Some(selector(cluster)),
        annotations: Some([(RING_ID.into(), ring.to_string())].into()),
        ..ObjectMeta::default()
    };
    let requests = [("storage".to_owned(), Quantity(cluster.storage.size.clone()))];
    let spec = PersistentVolumeClaimSpec {
        access_modes: Some(vec!["ReadWriteOnce".into()]),
        storage_class_name: cluster.storage.storage_class_name.clone(),
        resources: Some(VolumeResourceRequirements {
            requests: Some(requests.into()),
            ..VolumeResourceRequirements::default()
        }),
        ..PersistentVolumeClaimSpec::default()
    };
    PersistentVolumeClaim { metadata, spec: Some(spec), ..PersistentVolumeClaim::default() }
}
