//! What nodes answer when all went well.

use crate::Context;
use bytes::Bytes;
use dynamo_proto::v1;
use std::time::{Duration, SystemTime};

/// What a quorum of replicas holds for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetReply {
    /// Every version that no other has seen: none if there is no such key, several if
    /// writers did not see each other.
    pub siblings: Vec<Sibling>,
    /// Covers all siblings, and what was deleted.
    pub context: Context,
    /// How many primaries the answer rests on.
    pub primaries: u32,
    /// And how many nodes that stood in for primaries that could not be reached.
    pub fallbacks: u32,
    /// The node that gathered it, 16 hexadecimal digits.
    pub coordinator: String,
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// The value, exactly as it was put.
    pub value: Bytes,
    /// When it was written, by its coordinator's clock.
    pub written: SystemTime,
}

/// A write that reached its quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReply {
    /// For the next write of this key. `None` when there are siblings that this write
    /// had not seen: get first, or the next write would overwrite them unread.
    pub context: Option<Context>,
    /// Who had acknowledged when the answer was given.
    pub acknowledgements: Acknowledgements,
    /// How many versions the key has now at the coordinator, deleted ones included.
    pub siblings: u32,
    /// The node that made the version, 16 hexadecimal digits.
    pub coordinator: String,
}

/// How many acknowledged a write, and as what. A primary and whoever stands in for it
/// count once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgements {
    /// The key's own replicas: the first N nodes of its preference list.
    pub primaries: u32,
    /// Nodes that keep the write for a primary that could not be reached.
    pub fallbacks: u32,
    /// Those of either kind that had it synced to disk.
    pub durable: u32,
}

impl From<v1::GetResponse> for GetReply {
    fn from(reply: v1::GetResponse) -> Self {
        GetReply {
            siblings: reply.siblings.into_iter().map(Sibling::from).collect(),
            context: Context::from_bytes(reply.context),
            primaries: reply.primaries,
            fallbacks: reply.fallbacks,
            coordinator: reply.coordinator,
        }
    }
}

impl From<v1::Value> for Sibling {
    fn from(value: v1::Value) -> Self {
        let age = Duration::from_millis(value.written_ms);
        // A time that the clock of this machine cannot show is shown as the epoch.
        let written = SystemTime::UNIX_EPOCH.checked_add(age).unwrap_or(SystemTime::UNIX_EPOCH);
        Sibling { value: value.value, written }
    }
}

impl From<v1::Acknowledgements> for Acknowledgements {
    fn from(a: v1::Acknowledgements) -> Self {
        Acknowledgements { primaries: a.primaries, fallbacks: a.fallbacks, durable: a.durable }
    }
}

impl From<v1::PutResponse> for WriteReply {
    fn from(reply: v1::PutResponse) -> Self {
        WriteReply {
            context: seen(reply.context),
            acknowledgements: reply.acknowledgements.unwrap_or_default().into(),
            siblings: reply.siblings,
            coordinator: reply.coordinator,
        }
    }
}

impl From<v1::DeleteResponse> for WriteReply {
    fn from(reply: v1::DeleteResponse) -> Self {
        WriteReply {
            context: seen(reply.context),
            acknowledgements: reply.acknowledgements.unwrap_or_default().into(),
            siblings: reply.siblings,
            coordinator: reply.coordinator,
        }
    }
}

fn seen(context: Bytes) -> Option<Context> {
    (!context.is_empty()).then(|| Context::from_bytes(context))
}
