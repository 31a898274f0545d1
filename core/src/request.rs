//! What clients ask of a node and what they are told.
//!
//! A write has three outcomes: it is acknowledged, it was not applied, or nobody
//! knows. [`Refusal::outcome`] tells the latter two apart.

use crate::{
    id::{NodeId, RequestId},
    key::Key,
    version::{Context, Version},
};
use bytes::Bytes;
use std::time::Duration;

/// How long a request may take when the client does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest a request may take.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// A request of a client, its limits and its context already checked at the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it is about.
    pub key: Key,
    /// What is wanted.
    pub command: Command,
    /// Who must answer.
    pub wanted: Wanted,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a request asks of its quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// R or W: how many must answer; `None` for the node's default.
    pub total: Option<usize>,
    /// PR or PW: how many of them must be primaries.
    pub primaries: usize,
    /// No fallbacks, R+W>N, and a read returns only what W primaries hold: what a strict
    /// read has returned, or a strict write acknowledged, every later strict read shows.
    pub strict: bool,
}

/// What is wanted of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// All versions that no other has seen.
    Get,
    /// A new version.
    Write(WriteCommand),
}

/// A put or a delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteCommand {
    /// The same for every retry, and for nothing else: a write whose id is known is taken
    /// for a retry, whatever its value.
    pub request: RequestId,
    /// What the client has seen of the key; empty for a blind write.
    pub context: Context,
    /// `None` deletes.
    pub value: Option<Bytes>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a get.
    Got(Got),
    /// To a put or a delete.
    Written(Written),
    /// To either, when it failed.
    Refused(Refusal),
}

impl From<Result<Got, Refusal>> for Reply {
    fn from(result: Result<Got, Refusal>) -> Self {
        result.map_or_else(Reply::Refused, Reply::Got)
    }
}

impl From<Result<Written, Refusal>> for Reply {
    fn from(result: Result<Written, Refusal>) -> Self {
        result.map_or_else(Reply::Refused, Reply::Written)
    }
}

/// What a quorum of replicas holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// The versions that no other has seen, without tombstones.
    pub siblings: Vec<Version>,
    /// Covers all of them, tombstones too.
    pub context: Context,
    /// How many primaries the answer rests on.
    pub primaries: usize,
    /// And how many nodes that stood in for others.
    pub fallbacks: usize,
    /// The node that gathered it.
    pub coordinator: NodeId,
}

/// A write that reached its quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What the client has now seen, for its next write. `None` when there are
    /// siblings that this write did not see: a context that covers them would let the
    /// next write overwrite them unread.
    pub context: Option<Context>,
    /// How many versions the coordinator holds, tombstones included.
    pub siblings: usize,
    /// Who acknowledged as what.
    pub acks: Acks,
    /// The node that made the version.
    pub coordinator: NodeId,
}

/// Acknowledgements when the answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acks {
    /// From the top N of the key's preference list.
    pub primaries: usize,
    /// From nodes that keep the write for a primary.
    pub fallbacks: usize,
    /// From those of either kind that had synced it to disk.
    pub durable: usize,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Bootstrap has not happened yet, or has not reached this node.
    #[error("this node has no ring yet: it waits for Bootstrap, or for a node that has one")]
    NoRing,
    /// More replicas were asked for than there are.
    #[error("a quorum of {asked} was asked for, but every key has {factor} replicas")]
    QuorumTooLarge {
        /// What the request or the node's setting says.
        asked: usize,
        /// N.
        factor: usize,
    },
    /// Too few nodes could be reached.
    #[error(
        "{up} nodes that can hold one of the key's {of} replicas can be reached and {needed} are needed"
    )]
    Unavailable {
        /// Nodes that the request needs.
        needed: usize,
        /// Nodes that are up.
        up: usize,
        /// N.
        of: usize,
    },
    /// Enough nodes could be reached, but too few of the key's own.
    #[error("{up} of the key's {of} primaries can be reached and the request asks for {needed}")]
    PrimariesUnavailable {
        /// Primaries that the request needs.
        needed: usize,
        /// Primaries that are up.
        up: usize,
        /// N.
        of: usize,
    },
    /// A strict request whose quorums do not overlap.
    #[error(
        "a strict request needs R+W>N, so that reads and writes meet: here they are {one} and \
         {other}, and N is {factor}"
    )]
    NotStrict {
        /// R for a read, W for a write.
        one: usize,
        /// The other one.
        other: usize,
        /// N.
        factor: usize,
    },
    /// A write would leave more siblings than a key may have.
    #[error(
        "the key would have {siblings} conflicting versions of {bytes} bytes, more than it may: get \
         it, merge what you get and put that with its context"
    )]
    TooManySiblings {
        /// How many there would be.
        siblings: usize,
        /// About how many bytes all together.
        bytes: usize,
    },
    /// A read did not gather its quorum.
    #[error("{had} of {needed} replicas answered the read in time")]
    TimedOut {
        /// R.
        needed: usize,
        /// Answers that came.
        had: usize,
    },
    /// A write did not gather its quorum, but some replica may have it.
    #[error("{had} of {needed} replicas acknowledged the write in time; it may still take effect")]
    Indeterminate {
        /// W.
        needed: usize,
        /// Acknowledgements that came.
        had: usize,
    },
    /// The node works on as many requests as it may.
    #[error("this node works on {limit} requests already; try again or try another node")]
    Overloaded {
        /// Its limit.
        limit: usize,
    },
    /// The node is about to end.
    #[error("this node is stopping; try another one")]
    Stopping,
    /// The coordinator's own disk failed to read or write.
    #[error("the coordinator's storage failed; try another node")]
    Storage,
    /// A forwarded write came to a node that does not see itself among the first N that can
    /// be reached.
    #[error("the node asked to coordinate is none of the first that can be reached; try again")]
    NotAReplica,
}

/// What a failed write has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing, and it will not.
    NotApplied,
    /// Nobody knows: some replica may hold it, and it may surface later.
    Indeterminate,
}

impl Refusal {
    /// What the write that was refused has done.
    pub fn outcome(&self) -> Outcome {
        match self {
            Refusal::Indeterminate { .. } => Outcome::Indeterminate,
            _ => Outcome::NotApplied,
        }
    }
}
