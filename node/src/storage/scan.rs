//! Reading in stored order: pages of records, owners of hints, graves, leaves.
//!
//! | column family | key | value |
//! |---|---|---|
//! | `data` | `Key::encode` | record |
//! | `hints` | owner, 8 bytes big-endian; `Key::encode` | record |
//! | `graves` | `Key::encode` | empty |
//! | `tree` | leaf, 2 bytes big-endian | hash, 8 bytes big-endian |
//!
//! A record that is damaged is passed over and named. A damaged block is not: which keys
//! were in it nobody can tell, and every later scan and compaction would meet it again. So
//! the store is given up as a whole, see [`RocksStore::broken`].

use super::{
    RocksStore,
    options::{DATA, GRAVES, HINTS, TREE, scan},
};
use dynamo_core::{
    id::NodeId,
    key::Key,
    merkle::Hash,
    store::{From, Page, Place, Room, StoreError},
};
use dynamo_proto::record;
use rocksdb::{DBRawIterator, ErrorKind, ReadOptions};

/// Where the hints for an owner begin.
fn of_owner(owner: NodeId) -> [u8; 8] {
    owner.0.to_be_bytes()
}

/// The column family of a place, and the key of a record in it.
pub(super) fn location(place: Place, key: &Key) -> (&'static str, Vec<u8>) {
    match place {
        Place::Own => (DATA, key.encode()),
        Place::Hint(owner) => (HINTS, [&of_owner(owner)[..], &key.encode()].concat()),
    }
}

impl RocksStore {
    pub(super) fn page(
        &self,
        place: Place,
        from: From<'_>,
        room: Room,
    ) -> Result<Page, StoreError> {
        let mut options = scan();
        let (family, prefix) = match place {
            Place::Own => {
                if let Some(next) = room.last.checked_add(1) {
                    options.set_iterate_upper_bound(next.to_be_bytes());
                }
                (DATA, Vec::new())
            }
            Place::Hint(owner) => {
                // After the last owner of all there is nothing to stop at.
                if let Some(next) = owner.0.checked_add(1) {
                    options.set_iterate_upper_bound(of_owner(NodeId(next)));
                }
                (HINTS, of_owner(owner).to_vec())
            }
        };
        let first = match from {
            From::Start => Vec::new(),
            From::Leaf(leaf) => leaf.to_be_bytes().to_vec(),
            From::After(key) => after(key),
        };
        let mut rows = self.rows(family, options, [&prefix[..], &first[..]].concat());
        let (mut page, mut bytes, mut last) = (Page::default(), 0, None);
        while let Some((key, stored)) = rows.item() {
            let full =
                page.records.len() + page.damaged.len() >= room.records || bytes >= room.bytes;
            if full && last.is_some() {
                page.next = last;
                return Ok(page);
            }
            let key = self.key(&key[prefix.len()..])?;
            bytes += key.len() + stored.len();
            match record::decode_held(stored) {
                Ok(held) => page.records.push((key.clone(), held)),
                Err(e) => {
                    self.complaints.unreadable(&key, &e.to_string());
                    page.damaged.push(key.clone());
                }
            }
            last = Some(key);
            rows.next();
        }
        self.ended(&rows)?;
        Ok(page)
    }

    pub(super) fn owners_of_hints(&self) -> Result<Vec<NodeId>, StoreError> {
        let mut owners = Vec::new();
        let mut rows = self.rows(HINTS, scan(), Vec::new());
        while let Some((key, _)) = rows.item() {
            let Some(owner) = key.first_chunk() else { return Err(self.no_key(key)) };
            let owner = NodeId(u64::from_be_bytes(*owner));
            owners.push(owner);
            match owner.0.checked_add(1) {
                Some(next) => rows.seek(of_owner(NodeId(next))),
                None => break,
            }
        }
        self.ended(&rows)?;
        Ok(owners)
    }

    pub(super) fn grave_keys(
        &self,
        from: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        let mut rows = self.rows(GRAVES, scan(), from.map(after).unwrap_or_default());
        while let Some((key, _)) = rows.item().filter(|_| keys.len() < limit) {
            keys.push(self.key(key)?);
            rows.next();
        }
        self.ended(&rows)?;
        Ok(keys)
    }

    /// Whoever asks can count the leaves anew, so the store is not given up for one that
    /// makes no sense.
    pub(super) fn all_leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        let mut leaves = Vec::new();
        let mut rows = self.rows(TREE, scan(), Vec::new());
        while let Some((leaf, hash)) = rows.item() {
            let (Ok(leaf), Ok(hash)) = (leaf.try_into(), hash.try_into()) else {
                return Err(StoreError::Io("a leaf of the Merkle tree makes no sense".into()));
            };
            leaves.push((u16::from_be_bytes(leaf), Hash(u64::from_be_bytes(hash))));
            rows.next();
        }
        rows.status().map_err(|e| StoreError::Io(e.to_string()))?;
        Ok(leaves)
    }

    fn rows(&self, family: &str, options: ReadOptions, from: Vec<u8>) -> DBRawIterator<'_> {
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family), options);
        rows.seek(from);
        rows
    }

    fn key(&self, stored: &[u8]) -> Result<Key, StoreError> {
        Key::decode(stored).ok_or_else(|| self.no_key(stored))
    }

    fn no_key(&self, stored: &[u8]) -> StoreError {
        self.give_up(&format!("a key that is none: {}", stored.escape_ascii()))
    }

    /// Whether rows ended because there are no more.
    fn ended(&self, rows: &DBRawIterator<'_>) -> Result<(), StoreError> {
        rows.status().map_err(|e| match e.kind() {
            ErrorKind::Corruption => self.give_up(e.as_ref()),
            _ => StoreError::Io(e.to_string()),
        })
    }
}

/// The first possible key after one.
fn after(key: &Key) -> Vec<u8> {
    let mut first = key.encode();
    first.push(0);
    first
}
