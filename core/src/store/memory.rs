//! A store in memory: for tests of the core and as the yardstick of the others.

use super::{Batch, Record, Store, StoreError};
use crate::{key::Key, version::Versions};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

/// Keeps everything for as long as it lives, and calls that durable.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    versions: BTreeMap<Key, Versions>,
    records: Vec<Record>,
}

impl MemoryStore {
    /// All records kept so far, the latest of a kind last.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Versions>, StoreError> {
        Ok(self.versions.get(key).cloned())
    }

    fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<(Key, Versions)>, StoreError> {
        let from = after.map_or(Unbounded, Excluded);
        let range = self.versions.range::<Key, _>((from, Unbounded));
        Ok(range.take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.versions.extend(batch.versions);
        self.records.extend(batch.records);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_store() {
        crate::store::conformance::check(MemoryStore::default);
    }
}
