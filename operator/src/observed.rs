//! What was seen of a cluster in one pass: plain values that [`plan`](crate::plan) and
//! [`status`](crate::status) decide on.

use crate::{
    build,
    object::{Kind, Object},
    validate::ValidatedCluster,
};
use dynamo_core::{id::NodeId, ring::Ring};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// When.
    pub now: Timestamp,
    /// The objects that bear the names of those made for the cluster.
    pub live: BTreeMap<(Kind, String), Value>,
    /// The StatefulSet, read.
    pub workload: Option<Workload>,
    /// The pods of that StatefulSet, by ordinal.
    pub pods: BTreeMap<u32, Pod>,
    /// The claims that bear a ring id, of this life or an earlier one.
    pub volumes: Vec<Volume>,
    /// The newest ring that any node holds.
    pub ring: Option<Ring>,
}

/// What matters of the StatefulSet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// How many pods it is told to have.
    pub replicas: u32,
    /// How many the operator told it to have.
    pub given: u32,
    /// Whether its controller has seen the latest change of it.
    pub current: bool,
    /// The revision of pods that are made from now on.
    pub revision: String,
    /// The image of that revision.
    pub image: String,
}

/// What matters of a pod, and what the node in it said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Which of the pods of that name it is.
    pub uid: String,
    /// Where it is now.
    pub ip: Option<String>,
    /// The zone of its machine; looked up only while the ring does not tell.
    pub zone: Option<String>,
    /// From which revision it was made.
    pub revision: String,
    /// Since when it is ready.
    pub ready_since: Option<Timestamp>,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether its container has run.
    pub started: bool,
    /// Why its container does not run, as Kubernetes says it.
    pub trouble: Option<String>,
    /// The node's own report; `None` if it gave none.
    pub node: Option<Node>,
}

/// What a node reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its ring's cluster id.
    pub cluster: String,
    /// Who it is.
    pub id: NodeId,
    /// How often it has started.
    pub generation: u64,
    /// The version of the program.
    pub version: String,
    /// The epoch of the ring that it holds; 0 for none.
    pub epoch: u64,
    /// Whether it serves requests.
    pub ready: bool,
    /// How many keys it keeps for others, about; 0 only if none.
    pub pending_hints: u64,
    /// Whom it knows, itself included.
    pub members: BTreeMap<NodeId, Sight>,
}

/// How one node sees another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Whether it can be reached.
    pub up: bool,
    /// Its latest known generation.
    pub generation: u64,
}

/// A volume claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The pod it is for.
    pub ordinal: u32,
    /// The ring whose data is on it.
    pub ring: String,
    /// Whether it is about to be deleted, now or by the garbage collector.
    pub doomed: bool,
}

impl Pod {
    /// Whether Kubernetes calls it ready.
    pub fn is_ready(&self) -> bool {
        self.ready_since.is_some() && !self.terminating
    }

    /// The node's report, if it is one of this ring.
    pub fn node_of(&self, ring: Uuid) -> Option<&Node> {
        self.node.as_ref().filter(|n| n.cluster == ring.to_string())
    }
}

impl Observed {
    /// The object with the name of `wanted`.
    pub fn live(&self, wanted: &Object) -> Option<&Value> {
        self.live.get(&(wanted.kind, wanted.name.clone()))
    }

    /// What bears a name that the cluster needs and is not, or not for long, its own.
    pub fn in_the_way(&self, cluster: &ValidatedCluster) -> Option<String> {
        self.live.iter().find_map(|((kind, name), object)| {
            let metadata = &object["metadata"];
            let (key, value) = build::MANAGED_BY;
            let owner = metadata["ownerReferences"]
                .as_array()
                .and_then(|o| o.iter().find(|o| o["controller"] == true));
            let own = owner.map(|o| o["uid"] == cluster.owner.uid.as_str());
            if !metadata["deletionTimestamp"].is_null() {
                return Some(format!("{kind:?} {name} is being deleted"));
            }
            match own {
                Some(true) => None,
                Some(false) => {
                    Some(format!("{kind:?} {name} belongs to another object: waiting for it to go"))
                }
                // Orphaned on purpose: taken over.
                None if metadata["labels"][key] == value => None,
                None => Some(format!("{kind:?} {name} was not made by this operator: delete it")),
            }
        })
    }

    /// The ids of the rings on volumes of an earlier life.
    pub fn old_rings(&self) -> BTreeSet<&str> {
        self.volumes.iter().map(|v| v.ring.as_str()).collect()
    }

    /// Pods made from another revision than new ones are.
    pub fn outdated(&self) -> impl DoubleEndedIterator<Item = &Pod> {
        let revision = self.workload.as_ref().map(|w| w.revision.as_str());
        self.pods.values().filter(move |p| Some(p.revision.as_str()) != revision)
    }

    /// The reports of all nodes of the ring.
    pub fn nodes(&self, ring: Uuid) -> impl Iterator<Item = &Node> {
        self.pods.values().filter_map(move |p| p.node_of(ring))
    }
}
