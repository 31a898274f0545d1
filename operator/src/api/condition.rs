//! Conditions: the kinds there are, and how one changes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a condition is about.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionType {
    /// The ring is laid and every node in it is ready.
    Ready,
    /// Every partition has enough live replicas for a read and for a write.
    Available,
    /// The operator is not where it wants to be yet. The reason says what it is doing.
    Progressing,
    /// Something needs attention.
    Degraded,
    /// All nodes hold the same ring and know the same members.
    RingConverged,
    /// Fewer nodes were asked for than can be had.
    ScaleDownBlocked,
    /// A read sees the latest acknowledged write: readQuorum + writeQuorum > factor.
    StrictQuorum,
    /// `spec.paused` is set.
    ReconciliationPaused,
}

impl ConditionType {
    /// All of them.
    pub const ALL: [ConditionType; 8] = [
        ConditionType::Ready,
        ConditionType::Available,
        ConditionType::Progressing,
        ConditionType::Degraded,
        ConditionType::RingConverged,
        ConditionType::ScaleDownBlocked,
        ConditionType::StrictQuorum,
        ConditionType::ReconciliationPaused,
    ];
}

/// What holds, or does not, since when and why.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,

    /// True, False or Unknown.
    #[schemars(length(max = 7))]
    pub status: String,

    /// For programs, in CamelCase.
    #[schemars(length(max = 64))]
    pub reason: String,

    /// For people: what, why, and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,

    /// Since when the status has been what it is.
    pub last_transition_time: Time,

    /// The generation of the specification that it is about.
    pub observed_generation: Option<i64>,
}

impl Condition {
    /// True when the status is "True".
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}
