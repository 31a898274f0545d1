//! The parts of the specification that shape the pods and say where they run.

use k8s_openapi::{
    api::core::v1::{EnvVar, Toleration, TopologySpreadConstraint},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// On which machines nodes run.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The label of machines that names what fails together. The ring puts the copies
    /// of a key into different zones where it can.
    #[serde(default = "zone_key")]
    #[schemars(length(min = 1, max = 316))]
    pub zone_key: String,

    /// Whether two nodes may share a machine.
    #[serde(default)]
    pub anti_affinity: AntiAffinity,

    /// Labels that a machine must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,

    /// Taints that do not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,

    /// Replaces the usual one, which spreads nodes over zones as evenly as it can. One
    /// without a labelSelector counts the nodes of this cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
}

fn zone_key() -> String {
    "topology.kubernetes.io/zone".into()
}

impl Default for Placement {
    fn default() -> Self {
        Placement {
            zone_key: zone_key(),
            anti_affinity: AntiAffinity::Preferred,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            topology_spread_constraints: Vec::new(),
        }
    }
}

/// Whether two nodes may share a machine.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum AntiAffinity {
    /// Only if there is no other.
    #[default]
    Preferred,
    /// Never: a pod waits for a machine of its own.
    Required,
    /// Yes.
    None,
}

/// What a node may use, as in a container.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// What a machine must have free, by the name of the resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,

    /// What must not be exceeded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
}

/// What is added to the pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.env.all(e, !e.name.startsWith('DYNAMO_') && e.name != 'POD_NAME')")
        .message("podTemplate.env cannot set POD_NAME or a name that starts with DYNAMO_: nodes are set up by the operator; use spec.config"),
)]
pub struct PodTemplate {
    /// Labels and annotations.
    #[serde(default)]
    pub metadata: PodMetadata,

    /// Environment variables of the node's container.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub env: Vec<EnvVar>,
}

/// Labels and annotations of the pods.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.labels.all(k, !k.startsWith('app.kubernetes.io/') && !k.startsWith('dynamokv.io/'))")
        .message("podTemplate.metadata.labels cannot set app.kubernetes.io/ or dynamokv.io/ labels: the operator finds its pods by them"),
    validation = Rule::new("self.annotations.all(k, !k.startsWith('dynamokv.io/'))")
        .message("podTemplate.metadata.annotations cannot set dynamokv.io/ annotations: they are the operator's"),
)]
pub struct PodMetadata {
    /// Added to the operator's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,

    /// Added to the operator's own.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}
