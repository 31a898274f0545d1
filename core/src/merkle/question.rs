//! What one replica asks another about its tree, and what may be asked.

use super::{FAN_OUT, Hash, LEAF_DEPTH};
use crate::{
    key::Key,
    ring::{MAX_PARTITIONS, Partition},
};
use std::ops::RangeInclusive;

/// The most nodes whose children one question asks for. Their hashes take 32 KiB.
pub const NODES: usize = 256;

/// The most keys of one page.
pub const LIST: usize = 512;

/// The most bytes of one page, unless its only key is longer than that: keys may be so
/// long that [`LIST`] of them would be too much for one message.
pub const PAGE_BYTES: usize = 512 << 10;

/// What an entry of a page takes besides its key: the hash, and some for lengths.
const ENTRY_BYTES: usize = 24;

/// A node of the tree: the keys whose ring position begins with the 4·`depth` bits
/// `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// 0 for the root of all to [`LEAF_DEPTH`] for a leaf.
    pub depth: u8,
    /// Counted from the beginning of the ring, below 16^`depth`.
    pub index: u16,
}

/// A question to a replica. Its answer fits in 1 MiB as long as keys do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// For the roots of partitions. No number of them is too large: an answer for all
    /// 65,536 takes 512 KiB.
    Roots {
        /// In ring order, none twice.
        partitions: Vec<Partition>,
        /// How many there are on the ring.
        q: usize,
    },
    /// For the children of up to [`NODES`] inner nodes, in order, none twice.
    Children(Vec<Node>),
    /// For a page of the keys of some neighbouring leaves.
    Keys {
        /// The first 16 bits of their positions, from the first leaf to the last.
        first: u16,
        /// See `first`.
        last: u16,
        /// A key of one of them; the page begins behind it.
        after: Option<Key>,
    },
}

/// The answer to a [`Question`] of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// For each partition its sum.
    Roots(Vec<Hash>),
    /// For each node the sums of its children.
    Children(Vec<[Hash; FAN_OUT]>),
    /// The keys that come next.
    Keys(Page),
}

/// Keys of neighbouring leaves, with the hash of what is held of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In stored order, without gaps.
    pub keys: Vec<(Key, Hash)>,
    /// Whether the leaves have keys after these.
    pub more: bool,
}

/// A question that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// Not a power of two, or out of range.
    #[error("{0} partitions: their number is a power of two from 1 to {MAX_PARTITIONS}")]
    Partitions(usize),
    /// There are fewer.
    #[error("partition {0} of {1}: they are counted from 0")]
    NoPartition(u16, usize),
    /// Too deep, or beyond the ring.
    #[error(
        "node {} of depth {} has no children: inner nodes have depths below {LEAF_DEPTH} and \
         indexes below 16^depth", .0.index, .0.depth
    )]
    NoChildren(Node),
    /// The answer would be too large.
    #[error("the children of {0} nodes; the limit is {NODES}")]
    TooMany(usize),
    /// Nothing is asked for.
    #[error("a question for nothing")]
    Empty,
    /// Out of order, or the same twice.
    #[error("what is asked for is not in ring order, or there twice")]
    Unsorted,
    /// The key is elsewhere, or there are no such leaves.
    #[error(
        "keys of leaves {first:04x} to {last:04x} after one of leaf {after:04x}: the key must be of \
         one of the leaves"
    )]
    Elsewhere {
        /// The first leaf that is asked for.
        first: u16,
        /// The last.
        last: u16,
        /// That of the key, or of no key the first.
        after: u16,
    },
}

impl Question {
    /// Refuses what makes no sense and what would make the answer too large.
    pub fn check(&self) -> Result<(), BadQuestion> {
        match self {
            Question::Roots { partitions, q } => {
                check_partitions(partitions, *q)?;
                check_order(partitions)
            }
            Question::Children(nodes) if nodes.len() > NODES => {
                Err(BadQuestion::TooMany(nodes.len()))
            }
            Question::Children(nodes) => match nodes.iter().find(|n| !n.has_children()) {
                Some(&node) => Err(BadQuestion::NoChildren(node)),
                None => check_order(nodes),
            },
            &Question::Keys { first, last, ref after } => {
                let after = after.as_ref().map_or(first, Key::leaf);
                match (first..=last).contains(&after) {
                    true => Ok(()),
                    false => Err(BadQuestion::Elsewhere { first, last, after }),
                }
            }
        }
    }
}

/// Refuses partitions that a ring of `q` does not have.
pub(super) fn check_partitions(partitions: &[Partition], q: usize) -> Result<(), BadQuestion> {
    if !q.is_power_of_two() || q > MAX_PARTITIONS {
        return Err(BadQuestion::Partitions(q));
    }
    match partitions.iter().find(|p| usize::from(p.0) >= q) {
        Some(p) => Err(BadQuestion::NoPartition(p.0, q)),
        None => Ok(()),
    }
}

fn check_order<T: Ord>(asked: &[T]) -> Result<(), BadQuestion> {
    match asked {
        [] => Err(BadQuestion::Empty),
        _ if asked.windows(2).all(|w| w[0] < w[1]) => Ok(()),
        _ => Err(BadQuestion::Unsorted),
    }
}

impl Node {
    fn has_children(self) -> bool {
        self.depth < LEAF_DEPTH && u32::from(self.index) >> (4 * self.depth) == 0
    }
}

impl Page {
    /// The first page of `keys`: those that the leaves have after the one that was asked for,
    /// in stored order. Reads one more than it takes. Keys of which nothing is held, which
    /// have the hash [`Hash::ABSENT`], are left out.
    pub fn of(keys: impl IntoIterator<Item = (Key, Hash)>) -> Page {
        let mut page = Page::default();
        let mut bytes = 0;
        for (key, hash) in keys.into_iter().filter(|&(_, hash)| hash != Hash::ABSENT) {
            bytes += key.len() + ENTRY_BYTES;
            let full = page.keys.len() == LIST || bytes > PAGE_BYTES;
            if full && !page.keys.is_empty() {
                page.more = true;
                break;
            }
            page.keys.push((key, hash));
        }
        page
    }

    /// Says what is wrong with a page that does not answer the question for it.
    pub(super) fn check(
        &self,
        leaves: RangeInclusive<u16>,
        after: Option<&Key>,
    ) -> Result<(), &'static str> {
        let keys = || self.keys.iter().map(|(key, _)| key);
        let sorted = after.into_iter().chain(keys()).is_sorted_by(|a, b| a < b);
        match () {
            () if self.keys.len() > LIST => Err("more keys than a page has"),
            () if self.more && self.keys.is_empty() => Err("no keys although there are more"),
            () if keys().any(|key| !leaves.contains(&key.leaf())) => Err("keys of another leaf"),
            () if !sorted => Err("keys out of order"),
            () if self.keys.iter().any(|&(_, hash)| hash == Hash::ABSENT) => {
                Err("a key that is not held")
            }
            () => Ok(()),
        }
    }
}
