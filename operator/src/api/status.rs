//! What the operator reports.
//!
//! Every field is written every time, absent ones as null: a merge patch keeps what it
//! does not name.

use super::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The state of a cluster, as the operator last saw it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DynamoClusterStatus {
    /// The generation of the specification that this is about.
    pub observed_generation: Option<i64>,

    /// Pods that exist.
    #[serde(default)]
    pub replicas: i32,

    /// Pods that are ready.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Pods that run the latest image and settings.
    #[serde(default)]
    pub updated_replicas: i32,

    /// Selects the pods.
    pub selector: Option<String>,

    /// factor/readQuorum/writeQuorum.
    pub quorum: Option<String>,

    /// The image that all nodes run, or ran before the roll that is going on.
    pub current_version: Option<String>,

    /// The image that all nodes will run.
    pub target_version: Option<String>,

    /// The ring. It is written before anything else is made.
    pub ring: Option<RingStatus>,

    /// The nodes, by pod.
    #[schemars(length(max = 1000))]
    #[serde(default)]
    pub nodes: Vec<NodeStatus>,

    /// What holds, and why.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// The ring.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RingStatus {
    /// The cluster id of all its nodes, a UUID.
    #[schemars(length(max = 36))]
    pub id: String,

    /// Its version; 0 until it is laid. Once laid it is never laid again.
    #[serde(default)]
    pub epoch: i64,

    /// How many partitions it has.
    #[serde(default)]
    pub partitions: i32,
}

/// One node.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its pod.
    pub pod_name: String,

    /// Who it is: 16 hexadecimal digits, for as long as its volume lives.
    pub node_id: Option<String>,

    /// What it is doing.
    pub state: NodeState,

    /// What it shares its fate with.
    pub zone: Option<String>,

    /// How many partitions it owns.
    pub partitions: i32,

    /// How many keys it keeps for nodes that could not be reached, roughly; 0 only if there
    /// are none, absent while it does not answer.
    pub pending_hints: Option<i32>,

    /// The version of the program.
    pub version: Option<String>,
}

/// What a node is doing.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum NodeState {
    /// The pod does not exist, or its container does not run yet.
    Pending,
    /// The pod runs, the node does not answer the operator.
    Unreachable,
    /// It answers and waits for the ring to be laid.
    WaitingForRing,
    /// It takes part and forwards requests, but owns no partition.
    Joined,
    /// It owns partitions and is ready, in its own eyes and in Kubernetes'.
    Normal,
    /// It owns partitions and is not ready.
    NotReady,
    /// Its pod is being deleted.
    Stopping,
}
