//! The resource itself: its columns, its scale subresource and the rules that look at
//! more than one part.

use super::{
    Config, Disruption, DynamoClusterStatus, Placement, PodTemplate, Replication, Resources, Ring,
    Seeds, Storage, UpdateStrategy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// A Dynamo ring and the nodes it runs on.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "dynamokv.io",
    version = "v1alpha1",
    kind = "DynamoCluster",
    plural = "dynamoclusters",
    shortname = "dyn",
    namespaced,
    status = "DynamoClusterStatus",
    derive = "PartialEq",
    doc = "A Dynamo ring and the nodes it runs on.",
    validation = Rule::new("size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name has at most 40 characters, lower-case letters, digits and dashes, and starts with a letter: the names of pods and services are made from it"),
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".spec.replicas", description = "Nodes asked for"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas", description = "Nodes that are ready"),
    printcolumn(name = "Quorum", type_ = "string", json_path = ".status.quorum", description = "Replicas of every key / needed by a read / needed by a write"),
    printcolumn(name = "Available", type_ = "string", json_path = r#".status.conditions[?(@.type=="Available")].status"#, description = "Whether every key can be read and written"),
    printcolumn(name = "Progressing", type_ = "string", json_path = r#".status.conditions[?(@.type=="Progressing")].reason"#, description = "What the operator is doing"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Degraded", type_ = "string", json_path = r#".status.conditions[?(@.type=="Degraded")].status"#, priority = 1, description = "Whether something needs attention"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.currentVersion", priority = 1, description = "The image that all nodes run")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.replication.factor <= self.replicas").message(Message::Expression(
        "'replicas is %d but replication.factor is %d: every key needs that many nodes'.format([self.replicas, self.replication.factor])".into(),
    )),
    validation = Rule::new("self.replicas <= self.ring.partitions").message(Message::Expression(
        "'replicas is %d but ring.partitions is %d: every node needs a partition of its own'.format([self.replicas, self.ring.partitions])".into(),
    )),
)]
pub struct DynamoClusterSpec {
    /// How many nodes. More nodes than the ring was laid over join it without
    /// partitions, until partitions can be moved. Fewer are refused for the same reason.
    #[schemars(range(min = 1, max = 500))]
    pub replicas: i32,

    /// The node image. Left out, it is the operator's default at the time the cluster
    /// is made, and stays that when the operator is upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// How many copies of every key there are, and how many a read and a write wait for.
    #[serde(default)]
    pub replication: Replication,

    /// How the ring is divided.
    #[serde(default)]
    pub ring: Ring,

    /// The nodes that others ask first who is there.
    #[serde(default)]
    pub seeds: Seeds,

    /// Where nodes keep their data.
    pub storage: Storage,

    /// What a node may use, as in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// Settings of the nodes.
    #[serde(default)]
    pub config: Config,

    /// How a change of image or settings is rolled out: one node after the other.
    #[serde(default)]
    pub update_strategy: UpdateStrategy,

    /// What drains of machines may interrupt.
    #[serde(default)]
    pub disruption: Disruption,

    /// On which machines nodes run.
    #[serde(default)]
    pub placement: Placement,

    /// What is added to the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,

    /// Nothing is changed while this is true; the status is still kept up to date.
    #[serde(default)]
    pub paused: bool,

    /// Changing it to the present time restarts all nodes, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_at: Option<Time>,
}
