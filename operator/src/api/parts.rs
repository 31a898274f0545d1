//! The parts of the specification that say how the store behaves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// N, R and W of the paper; their names would be booleans in YAML.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.readQuorum <= self.factor").message(Message::Expression(
        "'replication.readQuorum is %d but replication.factor is %d: a read cannot wait for more replicas than there are'.format([self.readQuorum, self.factor])".into(),
    )),
    validation = Rule::new("self.writeQuorum <= self.factor").message(Message::Expression(
        "'replication.writeQuorum is %d but replication.factor is %d: a write cannot wait for more replicas than there are'.format([self.writeQuorum, self.factor])".into(),
    )),
    validation = Rule::new("self.factor == oldSelf.factor").message(Message::Expression(
        "'replication.factor is %d and cannot be changed yet: that comes with ring changes; until then make a new cluster and copy the data'.format([oldSelf.factor])".into(),
    )),
)]
pub struct Replication {
    /// How many nodes hold every key. It cannot be changed yet.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 16))]
    pub factor: i32,

    /// How many of them a read waits for.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 16))]
    pub read_quorum: i32,

    /// How many of them a write waits for. readQuorum + writeQuorum > factor makes
    /// reads see the latest write.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 16))]
    pub write_quorum: i32,
}

fn three() -> i32 {
    3
}

fn two() -> i32 {
    2
}

impl Default for Replication {
    fn default() -> Self {
        Replication { factor: 3, read_quorum: 2, write_quorum: 2 }
    }
}

/// How the ring is divided.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.partitions in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]")
        .message(Message::Expression(
        "'ring.partitions is %d: it must be a power of two from 1 to 65536'.format([self.partitions])".into(),
    )),
    validation = Rule::new("self.partitions == oldSelf.partitions").message(Message::Expression(
        "'ring.partitions is %d and cannot be changed: it is fixed when the ring is laid'.format([oldSelf.partitions])".into(),
    )),
)]
pub struct Ring {
    /// How many equal parts the ring has: a power of two, at least one for each node
    /// that there may ever be. It cannot be changed.
    #[serde(default = "partitions")]
    #[schemars(range(min = 1, max = 65536))]
    pub partitions: i32,
}

fn partitions() -> i32 {
    256
}

impl Default for Ring {
    fn default() -> Self {
        Ring { partitions: partitions() }
    }
}

/// The nodes that others ask first who is there. They are ordinary nodes.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seeds {
    /// How many of this cluster's pods are seeds, from pod 0 on.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 9))]
    pub count: i32,

    /// host:port of the peer ports of nodes elsewhere that are of the same ring. When
    /// there are any, the network policy lets everybody in at the peer port.
    #[serde(default)]
    #[schemars(
        length(max = 16),
        inner(
            length(max = 260),
            regex(pattern = r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")
        )
    )]
    pub external: Vec<String>,
}

impl Default for Seeds {
    fn default() -> Self {
        Seeds { count: three(), external: Vec::new() }
    }
}

/// Where nodes keep their data: one volume for each.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.size == oldSelf.size").message(Message::Expression(
        "'storage.size is %s and cannot be changed yet: growing volumes comes in a later version'.format([oldSelf.size])".into(),
    )),
    validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)")
        .message("storage.storageClassName cannot be changed: volumes that exist keep their class"),
)]
pub struct Storage {
    /// The size of each volume, such as 10Gi. It cannot be changed yet.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$")
    )]
    pub size: String,

    /// Left out, it is the default class. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// What becomes of the volumes.
    #[serde(default)]
    pub retention_policy: RetentionPolicy,
}

/// What becomes of the volumes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionPolicy {
    /// When the cluster is deleted. Of retained volumes a cluster that is made again
    /// under the same name takes its ring and its data.
    #[serde(default)]
    pub when_deleted: WhenDeleted,
}

/// Whether data outlives its cluster.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum WhenDeleted {
    /// Volumes stay.
    #[default]
    Retain,
    /// Volumes are deleted.
    Delete,
}

/// Settings of the nodes. Changing one restarts the nodes one after the other.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// When a node calls a write stored.
    #[serde(default)]
    pub durability: Durability,

    /// The longest key, in bytes.
    #[serde(default = "key_limit")]
    #[schemars(range(min = 1, max = 65536))]
    pub key_limit: i32,

    /// The largest value, in bytes.
    #[serde(default = "value_limit")]
    #[schemars(range(min = 1, max = 16777216))]
    pub value_limit: i32,

    /// How much the nodes log.
    #[serde(default)]
    pub log_level: LogLevel,
}

fn key_limit() -> i32 {
    4 << 10
}

fn value_limit() -> i32 {
    1 << 20
}

impl Default for Config {
    fn default() -> Self {
        Config {
            durability: Durability::Sync,
            key_limit: key_limit(),
            value_limit: value_limit(),
            log_level: LogLevel::Info,
        }
    }
}

/// When a node calls a write stored.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Durability {
    /// When it is on the disk.
    #[default]
    Sync,
    /// When the operating system has it: faster, and lost when a machine loses power.
    Os,
}

/// How much the nodes log.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what looks wrong.
    Warn,
    /// And what happened.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// How a change is rolled out.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// How long a changed node must have been ready before the next one is changed.
    #[serde(default = "ten")]
    #[schemars(range(min = 0, max = 3600))]
    pub min_ready_seconds: i32,
}

fn ten() -> i32 {
    10
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        UpdateStrategy { min_ready_seconds: ten() }
    }
}

/// What drains of machines may interrupt.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disruption {
    /// How many nodes may be away at once because somebody drains machines.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 500))]
    pub max_unavailable: i32,
}

fn one() -> i32 {
    1
}

impl Default for Disruption {
    fn default() -> Self {
        Disruption { max_unavailable: one() }
    }
}
