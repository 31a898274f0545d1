//! Picks out of Kubernetes objects what matters.

use crate::{
    api::RING_ID,
    build::REPLICAS,
    observed::{Pod, Volume, Workload},
};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{self, ContainerStatus, PersistentVolumeClaim},
    },
    jiff::Timestamp,
};
use kube::ResourceExt;

/// The number at the end of a pod's name.
pub(super) fn ordinal(pod: &str) -> u32 {
    pod.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or_default()
}

pub(super) fn workload(set: &StatefulSet) -> Workload {
    let spec = set.spec.clone().unwrap_or_default();
    let replicas = u32::try_from(spec.replicas.unwrap_or(1)).unwrap_or_default();
    let container = spec.template.spec.and_then(|pod| pod.containers.into_iter().next());
    let status = set.status.clone().unwrap_or_default();
    Workload {
        replicas,
        given: set.annotations().get(REPLICAS).and_then(|r| r.parse().ok()).unwrap_or(replicas),
        current: status.observed_generation == set.metadata.generation,
        revision: status.update_revision.unwrap_or_default(),
        image: container.and_then(|c| c.image).unwrap_or_default(),
    }
}

/// The uid of the owner, the machine, and the rest.
pub(super) fn pod(pod: &v1::Pod) -> (Option<String>, Option<String>, Pod) {
    let owners = pod.metadata.owner_references.iter().flatten();
    let owner = owners.filter(|o| o.controller == Some(true)).map(|o| o.uid.clone()).next();
    let machine = pod.spec.as_ref().and_then(|s| s.node_name.clone());
    let status = pod.status.as_ref();
    let container = status.and_then(|s| s.container_statuses.as_ref()?.first());
    let seen = Pod {
        name: pod.name_any(),
        uid: pod.uid().unwrap_or_default(),
        ip: status.and_then(|s| s.pod_ip.clone()),
        revision: pod.labels().get("controller-revision-hash").cloned().unwrap_or_default(),
        ready_since: ready_since(pod),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        started: container.is_some_and(has_run),
        trouble: container.and_then(waiting).or_else(|| unschedulable(pod)),
        ..Pod::default()
    };
    (owner, machine, seen)
}

fn ready_since(pod: &v1::Pod) -> Option<Timestamp> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let ready = conditions.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
    Some(ready.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0))
}

fn has_run(container: &ContainerStatus) -> bool {
    let state = container.state.as_ref();
    container.restart_count > 0
        || state.is_some_and(|s| s.running.is_some() || s.terminated.is_some())
        || container.last_state.as_ref().is_some_and(|s| s.terminated.is_some())
}

/// What keeps a container from running, unless it is only on its way.
fn waiting(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or("Waiting");
    if ["ContainerCreating", "PodInitializing"].contains(&reason) {
        return None;
    }
    // The message of a crash names the back-off, which grows: the reason alone is stable.
    let image = reason.contains("Image") || reason == "CreateContainerConfigError";
    let message = waiting.message.as_deref().filter(|_| image);
    Some(message.map_or_else(|| reason.to_owned(), |m| format!("{reason}: {m}")))
}

fn unschedulable(pod: &v1::Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let scheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    let message = scheduled.message.as_deref().unwrap_or("no machine fits");
    Some(format!("Unschedulable: {message}"))
}

/// A claim without the annotation is none of ours. One that has an owner, while there is
/// no StatefulSet, is about to be collected with the one that made it.
pub(super) fn volume(
    claim: &PersistentVolumeClaim,
    prefix: &str,
    has_workload: bool,
) -> Option<Volume> {
    let orphaned = !has_workload && !claim.owner_references().is_empty();
    Some(Volume {
        ordinal: claim.name_any().strip_prefix(prefix)?.parse().ok()?,
        ring: claim.annotations().get(RING_ID)?.clone(),
        doomed: orphaned || claim.metadata.deletion_timestamp.is_some(),
    })
}
