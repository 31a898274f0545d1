//! What may be asked of the local replica, and what it answers.

use crate::{
    id::{Incarnation, NodeId, OpId, RequestId},
    key::Key,
    merkle,
    reap::Grave,
    store::Place,
    time::Stamp,
    version::{Context, Versions},
};
use bytes::Bytes;

/// Who asked, and gets the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// This node, in one of its own operations.
    Own(OpId),
    /// A peer's.
    Peer(NodeId, OpId),
}

/// One task of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Who gets the answer.
    pub asker: Asker,
    /// What is to be done.
    pub task: Task,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Something with the record of one key in one place.
    One {
        /// Which key.
        key: Key,
        /// Where.
        place: Place,
        /// What.
        operation: Operation,
    },
    /// To read all hints for a key, kept for any of these nodes.
    ReadHints {
        /// Which key.
        key: Key,
        /// Its primaries.
        owners: Vec<NodeId>,
    },
    /// To name the nodes for which there are hints.
    Owners,
    /// The next hints for a node.
    Hints {
        /// Whose.
        owner: NodeId,
        /// The last that was looked at; `None` to begin.
        after: Option<Key>,
        /// How many at most.
        limit: usize,
    },
    /// To answer a question about the Merkle tree.
    Tree(merkle::Question),
    /// The next keys of which nothing is left but their deletion, made before a time.
    Graves {
        /// The last that was looked at; `None` to begin.
        after: Option<Key>,
        /// By the stamps of the deletions.
        before: Stamp,
    },
    /// To see for some leaves whether the tree counts what can be read, and to mend it where
    /// it does not: so peers notice what is damaged here.
    Scrub {
        /// The first leaf.
        from: u16,
    },
    /// To say of each grave whether it is all that there is of its key, also after a loss
    /// of power.
    Inspect(Vec<Grave>),
    /// To remove the records of graves of which it is.
    Bury(Vec<Grave>),
}

/// What may be done with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// All that is known of the key.
    Read,
    /// To make a version. Only the coordinator of a write asks this, of its own replica.
    Write(Draft),
    /// To take versions of other replicas in.
    Merge {
        /// What they hold.
        versions: Versions,
        /// Whether it must be synced to disk even if commits as a rule are not.
        sync: bool,
    },
    /// To remove the record, if it holds exactly this.
    Forget(Versions),
}

/// A version to be: all but the life of the record that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The coordinator.
    pub node: NodeId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Never used before by that node.
    pub counter: u64,
    /// The client's name for the write.
    pub request: RequestId,
    /// By the coordinator's clock.
    pub stamp: Stamp,
    /// `None` deletes.
    pub value: Option<Bytes>,
    /// What the client had seen.
    pub context: Context,
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaAnswer {
    /// To a read: what it holds, which is nothing for an unknown key.
    Holds(Versions),
    /// To a write.
    Wrote {
        /// What it holds now, to be sent to the other replicas.
        versions: Versions,
        /// Whether they are synced to disk.
        durable: bool,
        /// How many entries were dropped from the clock.
        truncated: usize,
    },
    /// To a write that would make more siblings than a client may. Nothing was changed.
    TooManySiblings {
        /// How many there are.
        siblings: usize,
        /// About how many bytes they have.
        bytes: usize,
    },
    /// To a merge.
    Merged {
        /// Whether they are synced to disk.
        durable: bool,
    },
    /// To a forget: whether nothing is held now.
    Forgot(bool),
    /// For which nodes there are hints.
    Owners(Vec<NodeId>),
    /// Some hints, or some keys that are deleted.
    Records {
        /// Them.
        records: Vec<(Key, Versions)>,
        /// Where to go on; `None` at the end.
        next: Option<Key>,
    },
    /// To a question about the Merkle tree.
    Tree(merkle::Answer),
    /// To a scrub.
    Scrubbed {
        /// Leaves that were not counted right.
        wrong: usize,
        /// Where to go on; `None` at the end.
        next: Option<u16>,
    },
    /// For each grave whether it is all that there is of its key.
    Inspected(Vec<bool>),
    /// How many records were removed.
    Buried(usize),
    /// The record is damaged, the disk failed to read it, the question makes no sense, or
    /// the disk holds an older state than it once did. Nothing was changed.
    Failed,
}

impl Task {
    /// The leaf that the task may change.
    pub(super) fn leaf(&self) -> Option<u16> {
        match self {
            Task::One { key, place: Place::Own, .. } => Some(key.leaf()),
            _ => None,
        }
    }
}
