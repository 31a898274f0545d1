//! A disk: keeps encoded records, whole batches or nothing, over the end of a process.
//!
//! It is slow or sick when a fault says so. A sick disk fails every read; commits always
//! succeed, because a process whose commit fails must end, which is a crash. A disk that
//! need not sync loses its latest batches with the power.

use crate::dice::Dice;
use dynamo_core::{
    id::NodeId,
    key::Key,
    merkle::Hash,
    ring::Ring,
    store::{Batch, From, Held, Page, Place, Record, Room, Store, StoreError},
    version::Versions,
};
use dynamo_proto::{Malformed, record};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Included, Unbounded},
    sync::Arc,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    state: State,
    /// For one that need not sync: what is safe, and the batches that came since.
    unsynced: Option<(State, Vec<Batch>)>,
    pub(crate) sick: bool,
    pub(crate) slow: bool,
    /// Some record was damaged, once.
    pub(crate) damaged: bool,
}

#[derive(Clone, Debug, Default)]
struct State {
    held: BTreeMap<Place, BTreeMap<Vec<u8>, Vec<u8>>>,
    leaves: BTreeMap<u16, Hash>,
    graves: BTreeSet<Key>,
    reserved: u64,
    ring: Option<Vec<u8>>,
}

impl Disk {
    /// An empty one.
    pub(crate) fn new(syncs: bool) -> Self {
        Disk { unsynced: (!syncs).then(Default::default), ..Disk::default() }
    }

    /// The last [`Record::Reserved`].
    pub(crate) fn reserved(&self) -> u64 {
        self.state.reserved
    }

    /// The last [`Record::Ring`].
    pub(crate) fn ring(&self) -> Option<Arc<Ring>> {
        let stored = self.state.ring.as_deref()?;
        Some(Arc::new(record::decode_ring(stored).expect("a ring reads back")))
    }

    pub(crate) fn holds_anything(&self) -> bool {
        self.state.held.values().any(|place| !place.is_empty())
    }

    /// Power is lost: only some first ones of the unsynced batches are there afterwards.
    /// Returns whether any was lost; `None` if every commit is synced.
    pub(crate) fn lose_unsynced(&mut self, dice: &mut Dice) -> Option<bool> {
        let (safe, batches) = self.unsynced.as_mut()?;
        let kept = dice.number(0..=batches.len());
        let lost = kept < batches.len();
        batches.drain(..).take(kept).for_each(|batch| safe.apply(batch));
        self.state = safe.clone();
        Some(lost)
    }

    /// Flips a byte of a record. Returns whether there was one.
    pub(crate) fn damage(&mut self, dice: &mut Dice) -> bool {
        let (n, at, chance) = (dice.any(), dice.any(), dice.any());
        // What is on disk is synced by now.
        let synced = self.unsynced.as_mut().map(|(safe, batches)| {
            batches.drain(..).for_each(|batch| safe.apply(batch));
            safe
        });
        let hits: Vec<_> = synced
            .into_iter()
            .chain([&mut self.state])
            .map(|state| {
                let own = state.held.entry(Place::Own).or_default();
                let nth = usize::try_from(n).unwrap_or(0).checked_rem(own.len());
                let record = nth.and_then(|nth| own.values_mut().nth(nth));
                record.is_some_and(|record| {
                    let at = usize::try_from(at).unwrap_or(0) % record.len().max(1);
                    record.get_mut(at).map(|byte| *byte ^= 1 << (chance % 8)).is_some()
                })
            })
            .collect();
        self.damaged |= hits.contains(&true);
        hits.contains(&true)
    }

    /// What the oracle finds of a key, however sick the disk is; nothing if it is damaged.
    pub(crate) fn holds(&self, place: Place, key: &Key) -> Versions {
        self.state.holds(place, key)
    }

    /// The same, after a loss of power.
    pub(crate) fn holds_safely(&self, place: Place, key: &Key) -> Versions {
        self.unsynced.as_ref().map_or(&self.state, |(safe, _)| safe).holds(place, key)
    }

    /// Whether a record does not read back.
    pub(crate) fn is_damaged(&self, place: Place, key: &Key) -> bool {
        self.damaged && self.state.read(place, key).is_some_and(|held| held.is_err())
    }

