//! A disk: keeps encoded records, whole batches or nothing, over the end of a process.
//!
//! It is slow or sick when a fault says so. A sick disk fails every read; commits always
//! succeed, because a process whose commit fails must end, which is a crash.

use crate::dice::Dice;
use dynamo_core::{
    key::Key,
    ring::Ring,
    store::{Batch, Record, Store, StoreError},
    version::Versions,
};
use dynamo_proto::record;
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    versions: BTreeMap<Vec<u8>, Vec<u8>>,
    reserved: u64,
    ring: Option<Vec<u8>>,
    pub(crate) sick: bool,
    pub(crate) slow: bool,
}

impl Disk {
    /// The last [`Record::Reserved`].
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// The last [`Record::Ring`].
    pub(crate) fn ring(&self) -> Option<Arc<Ring>> {
        let stored = self.ring.as_deref()?;
        Some(Arc::new(record::decode_ring(stored).expect("a ring reads back")))
    }

    pub(crate) fn holds_anything(&self) -> bool {
        !self.versions.is_empty()
    }

    /// Power is lost. Returns whether anything was: nothing, since every commit is synced.
    pub(crate) fn lose_unsynced(&mut self) -> bool {
        false
    }

    /// Flips a byte of a record. Returns whether there was one.
    pub(crate) fn damage(&mut self, dice: &mut Dice) -> bool {
        let Some(last) = self.versions.len().checked_sub(1) else { return false };
        let Some(record) = self.versions.values_mut().nth(dice.number(0..=last)) else {
            return false;
        };
        let at = dice.number(0..=record.len().saturating_sub(1));
        record.get_mut(at).map(|byte| *byte ^= 0x55).is_some()
    }

    /// What the oracle finds under a key, however sick the disk is.
    pub(crate) fn holds(&self, key: &Key) -> Versions {
        let stored = self.versions.get(&key.encode());
        stored.map(|s| record::decode_versions(s).expect("versions read back")).unwrap_or_default()
    }
}

impl Store for Disk {
    fn get(&self, key: &Key) -> Result<Option<Versions>, StoreError> {
        if self.sick {
            return Err(StoreError::Io("the disk is sick".into()));
        }
        let damaged = |e: dynamo_proto::Malformed| StoreError::Damaged {
            key: key.clone(),
            detail: e.to_string(),
        };
        let stored = self.versions.get(&key.encode());
        stored.map(|s| record::decode_versions(s).map_err(damaged)).transpose()
    }

    fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<(Key, Versions)>, StoreError> {
        let from = after.map_or(Unbounded, |k| Excluded(k.encode()));
        let mut page = Vec::new();
        for key in self.versions.range((from, Unbounded)).map(|(k, _)| k).take(limit) {
            let key = Key::decode(key).ok_or(StoreError::Io("a damaged key".into()))?;
            let versions = self.get(&key)?.unwrap_or_default();
            page.push((key, versions));
        }
        Ok(page)
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        for (key, versions) in batch.versions {
            self.versions.insert(key.encode(), record::encode_versions(&versions));
        }
        for record in batch.records {
            match record {
                Record::Reserved(counter) => self.reserved = counter,
                Record::Ring(ring) => self.ring = Some(record::encode_ring(&ring)),
            }
        }
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
        dynamo_core::store::conformance::check(Disk::default);
    }
}
