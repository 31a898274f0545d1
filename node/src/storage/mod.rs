//! The disk of a node: [`Store`] on RocksDB.
//!
//! - A batch is one atomic write, and one sync under `--durability sync`.
//! - Every record begins with its format version; a record that cannot be read is
//!   [`StoreError::Damaged`] and never served.
//! - The identity is synced whenever it is written, whatever the durability.

mod directory;
mod open;
mod options;

pub(crate) use open::{Opened, open};

use crate::config::Durability;
use directory::Directory;
use dynamo_core::{
    key::Key,
    store::{Batch, Record, Store, StoreError},
    version::Versions,
};
use dynamo_proto::record::{self, Identity};
use options::{DATA, META};
use rocksdb::{ColumnFamily, DB, Direction, ErrorKind, IteratorMode, WriteBatch, WriteOptions};
use tracing::error;

/// The database in a data directory.
pub(crate) struct RocksStore {
    db: DB,
    identity: Identity,
    durability: Durability,
    write: WriteOptions,
    /// Released after the database is closed: fields are dropped in this order.
    _directory: Directory,
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
    /// Bytes of tables and of what is still in logs only.
    pub(crate) bytes: u64,
}

impl RocksStore {
    fn new(directory: Directory, db: DB, identity: Identity, durability: Durability) -> Self {
        let write = options::write(durability);
        RocksStore { db, identity, durability, write, _directory: directory }
    }

    /// Says that nothing will be written any more, and that nothing was lost.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        self.db.flush_wal(true).map_err(io)?;
        self.identity.clean = true;
        self.keep_identity().map_err(io)
    }

    /// An estimate that costs no reads.
    pub(crate) fn size(&self) -> Size {
        let number = |family: &str, name: &str| {
            let family = self.db.cf_handle(family)?;
            self.db.property_int_value_cf(family, name).ok().flatten()
        };
        let sum = |name: &str| [DATA, META].iter().filter_map(|f| number(f, name)).sum::<u64>();
        Size {
            keys: number(DATA, "rocksdb.estimate-num-keys").unwrap_or(0),
            bytes: sum("rocksdb.total-sst-files-size") + sum("rocksdb.cur-size-all-mem-tables"),
        }
    }

    fn keep_identity(&self) -> Result<(), rocksdb::Error> {
        let stored = record::encode_identity(&self.identity);
        self.db.put_cf_opt(self.family(META), open::IDENTITY, stored, &options::synced())
    }

    /// Both exist: a database that lacks one does not open.
    fn family(&self, name: &str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("column families are opened with the database")
    }
}

impl Store for RocksStore {
    fn get(&self, key: &Key) -> Result<Option<Versions>, StoreError> {
        let held = match self.db.get_pinned_cf(self.family(DATA), key.encode()) {
            Ok(Some(stored)) => decode(key, &stored).map(Some),
            Ok(None) => Ok(None),
            Err(e) if e.kind() == ErrorKind::Corruption => Err(damaged(key, e)),
            Err(e) => Err(io(e)),
        };
        // The core fails the one request; that the disk is at fault is said here only.
        held.inspect_err(|e| error!("{e}"))
    }

    fn scan(&self, after: Option<&Key>, limit: usize) -> Result<Vec<(Key, Versions)>, StoreError> {
        let after = after.map(Key::encode);
        let from = match &after {
            Some(key) => IteratorMode::From(key, Direction::Forward),
            None => IteratorMode::Start,
        };
        let mut page = Vec::with_capacity(limit.min(1024));
        for entry in self.db.iterator_cf(self.family(DATA), from) {
            let (key, stored) = entry.map_err(io)?;
            if after.as_deref() == Some(&key[..]) {
                continue;
            }
            if page.len() == limit {
                break;
            }
            let key = Key::decode(&key).ok_or_else(|| {
                StoreError::Io(format!("a key that is none: {}", key.escape_ascii()))
            })?;
            let versions = decode(&key, &stored)?;
            page.push((key, versions));
        }
        Ok(page)
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let mut write = WriteBatch::default();
        for (key, versions) in &batch.versions {
            write.put_cf(self.family(DATA), key.encode(), record::encode_versions(versions));
        }
        for kept in batch.records {
            match kept {
                Record::Reserved(reserved) => {
                    self.identity.reserved = reserved;
                    let stored = record::encode_identity(&self.identity);
                    write.put_cf(self.family(META), open::IDENTITY, stored);
                }
                Record::Ring(ring) => {
                    write.put_cf(self.family(META), open::RING, record::encode_ring(&ring));
                }
            }
        }
        self.db.write_opt(write, &self.write).map_err(io)
    }

    fn is_durable(&self) -> bool {
        self.durability == Durability::Sync
    }
}

fn decode(key: &Key, stored: &[u8]) -> Result<Versions, StoreError> {
    record::decode_versions(stored).map_err(|e| damaged(key, e))
}

fn damaged(key: &Key, detail: impl ToString) -> StoreError {
    StoreError::Damaged { key: key.clone(), detail: detail.to_string() }
}

fn io(e: rocksdb::Error) -> StoreError {
    StoreError::Io(e.to_string())
}

#[cfg(test)]
mod tests;
