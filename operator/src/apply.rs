//! Does what was planned, one step after the other, and stops at the first that fails:
//! the next pass starts from what is then.
//!
//! # Rights
//!
//! This is all that the operator asks of the API server. A right that is not here is not
//! needed.
//!
//! | group | resource | verbs | why |
//! |---|---|---|---|
//! | dynamokv.io | dynamoclusters | get list watch | what is wanted |
//! | dynamokv.io | dynamoclusters/status | patch | what is |
//! | (core) | services, serviceaccounts | get list watch create patch | server-side apply creates and patches |
//! | policy | poddisruptionbudgets | get list watch create patch | |
//! | networking.k8s.io | networkpolicies | get list watch create patch | |
//! | apps | statefulsets | get list watch create patch | |
//! | (core) | pods | list | readiness, addresses, revisions |
//! | (core) | pods/eviction | create | the careful roll |
//! | (core) | persistentvolumeclaims | list | data of an earlier cluster of the same name |
//! | (core) | nodes | get | the zone of a pod's machine |
//! | events.k8s.io | events | create | facts, each told once |
//! | coordination.k8s.io | leases | get create patch | in the operator's own namespace only |

use crate::{
    admin::{self, AdminError},
    api::MANAGER,
    events::Fact,
    object::Object,
    plan::Step,
    status::Outcome,
    validate::ValidatedCluster,
};
use k8s_openapi::{
    api::{core::v1::Pod, policy::v1::Eviction},
    apimachinery::pkg::apis::meta::v1::{DeleteOptions, Preconditions},
};
use kube::{
    Api, Client,
    api::{DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
    core::Status,
};
use serde_json::Value;
use tracing::info;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server refused.
    #[error("cannot {what}: {}", said(source))]
    Kubernetes {
        /// What was tried.
        what: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// A node refused.
    #[error("cannot lay the ring through pod {pod}: {source}")]
    Bootstrap {
        /// The pod that was asked.
        pod: String,
        /// What it said.
        source: AdminError,
    },
}

/// What the API server said, in one line: the error itself shows all of its answer twice.
pub(crate) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Takes the steps. What happened is added to `facts`, also when a later step fails.
pub async fn apply(
    client: &Client,
    cluster: &ValidatedCluster,
    steps: &[Step],
    facts: &mut Vec<Fact>,
) -> Result<Outcome, ApplyError> {
    let mut outcome = Outcome::default();
    for step in steps {
        match step {
            // Written with the status, by whoever wrote the status before.
            Step::RecordRing(_) => {}
            Step::Apply { object, drift } => {
                let changed = put(client, cluster, object).await?;
                if *drift && changed {
                    facts.push(drifted(object));
                }
            }
            Step::Bootstrap { pod, ip, request } => {
                info!(cluster = cluster.name, pod, "laying the ring");
                admin::bootstrap(ip, request.clone())
                    .await
                    .map_err(|source| ApplyError::Bootstrap { pod: pod.clone(), source })?;
                let (partitions, nodes) = (request.partitions, request.members.len());
                let note = format!("{partitions} partitions over {nodes} nodes");
                facts.push(Fact::normal("RingInitialized", note));
            }
            Step::Evict { pod, uid } => match evict(client, cluster, pod, uid).await? {
                None => facts.push(Fact::normal("PodEvicted", format!("pod {pod}"))),
                Some(why) => outcome.refused = Some((pod.clone(), why)),
            },
        }
        outcome.steps += 1;
    }
    Ok(outcome)
}

/// True when there was anything to change.
async fn put(
    client: &Client,
    cluster: &ValidatedCluster,
    object: &Object,
) -> Result<bool, ApplyError> {
    let Object { kind, name, body } = object;
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &cluster.namespace, &kind.api());
    let failed = |source| ApplyError::Kubernetes {
        what: format!("apply {kind:?} {name}"),
        source: Box::new(source),
    };
    let before = api.get_metadata_opt(name).await.map_err(failed)?;
    let after = api
        .patch(name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(body))
        .await
        .map_err(failed)?;
    let before = before.and_then(|b| b.metadata.resource_version);
    let changed = before != after.metadata.resource_version;
    info!(cluster = cluster.name, ?kind, name, changed, "applied");
    Ok(changed)
}

fn drifted(object: &Object) -> Fact {
    let Object { kind, name, body } = object;
    let replicas = match &body["spec"]["replicas"] {
        Value::Number(n) => format!(" with {n} replicas"),
        _ => String::new(),
    };
    let reason = match kind {
        crate::object::Kind::StatefulSet => "StatefulSetDriftReverted",
        _ => "ObjectDriftReverted",
    };
    let note = format!(
        "{kind:?} {name} had been changed by somebody else and is again as the operator made \
         it{replicas}: change the DynamoCluster instead"
    );
    Fact::warning(reason, note)
}

/// `Some` with the reason when the pod may not be evicted now. Gone already is fine, and
/// so is another pod of that name: the next pass looks at it.
async fn evict(
    client: &Client,
    cluster: &ValidatedCluster,
    pod: &str,
    uid: &str,
) -> Result<Option<String>, ApplyError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let eviction = Eviction {
        metadata: ObjectMeta { name: Some(pod.into()), ..ObjectMeta::default() },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions {
                uid: Some(uid.into()),
                ..Preconditions::default()
            }),
            ..DeleteOptions::default()
        }),
    };
    info!(cluster = cluster.name, pod, "evicting");
    let answer: kube::Result<Status> =
        api.create_subresource("eviction", pod, &PostParams::default(), &eviction).await;
    match answer {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 429 => Ok(Some(status.message)),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(None),
        Err(source) => Err(ApplyError::Kubernetes {
            what: format!("evict pod {pod}"),
            source: Box::new(source),
        }),
    }
}
