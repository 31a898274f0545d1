//! What the core needs of a disk, and one in memory.

pub mod conformance;
mod memory;

pub use memory::MemoryStore;

use crate::{key::Key, ring::Ring, version::Versions};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps versions by key, and what a node must remember of itself.
///
/// [`conformance`] says by example what every implementation must do.
pub trait Store {
    /// What is held of a key.
    fn get(&self, key: &Key) -> Result<Option<Versions>, StoreError>;

    /// Up to `limit` keys after `after` in stored order, with what is held of them.
    fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<(Key, Versions)>, StoreError>;

    /// Keeps all of a batch or, after a crash, none of it. When [`Store::is_durable`],
    /// it is synced to disk on return. After an error the store must not be used.
    fn commit(&mut self, batch: Batch) -> Result<(), StoreError>;

    /// Whether commits survive the loss of power.
    fn is_durable(&self) -> bool;
}

/// What is kept together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Replace what was held of their keys.
    pub versions: BTreeMap<Key, Versions>,
    /// Replace the record of the same kind.
    pub records: Vec<Record>,
}

impl Batch {
    /// True when there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.records.is_empty()
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
