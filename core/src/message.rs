//! What nodes say to each other.

use crate::{
    gossip::Gossip,
    id::{NodeId, OpId},
    key::Key,
    merkle,
    reap::ReapRequest,
    replica::ReplicaAnswer,
    request::{Refusal, Wanted, WriteCommand, Written},
    version::Versions,
};
use std::time::Duration;

/// One message. The transport tells who sent it, and in which generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// An operation on the receiver's replica.
    ReplicaRequest {
        /// Comes back with the answer.
        id: OpId,
        /// What it is about.
        key: Key,
        /// The primary for which the receiver stands in; `None` if it is one itself.
        stands_for: Option<NodeId>,
        /// What is wanted.
        operation: PeerOperation,
    },
    /// What became of it.
    ReplicaResponse {
        /// As in the request.
        id: OpId,
        /// What the replica says.
        answer: ReplicaAnswer,
    },
    /// A write, sent to a node that can coordinate it.
    ForwardRequest {
        /// Comes back with the answer.
        id: OpId,
        /// The write.
        write: ForwardedWrite,
    },
    /// What became of it.
    ForwardResponse {
        /// As in the request.
        id: OpId,
        /// What the client is to be told.
        result: Result<Written, Refusal>,
    },
    /// A question about the receiver's Merkle tree.
    TreeRequest {
        /// Comes back with the answer.
        id: OpId,
        /// It.
        question: merkle::Question,
    },
    /// The answer.
    TreeResponse {
        /// As in the request.
        id: OpId,
        /// It.
        answer: merkle::Answer,
    },
    /// A step of reaping.
    ReapRequest {
        /// Comes back with the answer.
        id: OpId,
        /// It.
        request: ReapRequest,
    },
    /// Whether the sender agrees, for each key that it was asked about; for none when it
    /// could not even look.
    ReapResponse {
        /// As in the request.
        id: OpId,
        /// In the order of the request.
        agreed: Vec<bool>,
    },
    /// Membership, heartbeats and the ring.
    Gossip(Gossip),
}

/// What a peer may ask of a replica. Only its own node can ask it to make a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerOperation {
    /// All that it knows of the key.
    Read,
    /// To take these versions in.
    Merge {
        /// What the sender holds.
        versions: Versions,
        /// Whether they must be synced to disk even if writes as a rule are not.
        sync: bool,
    },
}

/// A write on its way to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedWrite {
    /// What it is about.
    pub key: Key,
    /// What is wanted.
    pub write: WriteCommand,
    /// As the client asked, with W filled in.
    pub wanted: Wanted,
    /// What is left of the client's time.
    pub timeout: Duration,
}
