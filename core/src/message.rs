//! What nodes say to each other.

use crate::{
    gossip::Gossip,
    id::OpId,
    key::Key,
    replica::ReplicaAnswer,
    request::{Refusal, WriteCommand, Written},
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
    /// Membership, heartbeats and the ring.
    Gossip(Gossip),
}

/// What a peer may ask of a replica. Only its own node can ask it to make a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerOperation {
    /// All that it knows of the key.
    Read,
    /// To take these versions in.
    Merge(Versions),
}

/// A write on its way to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedWrite {
    /// What it is about.
    pub key: Key,
    /// What is wanted.
    pub write: WriteCommand,
    /// W.
    pub quorum: usize,
    /// What is left of the client's time.
    pub timeout: Duration,
}
