//! The disk of a node: [`Store`] on RocksDB.
//!
//! - A batch is one atomic write, and one sync under `--durability sync`.
//! - Every record begins with its format version and a checksum; one that cannot be read is
//!   [`StoreError::Damaged`] and never served.
//! - A store that is damaged as a whole is marked, so that the next start sets it aside.
//! - The identity is synced whenever it is written, whatever the durability.

mod complaints;
mod directory;
mod open;
mod options;
mod scan;

pub(crate) use directory::ASIDE;
pub(crate) use open::{Opened, open};

use crate::config::Durability;
use complaints::Complaints;
use directory::Directory;
use dynamo_core::{
    id::NodeId,
    key::Key,
    merkle::Hash,
    store::{Batch, From, Held, Page, Place, Record, Room, Store, StoreError},
};
use dynamo_proto::record::{self, Identity};
use options::{DATA, GRAVES, HINTS, META, TREE};
use rocksdb::{ColumnFamily, DB, ErrorKind, WriteBatch, WriteOptions};
use std::cell::OnceCell;
use tracing::warn;

/// The database in a data directory.
pub(crate) struct RocksStore {
    db: DB,
    identity: Identity,
    durability: Durability,
    write: WriteOptions,
    complaints: Complaints,
    broken: OnceCell<StoreError>,
    /// Released after the database is closed: fields are dropped in this order.
    directory: Directory,
}

impl std::fmt::Debug for RocksStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RocksStore({})", self.identity.node)
    }
}

/// How much there is, roughly: for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Keys, deleted ones included until they are compacted away.
    pub(crate) keys: u64,
    /// Records kept for other nodes.
    pub(crate) hints: u64,
    /// Bytes of tables and of what is still in logs only.
    pub(crate) bytes: u64,
}

impl RocksStore {
    fn new(directory: Directory, db: DB, identity: Identity, durability: Durability) -> Self {
        RocksStore {
            db,
            identity,
            durability,
            write: options::write(durability),
            complaints: Complaints::default(),
            broken: OnceCell::new(),
            directory,
        }
    }

    /// Says that nothing will be written any more, and that nothing was lost.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        self.db.flush_wal(true).map_err(|e| self.failed(e))?;
        self.identity.clean = true;
        let stored = record::encode_identity(&self.identity);
        self.directory.keep_identity(&stored).map_err(|e| StoreError::Io(no_room(&e)))
    }

    /// Why the store must not be used any more, if damage was found that concerns more than
    /// one record. The process should end: its next start sets the store aside.
    pub(crate) fn broken(&self) -> Option<&StoreError> {
        self.broken.get()
    }

    /// An estimate that costs no reads.
    pub(crate) fn size(&self) -> Size {
        let number = |family: &str, name: &str| {
            let family = self.db.cf_handle(family)?;
            self.db.property_int_value_cf(family, name).ok().flatten()
        };
        let keys = |family| number(family, "rocksdb.estimate-num-keys").unwrap_or(0);
        let sum = |name| options::families().filter_map(|f| number(f, name)).sum::<u64>();
        Size {
            keys: keys(DATA),
            hints: keys(HINTS),
            bytes: sum("rocksdb.total-sst-files-size") + sum("rocksdb.cur-size-all-mem-tables"),
        }
    }

    /// All exist: a database that lacks one does not open.
    fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("column families are opened with the database")
    }

    /// A write has failed. RocksDB writes nothing more after that, and so after a background
    /// task that met damage.
    fn failed(&self, e: rocksdb::Error) -> StoreError {
        match e.kind() {
            ErrorKind::Corruption => self.give_up(e.as_ref()),
            _ => StoreError::Io(no_room(&e)),
        }
    }

    /// Damage was found that concerns more than one record.
    fn give_up(&self, why: &str) -> StoreError {
        let broken = self.broken.get_or_init(|| {
            if let Err(e) = self.directory.mark_damaged(why) {
                warn!("the data directory cannot be marked as damaged: {e}");
            }
            StoreError::Io(format!(
                "the store is damaged: {why}: start again, which sets it aside and has the other \
                 replicas fill a new one"
            ))
        });
        broken.clone()
    }

    fn fill(&mut self, write: &mut WriteBatch, batch: Batch) {
        for ((place, key), held) in &batch.held {
            let (family, key) = scan::location(*place, key);
            match held {
                Some(held) => write.put_cf(self.family(family), key, record::encode_held(held)),
                None => write.delete_cf(self.family(family), key),
            }
        }
        for (leaf, hash) in batch.leaves {
            let (tree, leaf) = (self.family(TREE), leaf.to_be_bytes());
            match hash {
                Hash::ABSENT => write.delete_cf(tree, leaf),
                Hash(hash) => write.put_cf(tree, leaf, hash.to_be_bytes()),
            }
        }
        for (key, buried) in batch.graves {
            let graves = self.family(GRAVES);
            match buried {
                true => write.put_cf(graves, key.encode(), b""),
                false => write.delete_cf(graves, key.encode()),
            }
        }
        for kept in batch.records {
            let (name, stored) = match kept {
                Record::Reserved(reserved) => {
                    self.identity.reserved = reserved;
                    (open::IDENTITY, record::encode_identity(&self.identity))
                }
                Record::Ring(ring) => (open::RING, record::encode_ring(&ring)),
            };
            write.put_cf(self.family(META), name, stored);
        }
    }
}

impl Store for RocksStore {
    fn get(&self, place: Place, key: &Key) -> Result<Option<Held>, StoreError> {
        let (family, at) = scan::location(place, key);
        let found = match self.db.get_pinned_cf(self.family(family), at) {
            Ok(Some(stored)) => record::decode_held(&stored).map(Some).map_err(|e| e.to_string()),
            Ok(None) => Ok(None),
            Err(e) if e.kind() == ErrorKind::Corruption => Err(e.to_string()),
            Err(e) => {
                self.complaints.unreadable(key, e.as_ref());
                return Err(StoreError::Io(e.into_string()));
            }
        };
        found.map_err(|detail| {
            self.complaints.unreadable(key, &detail);
            StoreError::Damaged { key: key.clone(), detail }
        })
    }

    fn scan(&self, place: Place, from: From<'_>, room: Room) -> Result<Page, StoreError> {
        self.page(place, from, room)
    }

    fn owners(&self) -> Result<Vec<NodeId>, StoreError> {
        self.owners_of_hints()
    }

    fn graves(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Key>, StoreError> {
        self.grave_keys(after, limit)
    }

    fn leaves(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        self.all_leaves()
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let sync = batch.sync;
        let mut write = WriteBatch::default();
        self.fill(&mut write, batch);
        let committed = match (write.is_empty(), sync) {
            (false, true) => self.db.write_opt(write, &options::synced()),
            (false, false) => self.db.write_opt(write, &self.write),
            (true, true) => self.db.flush_wal(true),
            (true, false) => Ok(()),
        };
        committed.map_err(|e| self.failed(e))
    }

    fn is_durable(&self) -> bool {
        self.durability == Durability::Sync
    }
}

/// An error of the disk, and what to do: most often there is no room.
fn no_room(e: &impl ToString) -> String {
    format!(
        "{}: free space or grow the volume if it is full, replace it if it is broken, then start \
         again",
        e.to_string()
    )
}

#[cfg(test)]
mod tests;
