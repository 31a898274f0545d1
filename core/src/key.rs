//! Keys, their place on the ring (paper, section 4.2) and their stored order.
//!
//! The partition part alone decides where a key lives. Stored order is (ring
//! position's first 16 bits, partition part, sort part): every ring partition is one
//! contiguous range for any number of partitions up to 65,536, and the keys of one
//! partition part lie together, sorted.

use bytes::Bytes;
use md5::{Digest, Md5};
use std::{cmp::Ordering, fmt};

/// A key: arbitrary bytes in two parts. Plain keys have an empty sort part.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    partition: Bytes,
    sort: Bytes,
    /// MD5 of the partition part, computed once.
    position: u128,
}

impl Key {
    /// A key with a sort part.
    pub fn new(partition: impl Into<Bytes>, sort: impl Into<Bytes>) -> Self {
        let partition = partition.into();
        let position = u128::from_be_bytes(Md5::digest(&partition).into());
        Key { partition, sort: sort.into(), position }
    }

    /// A key without a sort part.
    pub fn plain(partition: impl Into<Bytes>) -> Self {
        Key::new(partition, Bytes::new())
    }

    /// The part that decides where the key lives.
    pub fn partition(&self) -> &Bytes {
        &self.partition
    }

    /// The part that orders keys of one partition part.
    pub fn sort(&self) -> &Bytes {
        &self.sort
    }

    /// Where the key lies on the ring of 2^128 positions.
    pub fn position(&self) -> u128 {
        self.position
    }

    /// The first 16 bits of the position, with which stored order begins: the leaf of the
    /// Merkle tree that the key is counted in.
    pub fn leaf(&self) -> u16 {
        u16::from_be_bytes(self.prefix())
    }

    /// Both parts together, in bytes: what the limit on keys counts.
    pub fn len(&self) -> usize {
        self.partition.len() + self.sort.len()
    }

    /// True when there is no partition part, which no key may lack.
    pub fn is_empty(&self) -> bool {
        self.partition.is_empty()
    }

    fn prefix(&self) -> [u8; 2] {
        let b = self.position.to_be_bytes();
        [b[0], b[1]]
    }

    /// The key as stored: its bytes compare like the keys themselves.
    ///
    /// A zero byte in the partition part is written as `00 ff`, its end as `00 00`,
    /// so that no key is a prefix of another's range.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() + 6);
        out.extend_from_slice(&self.prefix());
        for &b in &self.partition {
            out.push(b);
            if b == 0 {
                out.push(0xff);
            }
        }
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.sort);
        out
    }

    /// Reads what [`Key::encode`] wrote; `None` for anything else.
    pub fn decode(stored: &[u8]) -> Option<Self> {
        let body = stored.get(2..)?;
        let mut partition = Vec::with_capacity(body.len());
        let mut at = 0;
        loop {
            match (*body.get(at)?, body.get(at + 1)) {
                (0, Some(0)) => break,
                (0, Some(0xff)) => {
                    partition.push(0);
                    at += 2;
                }
                (0, _) => return None,
                (b, _) => {
                    partition.push(b);
                    at += 1;
                }
            }
        }
        let key = Key::new(partition, body[at + 2..].to_vec());
        (key.prefix() == stored[..2]).then_some(key)
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.prefix(), &self.partition, &self.sort).cmp(&(
            other.prefix(),
            &other.partition,
            &other.sort,
        ))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.partition.escape_ascii())?;
        if !self.sort.is_empty() {
            write!(f, "/\"{}\"", self.sort.escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Few distinct bytes, zeros among them, so that prefixes and escapes meet.
    fn part(min: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xfe, 0xff]), min..5)
    }

    #[test]
    fn the_position_is_the_md5_of_the_partition_part() {
        let key = Key::new("abc", "anything");
        assert_eq!(key.position(), 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72);
    }

    #[test]
    fn garbage_is_no_key() {
        for bad in [&b""[..], b"x", b"xy", b"xyz", b"xy\0", b"xy\0\x01", b"xyabc\0\0"] {
            assert_eq!(Key::decode(bad), None, "{}", bad.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn stored_bytes_read_back(p in part(1), s in part(0)) {
            let key = Key::new(p, s);
            prop_assert_eq!(Key::decode(&key.encode()), Some(key));
        }

        #[test]
        fn stored_bytes_order_as_keys_do(a in (part(1), part(0)), b in (part(1), part(0))) {
            let (a, b) = (Key::new(a.0, a.1), Key::new(b.0, b.1));
            prop_assert_eq!(a.cmp(&b), a.encode().cmp(&b.encode()));
        }
    }
}
