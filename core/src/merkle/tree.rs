//! The tree: sums of hashes over ever larger parts of the ring, kept with every write.

use super::{Answer, BadQuestion, Hash, Node, Question};
use crate::ring::Partition;
use std::fmt;

/// How many children an inner node has.
pub const FAN_OUT: usize = 16;

/// The depth of the leaves. A node of depth d is 4·d bits of ring position.
pub const LEAF_DEPTH: u8 = 4;

const NODES_OF_TREE: usize = offset(LEAF_DEPTH + 1);

/// The sums of the [hashes](struct@Hash) of all keys of one node, by the first 0, 4, 8, 12 and 16
/// bits of their ring position. It takes 560 KiB, however many keys there are.
///
/// # Why a sum is enough
///
/// The usual Merkle tree hashes the hashes of its children. That needs all keys of a leaf
/// in order to change one, which a write does not have at hand. A sum modulo 2^64 is a
/// hash of a multiset that is changed by subtracting the old and adding the new (Clarke,
/// Devadas, van Dijk, Gassend and Suh, "Incremental multiset hash functions", 2003).
///
/// - The sum does not tell which key a hash is of, nor where; the hash itself does, for
///   the key is part of it, and the leaf follows from the key. So equal sets of hashes
///   are equal states.
/// - Different sets have the same sum by chance once in 2^64, for the hashes are as good
///   as random. Such a pair stays unfound until one of its keys is read or written
///   again, which repairs it too.
/// - 64 bits and MD5 would not hold against somebody who makes hashes to measure. Nobody
///   does: dots are given out by coordinators, and which replica misses which write is no
///   client's choice. Who could arrange all that may as well delete the keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    /// Depth after depth, each in ring order.
    sums: Vec<Hash>,
}

impl Default for Tree {
    fn default() -> Self {
        Tree { sums: vec![Hash::ABSENT; NODES_OF_TREE] }
    }
}

impl Tree {
    /// The tree whose leaves were stored; those that are not given are empty.
    pub fn from_leaves(leaves: impl IntoIterator<Item = (u16, Hash)>) -> Self {
        let mut tree = Tree::default();
        for (leaf, sum) in leaves {
            tree.set_leaf(leaf, sum);
        }
        tree
    }

    /// A key of this leaf (see [`Key::leaf`](crate::key::Key::leaf)) went from one state
    /// to another; [`Hash::ABSENT`] is the state of a key that is not held.
    pub fn replace(&mut self, leaf: u16, old: Hash, new: Hash) {
        let change = new.minus(old);
        for depth in 0..=LEAF_DEPTH {
            let index = usize::from(leaf) >> (4 * (LEAF_DEPTH - depth));
            let sum = &mut self.sums[offset(depth) + index];
            *sum = sum.plus(change);
        }
    }

    /// The sum over a leaf: what to store.
    pub fn leaf(&self, leaf: u16) -> Hash {
        self.sums[offset(LEAF_DEPTH) + usize::from(leaf)]
    }

    /// Replaces a leaf by what was stored, or found out by counting its keys anew.
    pub fn set_leaf(&mut self, leaf: u16, sum: Hash) {
        self.replace(leaf, self.leaf(leaf), sum);
    }

    /// The sum over all keys of one of `q` partitions. `q` is a power of two up to
    /// [`MAX_PARTITIONS`](crate::ring::MAX_PARTITIONS), `partition` is below it.
    pub fn partition(&self, partition: Partition, q: usize) -> Hash {
        // A partition lies between two depths unless log2(Q) is a multiple of 4: then it is
        // 2, 4 or 8 neighbours of the deeper one.
        let bits = q.trailing_zeros();
        let depth = bits.div_ceil(4);
        let spare = 4 * depth - bits;
        let first = offset_of_bits(4 * depth) + (usize::from(partition.0) << spare);
        self.sum(first, 1 << spare)
    }

    /// Answers a peer, or this node's own exchange. `None` for a question for keys, which
    /// the store must answer, see [`Page::of`](super::Page::of). Senseless and oversize
    /// questions are refused.
    pub fn answer(&self, question: &Question) -> Result<Option<Answer>, BadQuestion> {
        question.check()?;
        Ok(match question {
            Question::Roots { partitions, q } => {
                Some(Answer::Roots(partitions.iter().map(|&p| self.partition(p, *q)).collect()))
            }
            Question::Children(nodes) => {
                Some(Answer::Children(nodes.iter().map(|&n| self.children(n)).collect()))
            }
            Question::Keys { .. } => None,
        })
    }

    fn children(&self, node: Node) -> [Hash; FAN_OUT] {
        let first = offset(node.depth + 1) + usize::from(node.index) * FAN_OUT;
        std::array::from_fn(|child| self.sums[first + child])
    }

    fn sum(&self, first: usize, count: usize) -> Hash {
        self.sums[first..first + count].iter().fold(Hash::ABSENT, |sum, &h| sum.plus(h))
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({:016x})", self.sums[0].0)
    }
}

/// Where a depth begins.
const fn offset(depth: u8) -> usize {
    offset_of_bits(4 * depth as u32)
}

/// 1 + 16 + 256 + … up to the depth of so many bits.
const fn offset_of_bits(bits: u32) -> usize {
    ((1 << bits) - 1) / (FAN_OUT - 1)
}
