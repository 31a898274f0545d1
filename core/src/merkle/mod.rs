//! Merkle trees, by which two replicas find the keys they hold differently (paper,
//! section 4.7) without listing all the others.
//!
//! ```text
//!   Exchange::next ─▶ Ask(question) ─┬─▶ own Tree::answer, or a page of keys ─┬─▶ answered
//!        ▲                           └─▶ the peer's, the same                 ┘       │
//!        └─────────────────────────────────────────────────────────────────────◀──────┘
//!                  ─▶ Differ(keys): the caller brings them to the same state
//!                  ─▶ Done
//! ```
//!
//! A [`struct@Hash`] stands for the state of one key. A [`Tree`] has the sum of the hashes of
//! all keys of a node, by where on the ring they are. An [`Exchange`] compares the trees
//! of two nodes from the partitions' roots down to the leaves that differ, and there the
//! hashes of the keys.
//!
//! The paper has one tree per range of keys and recomputes them when nodes join or leave.
//! Here a leaf is the first 16 bits of a ring position, so that the tree of a partition
//! is a subtree of the one tree, whoever holds the partition and however many there are:
//! a new ring changes nothing in it.
//!
//! Writes go on during an exchange. Two answers that were given a moment apart can make
//! a key differ that does not; bringing it to the same state once more is harmless. A
//! difference that comes up behind the exchange is for the next one.

mod exchange;
mod question;
mod tree;

pub use exchange::{BadAnswer, Counts, Exchange, Side, Step};
pub use question::{Answer, BadQuestion, LIST, NODES, Node, PAGE_BYTES, Page, Question};
pub use tree::{FAN_OUT, LEAF_DEPTH, Tree};

use crate::{
    id::{Actor, Dot},
    key::Key,
    version::Versions,
};
use md5::{Digest, Md5};

/// Stands for the state of one key at one replica, or for the sum of those of many keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub u64);

impl Hash {
    /// Of a key that is not held. No key that is held has it.
    pub const ABSENT: Hash = Hash(0);

    /// Of a key and what is held of it; [`Hash::ABSENT`] if that says nothing.
    ///
    /// It covers the dots that were seen, those of the siblings and the past requests:
    /// what merging goes by. Values follow from the dots. Stamps may differ between
    /// replicas that need nothing from each other, and so may the order of past requests,
    /// which is theirs; neither counts.
    ///
    /// It is kept on disks and compared between releases: whoever changes it must have
    /// all trees built anew, and until then every key of two releases differs.
    pub fn of(key: &Key, versions: &Versions) -> Hash {
        if versions.seen().is_empty() && versions.past().is_empty() {
            return Hash::ABSENT;
        }
        let mut md5 = Md5::new();
        let encoded = key.encode();
        feed_length(&mut md5, encoded.len());
        md5.update(&encoded);
        feed_length(&mut md5, versions.seen().len());
        versions.seen().iter().for_each(|(dot, _)| feed_dot(&mut md5, dot));
        feed_length(&mut md5, versions.siblings().len());
        versions.siblings().iter().for_each(|v| feed_dot(&mut md5, v.dot));
        let mut past: Vec<_> = versions.past().iter().map(|p| p.request).collect();
        past.sort_unstable();
        feed_length(&mut md5, past.len());
        past.iter().for_each(|request| md5.update(request.0));
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 16]>::from(md5.finalize());
        // Zero is taken; that one hash comes up twice as often does no harm.
        Hash(u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1))
    }

    pub(crate) fn plus(self, other: Hash) -> Hash {
        Hash(self.0.wrapping_add(other.0))
    }

    fn minus(self, other: Hash) -> Hash {
        Hash(self.0.wrapping_sub(other.0))
    }
}

fn feed_length(md5: &mut Md5, length: usize) {
    md5.update((length as u64).to_be_bytes());
}

/// Takes all fields apart, so that a new one does not compile until it is hashed too.
fn feed_dot(md5: &mut Md5, dot: Dot) {
    let Dot { actor: Actor { node, incarnation, life }, counter } = dot;
    md5.update(node.0.to_be_bytes());
    md5.update(incarnation.0.to_be_bytes());
    md5.update(life.0.to_be_bytes());
    md5.update(counter.to_be_bytes());
}

#[cfg(test)]
mod tests;
