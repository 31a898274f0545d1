//! Opening a data directory: everything that can be wrong with it is found here, before
//! the node has said a word to anybody.
//!
//! A store that is damaged as a whole is set aside, and the node goes on with an empty one
//! as its own next incarnation: what it held is held by others, who bring it back. An
//! identity that is damaged is refused: nobody else has it.
//!
//! The steps are in an order in which a crash after any of them does no harm: a store is
//! put away before the new incarnation is written, and that before there is a store again.
//! An incarnation too many costs nothing.

use super::{
    RocksStore,
    directory::{Directory, NotOurs},
    options,
};
use crate::{
    config::Durability,
    identity::{self, Loss, NotItsOwn},
};
use dynamo_core::{id::NodeId, ring::Ring};
use dynamo_proto::{
    Malformed,
    record::{self, Identity},
};
use rocksdb::{DB, ErrorKind, Options};
use std::{io, path::Path, sync::Arc};
use uuid::Uuid;

/// Keys in the column family of the node's own records.
pub(super) const IDENTITY: &[u8] = b"identity";
pub(super) const RING: &[u8] = b"ring";

/// What stands in a directory that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    #[error(transparent)]
    NotItsOwn(#[from] NotItsOwn),
    #[error(
        "it holds a store but no identity file: the file is lost, or an earlier version of this \
         program made the store: restore the volume, or start with an empty directory, which \
         makes a new node"
    )]
    NoIdentity,
    #[error(
        "its identity file is damaged: {0}: restore the volume, or start with an empty directory, \
         which makes a new node"
    )]
    Identity(Malformed),
    #[error("{what} has {why}: start the version of this program that wrote it")]
    Format { what: &'static str, why: Malformed },
    #[error("it cannot be read or written: {0}")]
    Io(String),
}

impl From<io::Error> for Refused {
    fn from(e: io::Error) -> Self {
        NotOurs::Io(e).into()
    }
}

/// What a node starts with.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) store: RocksStore,
    /// For this start, on disk already.
    pub(crate) identity: Identity,
    pub(crate) ring: Option<Arc<Ring>>,
    /// What is not there any more of what was stored before this start.
    pub(crate) loss: Loss,
    /// Why a store was set aside, if one was.
    pub(crate) damage: Option<String>,
}

/// Opens the data directory, making it if it is empty or not there, and takes the next
/// generation of its node.
pub(crate) fn open(
    path: &Path,
    cluster: Uuid,
    new_node: impl FnOnce() -> NodeId,
    boot_id: &str,
    durability: Durability,
) -> Result<Opened, Refused> {
    let directory = Directory::claim(path)?;
    let last = match directory.identity()? {
        Some(stored) => record::decode_identity(&stored).map_err(|e| match e {
            Malformed::Format { .. } => Refused::Format { what: "its identity file", why: e },
            _ => Refused::Identity(e),
        })?,
        None if directory.store().is_some() => return Err(Refused::NoIdentity),
        None => identity::fresh(cluster, new_node()),
    };
    identity::check_cluster(&last, cluster)?;
    let (loaded, damage) = match find(&directory, durability) {
        Ok(loaded) => (loaded, None),
        Err(Unusable::Refused(refused)) => return Err(refused),
        Err(Unusable::Damaged(why)) => {
            directory.set_store_aside()?;
            (None, Some(why))
        }
    };
    if let Some(loaded) = &loaded {
        identity::check_store(&last, &loaded.identity)?;
    }
    let (identity, loss) = identity::next_start(last, boot_id, durability, loaded.is_some());
    directory.keep_identity(&record::encode_identity(&identity))?;
    let Loaded { db, identity: in_store, ring } = match loaded {
        Some(loaded) => loaded,
        None => {
            let at = directory.make_store(|at| create(at, &identity))?;
            load(&at, durability)?
        }
    };
    let identity = Identity { reserved: in_store.reserved, ..identity };
    let store = RocksStore::new(directory, db, identity.clone(), durability);
    Ok(Opened { store, identity, ring, loss, damage })
}

/// A database that opens, and what it says of the node.
struct Loaded {
    db: DB,
    identity: Identity,
    ring: Option<Arc<Ring>>,
}

/// Why there is none.
enum Unusable {
    /// It is not what was written.
    Damaged(String),
    /// It may be fine.
    Refused(Refused),
}

impl From<io::Error> for Unusable {
    fn from(e: io::Error) -> Self {
        Unusable::Refused(e.into())
    }
}

/// A database that has just been made is not damaged: something else is wrong.
impl From<Unusable> for Refused {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Damaged(why) => Refused::Io(why),
            Unusable::Refused(refused) => refused,
        }
    }
}

fn find(directory: &Directory, durability: Durability) -> Result<Option<Loaded>, Unusable> {
    if let Some(why) = directory.mark()? {
        return Err(Unusable::Damaged(why));
    }
    directory.store().map(|at| load(&at, durability)).transpose()
}

fn load(at: &Path, durability: Durability) -> Result<Loaded, Unusable> {
    let db = open_database(at, options::database(durability))?;
    let stored = read(&db, IDENTITY)?
        .ok_or_else(|| Unusable::Damaged("the store does not say whose it is".into()))?;
    let identity = record::decode_identity(&stored).map_err(|e| not_as_written("identity", e))?;
    let ring = read(&db, RING)?.map(|r| record::decode_ring(&r)).transpose();
    let ring = ring.map_err(|e| not_as_written("ring", e))?.map(Arc::new);
    Ok(Loaded { db, identity, ring })
}

/// Makes a database that holds an identity and nothing else.
fn create(at: &Path, identity: &Identity) -> Result<(), Refused> {
    let mut options = options::database(Durability::Sync);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = open_database(at, options)?;
    let stored = record::encode_identity(identity);
    Ok(db.put_cf_opt(meta(&db)?, IDENTITY, stored, &options::synced()).map_err(unusable)?)
}

fn open_database(at: &Path, options: Options) -> Result<DB, Unusable> {
    DB::open_cf_descriptors(&options, at, options::column_families()).map_err(unusable)
}

fn read(db: &DB, name: &[u8]) -> Result<Option<Vec<u8>>, Unusable> {
    db.get_cf(meta(db)?, name).map_err(unusable)
}

fn meta(db: &DB) -> Result<&rocksdb::ColumnFamily, Unusable> {
    let missing = || Unusable::Damaged("the store has no place for the node's records".into());
    db.cf_handle(options::META).ok_or_else(missing)
}

fn not_as_written(what: &'static str, e: Malformed) -> Unusable {
    match e {
        Malformed::Format { .. } => {
            Unusable::Refused(Refused::Format { what: "its store", why: e })
        }
        _ => Unusable::Damaged(format!("the store's {what}: {e}")),
    }
}

/// Only what is not as it was written, or is missing, is damage. A full, slow or
/// unreadable disk is none: what it holds may be fine.
fn unusable(e: rocksdb::Error) -> Unusable {
    let detail = e.to_string();
    let damaged = match e.kind() {
        ErrorKind::Corruption => true,
        ErrorKind::IOError => detail.contains("No such file"),
        ErrorKind::InvalidArgument => detail.contains("does not exist"),
        _ => false,
    };
    match damaged {
        true => Unusable::Damaged(detail),
        false => Unusable::Refused(Refused::Io(detail)),
    }
}
