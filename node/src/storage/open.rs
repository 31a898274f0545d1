//! Opening a data directory: everything that can be wrong with it is found here, before
//! the node has said a word to anybody.

use super::{
    RocksStore,
    directory::{Directory, NotOurs},
    options,
};
use crate::{
    config::Durability,
    identity::{self, OtherCluster},
};
use dynamo_core::{id::NodeId, ring::Ring};
use dynamo_proto::record::{self, Identity};
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
    OtherCluster(#[from] OtherCluster),
    /// It was a good one once.
    #[error(
        "it is damaged: {0}: restore the volume, or start with an empty directory, which makes a \
         new node"
    )]
    Damaged(String),
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
    /// Whether unsynced writes may have been lost before this start.
    pub(crate) new_incarnation: bool,
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
    let at = match directory.store() {
        Some(at) => at,
        None => directory.make_store(|at| create(at, &identity::fresh(cluster, new_node())))?,
    };
    let db = open_database(&at, options::database(durability))?;
    let stored = |name| read(&db, name);
    let last = stored(IDENTITY)?.ok_or_else(|| damaged("the identity record is missing"))?;
    let last = record::decode_identity(&last).map_err(|e| damaged(format!("identity: {e}")))?;
    let ring = stored(RING)?.map(|r| record::decode_ring(&r)).transpose();
    let ring = ring.map_err(|e| damaged(format!("ring: {e}")))?.map(Arc::new);
    let (identity, new_incarnation) = identity::next_start(last, cluster, boot_id, durability)?;
    let store = RocksStore::new(directory, db, identity.clone(), durability);
    store.keep_identity().map_err(refused)?;
    Ok(Opened { store, identity, ring, new_incarnation })
}

/// Makes a database that holds an identity and nothing else.
fn create(at: &Path, identity: &Identity) -> Result<(), Refused> {
    let mut options = options::database(Durability::Sync);
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    let db = open_database(at, options)?;
    let meta = db.cf_handle(options::META).ok_or_else(|| damaged("no column family"))?;
    db.put_cf_opt(meta, IDENTITY, record::encode_identity(identity), &options::synced())
        .map_err(refused)
}

fn open_database(at: &Path, options: Options) -> Result<DB, Refused> {
    DB::open_cf_descriptors(&options, at, options::column_families()).map_err(refused)
}

fn read(db: &DB, name: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
    let meta = db.cf_handle(options::META).ok_or_else(|| damaged("no column family"))?;
    db.get_cf(meta, name).map_err(refused)
}

fn damaged(detail: impl Into<String>) -> Refused {
    Refused::Damaged(detail.into())
}

/// A full or unreadable disk is no damage: what it holds may be fine.
fn refused(e: rocksdb::Error) -> Refused {
    let detail = e.to_string();
    match e.kind() {
        ErrorKind::IOError if !detail.contains("No such file") => Refused::Io(detail),
        _ => damaged(detail),
    }
}
