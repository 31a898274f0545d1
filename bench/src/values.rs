//! What is stored: numbered keys and values that do not compress, so that bytes on disk
//! are bytes of values, each the same whenever it is asked for.

use bytes::Bytes;
use dynamo_proto::v1::Key;
use rand::RngExt;

/// Values are cut out of so many random bytes.
const BLOCK: usize = 1 << 20;

/// Neighbours begin so far apart; odd, so that all places are used.
const STRIDE: u64 = 7_919;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Values {
    block: Bytes,
    size: usize,
}

impl Values {
    /// Of so many bytes each.
    pub(crate) fn new(size: usize) -> Self {
        let mut block = vec![0; BLOCK + size];
        rand::rng().fill(&mut block[..]);
        Values { block: block.into(), size }
    }

    /// The value with that number. Others may have the same.
    pub(crate) fn of(&self, number: u64) -> Bytes {
        let at = usize::try_from(number.wrapping_mul(STRIDE) % BLOCK as u64).unwrap_or(0);
        self.block.slice(at..at + self.size)
    }

    /// Bytes of a value.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

/// The key with that number, of one kind.
pub(crate) fn key(kind: &str, number: u64) -> Key {
    Key { partition: format!("{kind}/{number}").into(), sort: Bytes::new() }
}
