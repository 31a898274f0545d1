//! What the core needs of a disk, and one in memory.

pub mod conformance;
#[cfg(test)]
pub(crate) mod fragile;
mod memory;

pub use memory::MemoryStore;

use crate::{
    id::{Life, NodeId},
    key::Key,
    merkle::Hash,
    ring::Ring,
    version::Versions,
};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps records by place and key, the leaves of the Merkle tree over them, and what a
/// node must remember of itself.
///
/// [`conformance`] says by example what every implementation must do.
pub trait Store {
    /// What is held of a key in a place.
    fn get(&self, place: Place, key: &Key) -> Result<Option<Held>, StoreError>;

    /// The next records of a place in stored order. One that is damaged is passed over.
    fn scan(&self, place: Place, from: From<'_>, room: Room) -> Result<Page, StoreError>;

    /// The nodes for which there are hints, in the order of their ids.
    fn owners(&self) -> Result<Vec<NodeId>, StoreError>;

    /// Up to `limit` keys after `after` that are marked as graves, in stored order.
    fn graves(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError>;

    /// The leaves that are not zero.
    fn leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError>;

    /// Keeps all of a batch or, after a crash, none of it. When [`Store::is_durable`] or
    /// the batch is to be synced, it and all before it is on disk on return. After an
    /// error the store must not be used.
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// Whether every commit survives the loss of power.
    fn is_durable(&self) -> bool;
}

/// Where a record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Among those of which this node is a primary.
    Own,
    /// Among those kept for this primary until it can be reached (paper, section 4.6).
    Hint(NodeId),
}

/// A record: what is held of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Everything known of the key.
    pub versions: Versions,
    /// Of this record.
    pub life: Life,
}

/// Where a scan begins.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// At the first record of the place.
    Start,
    /// At the first of a leaf, or what comes after it.
    Leaf(u16),
    /// After this key.
    After(&'a Key),
}

/// How much a scan may return: it stops before it is over either, but returns one
/// record at least if there is one.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Records.
    pub records: usize,
    /// Bytes of them, as stored, about.
    pub bytes: usize,
    /// Nothing behind this leaf is looked at. Only for [`Place::Own`].
    pub last: u16,
}

/// Some records in stored order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Those that could be read.
    pub records: Vec<(Key, Held)>,
    /// The keys of those that could not.
    pub damaged: Vec<Key>,
    /// Where to go on: the last key that was looked at, read or not. `None` at the end.
    pub next: Option<Key>,
}

/// What is kept together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Replace what was held; `None` removes it.
    pub held: BTreeMap<(Place, Key), Option<Held>>,
    /// Replace these leaves.
    pub leaves: BTreeMap<u16, Hash>,
    /// Mark keys as graves, or take the mark away.
    pub graves: BTreeMap<Key, bool>,
    /// Replace the record of the same kind.
    pub records: Vec<Record>,
    /// It must survive the loss of power even if commits as a rule need not.
    pub sync: bool,
}

impl Batch {
    /// True when there is nothing to keep, and nothing before it to sync.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
            && self.leaves.is_empty()
            && self.graves.is_empty()
            && self.records.is_empty()
            && !self.sync
    }
}

/// What a node must remember of itself. The process hands the last of each kind back
/// when it starts the core again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// No dot of this node has a counter above this one.
    Reserved(u64),
    /// The ring.
    Ring(Arc<Ring>),
}

/// A disk that does not do what it must.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What is stored under the key is not what was written there.
    #[error("the record of key {key:?} is damaged: {detail}")]
    Damaged {
        /// Its key.
        key: Key,
        /// What is wrong with it.
        detail: String,
    },
    /// Reading or writing failed.
    #[error("storage failed: {0}")]
    Io(String),
}