    /// For whom there are hints, and what they are.
    pub(crate) fn hints(&self) -> impl Iterator<Item = (NodeId, Key)> + '_ {
        self.state.held.iter().flat_map(|(place, held)| {
            let owner = match place {
                Place::Own => None,
                Place::Hint(owner) => Some(*owner),
            };
            let keys = held.keys().filter_map(|k| Key::decode(k));
            keys.filter_map(move |key| Some((owner?, key)))
        })
    }

    /// All keys in the node's own place.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.state
            .held
            .get(&Place::Own)
            .into_iter()
            .flat_map(|held| held.keys().filter_map(|k| Key::decode(k)))
    }

    /// How many deleted keys have not been reaped.
    pub(crate) fn grave_count(&self) -> usize {
        self.state.graves.len()
    }

    fn read(&self, key: &Key, stored: &[u8]) -> Result<Held, StoreError> {
        record::decode_held(stored)
            .map_err(|e| StoreError::Damaged { key: key.clone(), detail: e.to_string() })
    }

    fn healthy(&self) -> Result<(), StoreError> {
        if self.sick { Err(StoreError::Io("the disk is sick".into())) } else { Ok(()) }
    }
}

impl State {
    fn read(&self, place: Place, key: &Key) -> Option<Result<Held, Malformed>> {
        let stored = self.held.get(&place)?.get(&key.encode())?;
        Some(record::decode_held(stored))
    }

    fn holds(&self, place: Place, key: &Key) -> Versions {
        self.read(place, key).and_then(Result::ok).unwrap_or_default().versions
    }

    fn apply(&mut self, batch: Batch) {
        for ((place, key), held) in batch.held {
            let place = self.held.entry(place).or_default();
            match held {
                Some(held) => place.insert(key.encode(), record::encode_held(&held)),
                None => place.remove(&key.encode()),
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
        for record in batch.records {
            match record {
                Record::Reserved(counter) => self.reserved = counter,
                Record::Ring(ring) => self.ring = Some(record::encode_ring(&ring)),
            }
        }
    }
}

impl Store for Disk {
    fn get(&self, place: Place, key: &Key) -> Result<Option<Held>, StoreError> {
        self.healthy()?;
        let stored = self.state.held.get(&place).and_then(|p| p.get(&key.encode()));
        stored.map(|s| self.read(key, s)).transpose()
    }

    fn scan(&self, place: Place, from: From<'_>, room: Room) -> Result<Page, StoreError> {
        self.healthy()?;
        let Some(held) = self.state.held.get(&place) else { return Ok(Page::default()) };
        let first = match from {
            From::Start => Unbounded,
            From::Leaf(leaf) => Included(leaf.to_be_bytes().to_vec()),
            From::After(key) => Excluded(key.encode()),
        };
        let end = match (place, room.last.checked_add(1)) {
            (Place::Own, Some(next)) => Excluded(next.to_be_bytes().to_vec()),
            _ => Unbounded,
        };
        let mut range = held.range((first, end)).peekable();
        let (mut page, mut bytes, mut last) = (Page::default(), 0, None);
        for (key, stored) in range.by_ref() {
            let key = Key::decode(key).ok_or(StoreError::Io("a damaged key".into()))?;
            bytes += key.len() + stored.len();
            match self.read(&key, stored) {
                Ok(held) => page.records.push((key.clone(), held)),
                Err(_) => page.damaged.push(key.clone()),
            }
            last = Some(key);
            if page.records.len() + page.damaged.len() >= room.records || bytes >= room.bytes {
                break;
            }
        }
        page.next = range.peek().and(last);
        Ok(page)
    }

    fn owners(&self) -> Result<Vec<NodeId>, StoreError> {
        let mut owners: Vec<_> = self.hints().map(|(owner, _)| owner).collect();
        owners.dedup();
        Ok(owners)
    }

    fn graves(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.healthy()?;
        let from = after.map_or(Unbounded, Excluded);
        Ok(self.state.graves.range::<Key, _>((from, Unbounded)).take(limit).cloned().collect())
    }

    fn leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        let leaves = self.state.leaves.iter().map(|(leaf, hash)| (*leaf, *hash));
        Ok(leaves.filter(|(_, hash)| *hash != Hash::ABSENT).collect())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        if let Some((safe, batches)) = &mut self.unsynced {
            let sync = batch.sync;
            batches.push(batch.clone());
            if sync {
                batches.drain(..).for_each(|batch| safe.apply(batch));
            }
        }
        self.state.apply(batch);
        Ok(())
    }

    fn is_durable(&self) -> bool {
        self.unsynced.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_store() {
        dynamo_core::store::conformance::check(|| Disk::new(true));
        dynamo_core::store::conformance::check(|| Disk::new(false));
    }
}
