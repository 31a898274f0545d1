//! Parse, don't check: a [`ValidatedCluster`] is what the rest of the operator works
//! with, and building objects from it cannot fail.
//!
//! The API server has refused most mistakes by the rules of the resource. What is
//! checked again here is what would do harm if an object had slipped past them, for
//! instance because it was stored before a rule existed.

use crate::api::{Config, DynamoCluster, Placement, PodTemplate, Resources, Storage, WhenDeleted};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
    jiff::SignedDuration,
};
use kube::{Resource, ResourceExt};
use std::num::TryFromIntError;
use uuid::Uuid;

/// Why a cluster is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A number is negative.
    #[error("a number in the specification is negative: set it to one that the schema allows")]
    Negative(#[from] TryFromIntError),
    /// More copies than nodes.
    #[error("replicas is {replicas} but replication.factor is {factor}: raise replicas")]
    TooFewNodes {
        /// `spec.replicas`.
        replicas: u32,
        /// `spec.replication.factor`.
        factor: u32,
    },
    /// A quorum that can never be had.
    #[error("a quorum of {quorum} of {factor} replicas is impossible: lower it")]
    Quorum {
        /// R or W.
        quorum: u32,
        /// N.
        factor: u32,
    },
    /// Not a ring.
    #[error("ring.partitions is {0}: it must be a power of two and at least replicas")]
    Partitions(u32),
    /// The status was edited by hand.
    #[error("status.ring.id is {0:?}, which is not a UUID: it must not be edited")]
    RingId(String),
    /// The object did not come from an API server.
    #[error("the object has no {0}")]
    Incomplete(&'static str),
}

/// A ring that has been recorded in the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingRecord {
    /// The cluster id of its nodes.
    pub id: Uuid,
    /// True once any node was seen to hold it: from then on it is never laid again.
    pub laid: bool,
}

/// A `DynamoCluster` that can be acted on.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatedCluster {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Which of the objects of this name it is.
    pub uid: Uuid,
    /// The generation of the specification.
    pub generation: i64,
    /// Makes it the owner of what is made for it.
    pub owner: OwnerReference,
    /// The ring, once its id is recorded.
    pub ring: Option<RingRecord>,
    /// How many nodes are asked for.
    pub replicas: u32,
    /// The image of the nodes.
    pub image: String,
    /// N.
    pub factor: u32,
    /// R.
    pub read_quorum: u32,
    /// W.
    pub write_quorum: u32,
    /// Q.
    pub partitions: u32,
    /// How many pods are seeds.
    pub seeds: u32,
    /// Seeds elsewhere.
    pub external_seeds: Vec<String>,
    /// Where data is kept.
    pub storage: Storage,
    /// Settings of the nodes.
    pub config: Config,
    /// What a node may use.
    pub resources: Resources,
    /// How long a changed node must be ready before the next one is changed.
    pub min_ready: SignedDuration,
    /// How many nodes may be away at once because machines are drained.
    pub max_unavailable: i32,
    /// Where nodes run.
    pub placement: Placement,
    /// What is added to pods.
    pub pod_template: PodTemplate,
    /// Whether to keep hands off.
    pub paused: bool,
    /// When a restart was asked for.
    pub restarted_at: Option<Time>,
}

