//! Bytes or messages that do not mean anything.

use bytes::Bytes;
use dynamo_core::{ring::BadRing, version::Inconsistent};

/// What is wrong with something that came from the wire or the disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not protobuf, or cut off.
    #[error("not readable as protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field of fixed length has another.
    #[error("{what} has {size} bytes, not {expected}")]
    Length {
        /// Which.
        what: &'static str,
        /// What it has.
        size: usize,
        /// What it must have.
        expected: usize,
    },
    /// A list or text is too long.
    #[error("{what} has a length of {size}; the limit is {limit}")]
    TooLong {
        /// Which.
        what: &'static str,
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// A field has a value that it never has.
    #[error("{0}")]
    Value(&'static str),
    /// Versions that break their invariants.
    #[error(transparent)]
    Versions(#[from] Inconsistent),
    /// No ring.
    #[error(transparent)]
    Ring(#[from] BadRing),
    /// A record that is not what was written.
    #[error("the checksum does not fit: these are not the bytes that were written")]
    Checksum,
    /// A record of a format that this software does not know.
    #[error("format version {found}; this software reads version {known} only")]
    Format {
        /// The record's first byte.
        found: u8,
        /// The one that is known.
        known: u8,
    },
}

/// A message field that must be there.
pub(crate) fn need<T>(field: Option<T>, what: &'static str) -> Result<T, Malformed> {
    field.ok_or(Malformed::Missing(what))
}

/// A field of sixteen bytes.
pub(crate) fn sixteen(what: &'static str, bytes: &Bytes) -> Result<[u8; 16], Malformed> {
    let wrong = |_| Malformed::Length { what, size: bytes.len(), expected: 16 };
    <[u8; 16]>::try_from(&bytes[..]).map_err(wrong)
}

/// A list or text that has a limit.
pub(crate) fn at_most(what: &'static str, size: usize, limit: usize) -> Result<(), Malformed> {
    if size > limit { Err(Malformed::TooLong { what, size, limit }) } else { Ok(()) }
}
