//! A store for tests, in memory, whose records can be damaged, and which counts what it is
//! told to do.

use super::{Batch, From, Held, MemoryStore, Page, Place, Record, Room, Store, StoreError};
use crate::{id::NodeId, key::Key, merkle::Hash};
use std::collections::BTreeSet;

/// Durable unless told otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragile {
    inner: MemoryStore,
    damaged: BTreeSet<(Place, Key)>,
    /// Commits need not survive the loss of power.
    pub(crate) lazy: bool,
    /// The leaves cannot be read.
    pub(crate) leafless: bool,
    pub(crate) commits: usize,
    /// How many of them had to be synced.
    pub(crate) syncs: usize,
}

impl Fragile {
    /// What is there under the key cannot be read from now on. True if there is anything.
    pub(crate) fn damage(&mut self, place: Place, key: &Key) -> bool {
        let there = self.inner.get(place, key).unwrap().is_some();
        there && self.damaged.insert((place, key.clone()))
    }

    pub(crate) fn records(&self) -> &[Record] {
        self.inner.records()
    }

    fn is_damaged(&self, place: Place, key: &Key) -> bool {
        self.damaged.contains(&(place, key.clone()))
    }
}

impl Store for Fragile {
    fn get(&self, place: Place, key: &Key) -> Result<Option<Held>, StoreError> {
        match self.is_damaged(place, key) {
            true => Err(StoreError::Damaged { key: key.clone(), detail: "on purpose".into() }),
            false => self.inner.get(place, key),
        }
    }

    fn scan(&self, place: Place, from: From<'_>, room: Room) -> Result<Page, StoreError> {
        let mut page = self.inner.scan(place, from, room)?;
        let (bad, good): (Vec<_>, Vec<_>) =
            page.records.into_iter().partition(|(key, _)| self.is_damaged(place, key));
        page.records = good;
        page.damaged = bad.into_iter().map(|(key, _)| key).collect();
        Ok(page)
    }

    fn owners(&self) -> Result<Vec<NodeId>, StoreError> {
        self.inner.owners()
    }

    fn graves(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.inner.graves(after, limit)
    }

    fn leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        match self.leafless {
            true => Err(StoreError::Io("the leaves are damaged on purpose".into())),
            false => self.inner.leaves(),
        }
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.commits += 1;
        self.syncs += usize::from(batch.sync);
        for at in batch.held.keys() {
            self.damaged.remove(at);
        }
        self.inner.commit(batch)
    }

    fn is_durable(&self) -> bool {
        !self.lazy
    }
}

#[test]
fn it_is_a_store() {
    super::conformance::check(Fragile::default);
}