impl ValidatedCluster {
    /// Parses what the API server has; `default_image` is used for a cluster that names
    /// none and has never had one.
    pub fn parse(cluster: &DynamoCluster, default_image: &str) -> Result<Self, Invalid> {
        let spec = &cluster.spec;
        let status = cluster.status.clone().unwrap_or_default();
        let uid = cluster.uid().and_then(|u| Uuid::parse_str(&u).ok());
        let ring = match status.ring {
            None => None,
            Some(r) => {
                let id = Uuid::parse_str(&r.id).map_err(|_| Invalid::RingId(r.id))?;
                Some(RingRecord { id, laid: r.epoch > 0 })
            }
        };
        // An image once used is kept when the operator's default changes: an upgrade of
        // the operator restarts no node.
        let image = spec.image.clone().or(status.target_version);
        let parsed = ValidatedCluster {
            name: cluster.name_any(),
            namespace: cluster.namespace().ok_or(Invalid::Incomplete("namespace"))?,
            uid: uid.ok_or(Invalid::Incomplete("uid"))?,
            generation: cluster.metadata.generation.unwrap_or_default(),
            owner: cluster.controller_owner_ref(&()).ok_or(Invalid::Incomplete("uid"))?,
            ring,
            replicas: spec.replicas.try_into()?,
            image: image.unwrap_or_else(|| default_image.into()),
            factor: spec.replication.factor.try_into()?,
            read_quorum: spec.replication.read_quorum.try_into()?,
            write_quorum: spec.replication.write_quorum.try_into()?,
            partitions: spec.ring.partitions.try_into()?,
            seeds: spec.seeds.count.try_into()?,
            external_seeds: spec.seeds.external.clone(),
            storage: spec.storage.clone(),
            config: spec.config.clone(),
            resources: spec.resources.clone().unwrap_or_default(),
            min_ready: SignedDuration::from_secs(spec.update_strategy.min_ready_seconds.into()),
            max_unavailable: spec.disruption.max_unavailable,
            placement: spec.placement.clone(),
            pod_template: spec.pod_template.clone().unwrap_or_default(),
            paused: spec.paused,
            restarted_at: spec.restarted_at.clone(),
        };
        parsed.checked()
    }

    fn checked(self) -> Result<Self, Invalid> {
        let ValidatedCluster { replicas, factor, partitions, .. } = self;
        if replicas < factor {
            return Err(Invalid::TooFewNodes { replicas, factor });
        }
        for quorum in [self.read_quorum, self.write_quorum] {
            if quorum == 0 || quorum > factor {
                return Err(Invalid::Quorum { quorum, factor });
            }
        }
        if !partitions.is_power_of_two() || partitions < replicas {
            return Err(Invalid::Partitions(partitions));
        }
        Ok(self)
    }

    /// The name of the StatefulSet, the client service and most else.
    pub fn workload(&self) -> String {
        format!("{}-dynamo", self.name)
    }

    /// The name of the headless service, under which pods have names.
    pub fn peers(&self) -> String {
        format!("{}-peers", self.workload())
    }

    /// The name of a pod.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.workload())
    }

    /// The domain of pod names.
    pub fn domain(&self) -> String {
        format!("{}.{}.svc", self.peers(), self.namespace)
    }

    /// Whether deleting the cluster deletes its data.
    pub fn deletes_data(&self) -> bool {
        self.storage.retention_policy.when_deleted == WhenDeleted::Delete
    }

    /// Whether a read sees the latest acknowledged write.
    pub fn is_strict(&self) -> bool {
        self.read_quorum + self.write_quorum > self.factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn an_upgrade_of_the_operator_keeps_the_image() {
        let mut cluster = testing::resource("spec: {replicas: 3, storage: {size: 1Gi}}");
        let image = |c: &DynamoCluster, d| ValidatedCluster::parse(c, d).unwrap().image;
        assert_eq!(image(&cluster, "node:1"), "node:1");
        let mut status = cluster.status.take().unwrap_or_default();
        status.target_version = Some("node:1".into());
        cluster.status = Some(status);
        assert_eq!(image(&cluster, "node:2"), "node:1");
        cluster.spec.image = Some("node:3".into());
        assert_eq!(image(&cluster, "node:2"), "node:3");
    }

    #[test]
    fn what_slipped_past_the_schema_is_left_alone() {
        let refused = |spec: &str| {
            let spec = format!("spec: {{storage: {{size: 1Gi}}, {spec}}}");
            ValidatedCluster::parse(&testing::resource(&spec), "i").unwrap_err().to_string()
        };
        assert_eq!(
            refused("replicas: 2"),
            "replicas is 2 but replication.factor is 3: raise replicas"
        );
        assert_eq!(
            refused("replicas: 3, replication: {writeQuorum: 4}"),
            "a quorum of 4 of 3 replicas is impossible: lower it"
        );
        assert_eq!(
            refused("replicas: 3, ring: {partitions: 100}"),
            "ring.partitions is 100: it must be a power of two and at least replicas"
        );
    }
}
