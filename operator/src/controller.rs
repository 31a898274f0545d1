//! The loop: which clusters are looked at, when, and what becomes of errors.

use crate::{
    api::{ConditionType, DynamoCluster, MANAGER},
    apply::ApplyError,
    build::MANAGED_BY,
    metrics::{ConditionLabels, Metrics, ResultLabels},
    pass::{PassError, pass},
};
use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    runtime::{
        Config, Controller,
        controller::{Action, Error as ControllerError},
        events::Reporter,
        watcher,
    },
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{debug, error, warn};

/// How many clusters are looked at at once; the same one never twice.
const CONCURRENCY: u16 = 8;

/// Several changes that come together are one reason to look.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// When to look again while something is going on, or after an error.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// What a pass needs besides the cluster.
pub struct Operator {
    /// The API server.
    pub client: Client,
    /// Look at this namespace only.
    pub watched: Option<String>,
    /// Where the operator itself runs, if it runs in a pod.
    pub namespace: Option<String>,
    /// The image of clusters that name none.
    pub node_image: String,
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// Who publishes events.
    pub reporter: Reporter,
}

impl Operator {
    /// Who publishes events: the operator, and which of its pods.
    pub fn reporter(instance: String) -> Reporter {
        Reporter { controller: MANAGER.into(), instance: Some(instance) }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        match &self.watched {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

/// Looks after all clusters until `stop` completes, and then until passes that are under
/// way have ended.
pub async fn run(operator: Arc<Operator>, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let (key, value) = MANAGED_BY;
    let ours = || watcher::Config::default().labels(&format!("{key}={value}"));
    let settings = Config::default().concurrency(CONCURRENCY).debounce(DEBOUNCE);
    // No predicate: a pass that finds nothing to do writes nothing, so our own writes
    // cannot keep us busy, and no change of metadata, such as a deletion, is overlooked.
    Controller::new(operator.api::<DynamoCluster>(), watcher::Config::default())
        .owns(operator.api::<StatefulSet>(), ours())
        .owns(operator.api::<Service>(), ours())
        .owns(operator.api::<ServiceAccount>(), ours())
        .owns(operator.api::<PodDisruptionBudget>(), ours())
        .owns(operator.api::<NetworkPolicy>(), ours())
        .with_config(settings)
        .graceful_shutdown_on(stop)
        .run(reconcile, retry, operator.clone())
        .for_each(|result| {
            match result {
                // Failed passes have been logged where they are retried.
                Ok(_) | Err(ControllerError::ReconcilerFailed(..)) => {}
                Err(ControllerError::ObjectNotFound(gone)) => forget(&operator, &gone),
                Err(error) => warn!(%error, "watching the API server"),
            }
            futures::future::ready(())
        })
        .await;
}

/// A cluster that is gone has no conditions.
fn forget<K: Resource>(operator: &Operator, gone: &kube::runtime::reflector::ObjectRef<K>) {
    let namespace = gone.namespace.clone().unwrap_or_default();
    for kind in ConditionType::ALL {
        operator.metrics.conditions.remove(&labels(&namespace, &gone.name, kind));
    }
}

pub(crate) fn labels(namespace: &str, cluster: &str, kind: ConditionType) -> ConditionLabels {
    let (namespace, cluster) = (namespace.into(), cluster.into());
    ConditionLabels { namespace, cluster, condition: format!("{kind:?}") }
}

fn retry(cluster: Arc<DynamoCluster>, error: &PassError, operator: Arc<Operator>) -> Action {
    let (namespace, name) = (cluster.namespace().unwrap_or_default(), cluster.name_any());
    let cause = match error {
        PassError::Read(error) | PassError::Status(error) => Some(error),
        PassError::Apply(ApplyError::Kubernetes { source, .. }) => Some(&**source),
        PassError::Apply(ApplyError::Bootstrap { .. }) => None,
    };
    match cause.map_or(Refusal::Other, refusal) {
        Refusal::Changed => {
            debug!(namespace, name, %error, "the cluster changed meanwhile");
            return Action::requeue(Duration::from_secs(1));
        }
        Refusal::Ending => {
            debug!(namespace, name, %error, "the namespace is being deleted");
            return Action::requeue(BUSY);
        }
        Refusal::Busy => warn!(namespace, name, %error, "the API server is busy"),
        Refusal::Other => error!(namespace, name, %error, "the cluster could not be looked after"),
    }
    operator.metrics.passes.get_or_create(&ResultLabels { result: "error" }).inc();
    Action::requeue(BUSY)
}

/// Refusals of the API server that are no fault of anybody's.
pub(crate) enum Refusal {
    /// Somebody edited or deleted the cluster during the pass: look again.
    Changed,
    /// Nothing can be made in the namespace any more, and all that is there goes.
    Ending,
    /// Later.
    Busy,
    /// Any other.
    Other,
}

pub(crate) fn refusal(error: &kube::Error) -> Refusal {
    let kube::Error::Api(status) = error else { return Refusal::Other };
    let causes = status.details.iter().flat_map(|d| &d.causes);
    match status.code {
        404 | 409 => Refusal::Changed,
        429 | 503 | 504 => Refusal::Busy,
        403 if causes.into_iter().any(|c| c.reason == "NamespaceTerminating") => Refusal::Ending,
        _ => Refusal::Other,
    }
}

async fn reconcile(cluster: Arc<DynamoCluster>, op: Arc<Operator>) -> Result<Action, PassError> {
    let started = Instant::now();
    let action = pass(&cluster.namespace().unwrap_or_default(), &cluster.name_any(), &op).await?;
    op.metrics.seconds.observe(started.elapsed().as_secs_f64());
    op.metrics.passes.get_or_create(&ResultLabels { result: "ok" }).inc();
    Ok(action)
}
