//! The custom resource: its fields, what is refused, and its status.
//!
//! The YAML in `crds/` is generated from these types by `crdgen`; a test compares the
//! two. Names that YAML 1.1 reads as booleans (`n`, `y`) are never fields, integers are
//! signed with a range, and every default is complete, because the API server checks
//! defaults against the rules.

// The derive of KubeSchema makes a private copy of each type, `pub` as the type is.
#![allow(unreachable_pub)]

mod condition;
mod crd;
mod parts;
mod pods;
mod spec;
mod status;

pub use condition::{Condition, ConditionType};
pub use crd::definition;
pub use parts::{
    Config, Disruption, Durability, LogLevel, Replication, RetentionPolicy, Ring, Seeds, Storage,
    UpdateStrategy, WhenDeleted,
};
pub use pods::{AntiAffinity, Placement, PodMetadata, PodTemplate, Resources};
pub use spec::{DynamoCluster, DynamoClusterSpec};
pub use status::{DynamoClusterStatus, NodeState, NodeStatus, RingStatus};

/// Who the operator is in server-side apply and in events.
pub const MANAGER: &str = "dynamo-operator";

/// The cluster id of the ring that a volume belongs to. It outlives the
/// `DynamoCluster`, so that one made again finds its data.
pub const RING_ID: &str = "dynamokv.io/ring-id";
