//! What is on disk: one byte that names the format version, then protobuf.
//!
//! Whether the bytes are the ones that were written is for the store to find out, by
//! checksums; here they only have to make sense.

use crate::{
    Malformed,
    malformed::{at_most, sixteen},
    v1,
};
use bytes::Bytes;
use dynamo_core::{
    id::{Generation, Incarnation, NodeId},
    ring::Ring,
    version::Versions,
};
use prost::Message;

/// The format written today.
const FORMAT: u8 = 1;

/// The longest boot id, in bytes. Linux prints a UUID.
const MAX_BOOT_ID: usize = 64;

/// Who a node is, for as long as its data directory lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which cluster it belongs to, for ever.
    pub cluster: [u8; 16],
    /// Its own id.
    pub node: NodeId,
    /// How often it has, or may have, lost what it had stored.
    pub incarnation: Incarnation,
    /// How often it has started.
    pub generation: Generation,
    /// No counter above it has ever been given to a dot.
    pub reserved: u64,
    /// The kernel's boot id at the last start. On another one, unsynced writes are lost
    /// unless `clean`.
    pub boot_id: String,
    /// True while every write is synced, and after a clean stop.
    pub clean: bool,
}

/// The versions of a key, as stored under it.
pub fn encode_versions(versions: &Versions) -> Vec<u8> {
    encode(&v1::Versions::from(versions))
}

/// Reads what [`encode_versions`] wrote.
pub fn decode_versions(stored: &[u8]) -> Result<Versions, Malformed> {
    decode::<v1::Versions>(stored)?.try_into()
}

/// The ring.
pub fn encode_ring(ring: &Ring) -> Vec<u8> {
    encode(&v1::Ring::from(ring))
}

/// Reads what [`encode_ring`] wrote.
pub fn decode_ring(stored: &[u8]) -> Result<Ring, Malformed> {
    decode::<v1::Ring>(stored)?.try_into()
}

/// A node's identity.
pub fn encode_identity(identity: &Identity) -> Vec<u8> {
    encode(&v1::Identity {
        cluster_id: Bytes::copy_from_slice(&identity.cluster),
        node: identity.node.0,
        incarnation: identity.incarnation.0,
        generation: identity.generation.0,
        reserved: identity.reserved,
        boot_id: identity.boot_id.clone(),
        clean: identity.clean,
    })
}

/// Reads what [`encode_identity`] wrote.
pub fn decode_identity(stored: &[u8]) -> Result<Identity, Malformed> {
    let identity = decode::<v1::Identity>(stored)?;
    at_most("the boot id", identity.boot_id.len(), MAX_BOOT_ID)?;
    Ok(Identity {
        cluster: sixteen("the cluster id", &identity.cluster_id)?,
        node: NodeId(identity.node),
        incarnation: Incarnation(identity.incarnation),
        generation: Generation(identity.generation),
        reserved: identity.reserved,
        boot_id: identity.boot_id,
        clean: identity.clean,
    })
}

fn encode(message: &impl Message) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + message.encoded_len());
    stored.push(FORMAT);
    stored.extend_from_slice(&message.encode_to_vec());
    stored
}

fn decode<M: Message + Default>(stored: &[u8]) -> Result<M, Malformed> {
    match stored.split_first() {
        Some((&FORMAT, body)) => Ok(M::decode(body)?),
        Some((&found, _)) => Err(Malformed::Format { found, known: FORMAT }),
        None => Err(Malformed::Missing("the record")),
    }
}
