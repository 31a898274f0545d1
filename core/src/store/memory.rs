//! A store in memory: for tests of the core and as the yardstick of the others.

use super::{Batch, From, Held, Page, Place, Record, Room, Store, StoreError};
use crate::{id::NodeId, key::Key, merkle::Hash};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
};

/// Keeps everything for as long as it lives, and calls that durable.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    held: BTreeMap<Place, BTreeMap<Key, Held>>,
    leaves: BTreeMap<u16, Hash>,
    graves: BTreeSet<Key>,
    records: Vec<Record>,
}

impl MemoryStore {
    /// All records kept so far, the latest of a kind last.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

impl Store for MemoryStore {
    fn get(&self, place: Place, key: &Key) -> Result<Option<Held>, StoreError> {
        Ok(self.held.get(&place).and_then(|p| p.get(key)).cloned())
    }

    fn scan(&self, place: Place, from: From<'_>, room: Room) -> Result<Page, StoreError> {
        let Some(held) = self.held.get(&place) else { return Ok(Page::default()) };
        let after = match from {
            From::After(key) => Excluded(key),
            _ => Unbounded,
        };
        let leaf = match from {
            From::Leaf(leaf) => leaf,
            _ => 0,
        };
        let mut range =
            held.range::<Key, _>((after, Unbounded)).skip_while(|(k, _)| k.leaf() < leaf);
        let mut range = range.by_ref().take_while(|(k, _)| k.leaf() <= room.last);
        let mut page = Page::default();
        let mut bytes = 0;
        for (key, held) in range.by_ref().take(room.records) {
            page.records.push((key.clone(), held.clone()));
            bytes += key.len() + held.versions.size();
            if bytes >= room.bytes {
                break;
            }
        }
        page.next = range.next().and(page.records.last()).map(|(key, _)| key.clone());
        Ok(page)
    }

    fn owners(&self) -> Result<Vec<NodeId>, StoreError> {
        let owner = |(place, held): (&Place, &BTreeMap<_, _>)| match place {
            Place::Hint(owner) if !held.is_empty() => Some(*owner),
            _ => None,
        };
        Ok(self.held.iter().filter_map(owner).collect())
    }

    fn graves(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        let from = after.map_or(Unbounded, Excluded);
        Ok(self.graves.range::<Key, _>((from, Unbounded)).take(limit).cloned().collect())
    }

    fn leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        Ok(self.leaves.iter().map(|(l, h)| (*l, *h)).filter(|(_, h)| *h != Hash::ABSENT).collect())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        for ((place, key), held) in batch.held {
            let records = self.held.entry(place).or_default();
            match held {
                Some(held) => records.insert(key, held),
                None => records.remove(&key),
            };
        }
        self.leaves.extend(batch.leaves);
        for (key, buried) in batch.graves {
            if buried {
                self.graves.insert(key)
            } else {
                self.graves.remove(&key)
            };
        }
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
