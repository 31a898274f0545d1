//! One pass over a cluster: observe, validate, plan, apply, status.

use crate::{
    api::{ConditionType, DynamoCluster, DynamoClusterStatus, MANAGER},
    apply::{self, ApplyError, said},
    controller::{BUSY, Operator, Refusal, labels, refusal},
    events::{self, Fact, condition, reason},
    metrics::ResultLabels,
    observe::observe,
    plan::{Step, plan},
    status,
    validate::ValidatedCluster,
};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{
        controller::Action,
        events::{Event, EventType, Recorder},
    },
};
use serde_json::json;
use std::time::Duration;
use tracing::{info, warn};

/// When to look again after a change.
const SOON: Duration = Duration::from_secs(2);

/// When to look again otherwise: the nodes are asked, nothing is written.
const IDLE: Duration = Duration::from_secs(45);

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// Reading failed.
    #[error("cannot read from the API server: {}", said(.0))]
    Read(#[source] kube::Error),
    /// A step failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The status could not be written.
    #[error("cannot write the status: {}", said(.0))]
    Status(#[source] kube::Error),
}

/// Looks after one cluster, and says when to look again.
pub(crate) async fn pass(namespace: &str, name: &str, op: &Operator) -> Result<Action, PassError> {
    // Read afresh: what the watch has told may be older than our own last write.
    let api: Api<DynamoCluster> = Api::namespaced(op.client.clone(), namespace);
    let found = api.get_opt(name).await.map_err(PassError::Read)?;
    // Of a cluster that is being deleted the garbage collector deletes the rest.
    let Some(resource) = found.filter(|c| c.metadata.deletion_timestamp.is_none()) else {
        return Ok(Action::await_change());
    };
    let old = resource.status.clone().unwrap_or_default();
    let cluster = match ValidatedCluster::parse(&resource, &op.node_image) {
        Ok(cluster) => cluster,
        Err(why) => {
            let generation = resource.metadata.generation.unwrap_or_default();
            let new = status::invalid(&why, generation, &old, Timestamp::now());
            report(op, &api, &resource, &old, &new, Vec::new()).await?;
            return Ok(Action::await_change());
        }
    };
    let seen = observe(&op.client, &cluster).await.map_err(PassError::Read)?;
    let steps = plan(&cluster, &seen, op.namespace.as_deref());
    if let [Step::RecordRing(ring)] = steps.as_slice() {
        info!(namespace, name, %ring, "recording the id of the ring");
        let new = status::recorded(&cluster, *ring, &old);
        let note = format!("ring {ring} of volumes that an earlier cluster of this name left");
        let adopted = (*ring != cluster.uid).then(|| Fact::normal("RingAdopted", note));
        report(op, &api, &resource, &old, &new, Vec::new()).await?;
        publish(op, &resource, Vec::from_iter(adopted)).await;
        return Ok(Action::requeue(Duration::ZERO));
    }
    let mut facts = Vec::new();
    let done = apply::apply(&op.client, &cluster, &steps, &mut facts).await;
    let outcome = match done {
        Ok(outcome) => outcome,
        Err(error) => {
            publish(op, &resource, facts).await;
            return Err(error.into());
        }
    };
    count_evictions(op, &steps, &outcome);
    let new = status::compute(&cluster, &seen, &old, &outcome);
    report(op, &api, &resource, &old, &new, facts).await?;
    Ok(Action::requeue(again(&new, &outcome)))
}

fn count_evictions(op: &Operator, steps: &[Step], outcome: &status::Outcome) {
    if steps.iter().any(|s| matches!(s, Step::Evict { .. })) {
        let result = if outcome.refused.is_some() { "refused" } else { "ok" };
        op.metrics.evictions.get_or_create(&ResultLabels { result }).inc();
    }
}

fn again(status: &DynamoClusterStatus, outcome: &status::Outcome) -> Duration {
    let progressing = condition(status, ConditionType::Progressing);
    let waiting = progressing.is_some_and(|c| c.is_true() && c.reason != reason::REBALANCE_PENDING);
    let degraded = condition(status, ConditionType::Degraded).is_some_and(|c| c.is_true());
    match () {
        () if outcome.steps > 0 && outcome.refused.is_none() => SOON,
        () if waiting || degraded => BUSY,
        () => IDLE,
    }
}

/// Writes the status if it says anything new, and tells what came to pass: what the
/// statuses tell once it is written, what the steps did in any case.
async fn report(
    op: &Operator,
    api: &Api<DynamoCluster>,
    resource: &DynamoCluster,
    old: &DynamoClusterStatus,
    new: &DynamoClusterStatus,
    done: Vec<Fact>,
) -> Result<(), PassError> {
    let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
    for condition in &new.conditions {
        let labels = labels(&namespace, &name, condition.type_);
        op.metrics.conditions.get_or_create(&labels).set(condition.is_true().into());
    }
    let written = if new == old { Ok(()) } else { write(api, resource, new).await };
    if written.is_ok() {
        publish(op, resource, events::between(old, new)).await;
    }
    publish(op, resource, done).await;
    written
}

/// Writes with the version that was read: the status of another object of the same name,
/// or of a specification not looked at, is never overwritten.
async fn write(
    api: &Api<DynamoCluster>,
    resource: &DynamoCluster,
    status: &DynamoClusterStatus,
) -> Result<(), PassError> {
    let patch = json!({
        "metadata": {"resourceVersion": resource.resource_version(), "uid": resource.uid()},
        "status": status,
    });
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let patched = api.patch_status(&resource.name_any(), &params, &Patch::Merge(patch)).await;
    patched.map(|_| ()).map_err(PassError::Status)
}

/// An event that cannot be published is lost: nothing depends on it.
async fn publish(op: &Operator, resource: &DynamoCluster, facts: Vec<Fact>) {
    let about = resource.object_ref(&());
    for Fact { reason, warning, note } in facts {
        // A fact is told once, so each is an event of its own: a recorder that lives
        // longer would count those of one reason together and keep the first one's words.
        let recorder = Recorder::new(op.client.clone(), op.reporter.clone());
        info!(cluster = resource.name_any(), reason, note, "event");
        let event = Event {
            type_: if warning { EventType::Warning } else { EventType::Normal },
            reason: reason.into(),
            note: Some(note.chars().take(1000).collect()),
            action: "Reconcile".into(),
            secondary: None,
        };
        match recorder.publish(&event, &about).await {
            Err(error) if !matches!(refusal(&error), Refusal::Ending) => {
                let error = said(&error);
                warn!(error, reason, "an event could not be published");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
