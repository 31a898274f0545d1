//! The wire and record formats of Dynamo, and their translation to core types.
//!
//! Whatever comes in from outside becomes a core type here or is refused as
//! [`Malformed`]: nothing behind this crate meets a missing field, a wrong length or
//! versions that break their invariants. Encoding cannot fail.
//!
//! | module | what |
//! |---|---|
//! | [`v1`] | generated from `proto/dynamo/v1/*.proto`, clients and servers included |
//! | `id`, `version`, `ring`, `gossip`, `outcome`, `message` | `From` and `TryFrom` between [`v1`] and core |
//! | [`record`] | what is on disk, behind a format version |
//! | [`context`] | what clients carry from a read to a write, sealed |

pub mod context;
pub mod record;

mod gossip;
mod id;
mod malformed;
mod message;
mod outcome;
mod ring;
mod tree;
mod version;

#[cfg(test)]
mod tests;

pub use malformed::Malformed;

/// Generated code.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines)]
pub mod v1 {
    tonic::include_proto!("dynamo.v1");
}

/// What peers speak, told in their hello.
pub const PROTOCOL: u32 = 1;

/// The descriptors of all `.proto` files, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Counts travel as 32 bits. Those of this store are far below that.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn uncount(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
