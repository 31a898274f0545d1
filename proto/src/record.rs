//! What is on disk: one byte that names the format version, four of a checksum (CRC-32C,
//! little-endian, over all that follows), then protobuf.
//!
//! The database has checksums of its own, over blocks; this one goes with the record from
//! where it is made to where it is read.

use crate::{
    Malformed,
    malformed::{at_most, need, sixteen},
    v1,
};
use bytes::Bytes;
use dynamo_core::{
    id::{Generation, Incarnation, Life, NodeId},
    ring::Ring,
    store::Held,
};
use prost::Message;

/// The format written today.
const FORMAT: u8 = 2;

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

/// What is held of a key, as stored under it.
pub fn encode_held(held: &Held) -> Vec<u8> {
    encode(&v1::Record { versions: Some((&held.versions).into()), life: held.life.0 })
}

/// Reads what [`encode_held`] wrote.
pub fn decode_held(stored: &[u8]) -> Result<Held, Malformed> {
    let record = decode::<v1::Record>(stored)?;
    let versions = need(record.versions, "the versions of a record")?.try_into()?;
    Ok(Held { versions, life: Life(record.life) })
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
    let body = message.encode_to_vec();
    let mut stored = Vec::with_capacity(5 + body.len());
    stored.push(FORMAT);
    stored.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    stored.extend_from_slice(&body);
    stored
}

fn decode<M: Message + Default>(stored: &[u8]) -> Result<M, Malformed> {
    match stored.split_first() {
        Some((&FORMAT, rest)) => {
            let Some((sum, body)) = rest.split_first_chunk() else {
                return Err(Malformed::Missing("the checksum"));
            };
            match u32::from_le_bytes(*sum) == crc32c::crc32c(body) {
                true => Ok(M::decode(body)?),
                false => Err(Malformed::Checksum),
            }
        }
        Some((&found, _)) => Err(Malformed::Format { found, known: FORMAT }),
        None => Err(Malformed::Missing("the record")),
    }
}
