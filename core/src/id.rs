//! Names of nodes, actors, writes and requests.

use std::{fmt, str::FromStr};

/// A node, for as long as its data directory lives. Random 64 bits, shown as 16
/// hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a node id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a node id: 16 hexadecimal digits are")]
pub struct NotANodeId(String);

impl FromStr for NodeId {
    type Err = NotANodeId;
    fn from_str(s: &str) -> Result<Self, NotANodeId> {
        let digits = s.len() == 16 && s.bytes().all(|b| b.is_ascii_hexdigit());
        digits
            .then(|| u64::from_str_radix(s, 16).ok())
            .flatten()
            .map(NodeId)
            .ok_or_else(|| NotANodeId(s.chars().take(40).collect()))
    }
}

/// How often this node has lost, or may have lost, what it had stored. It is part of
/// the actor, so that a node never signs for writes that it no longer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub u32);

/// How often this node has started. Of two messages from one node, the one of the
/// lower generation is from a process that no longer exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// For how long a node has held a record without a break: the counter of the first dot
/// that it gave to it in this time. Zero before there is one.
///
/// A hint is delivered and dropped, a tombstone is reaped, a damaged record is replaced:
/// who makes versions of the key again afterwards no longer holds what it made before, and
/// must not sign for it. So each life of a record is another actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u64);

/// Who makes versions of a key: one life of one record in one incarnation of one node. The
/// paper's "node" in `(node, counter)`, section 4.4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// The node that coordinated the write.
    pub node: NodeId,
    /// Its incarnation at that time.
    pub incarnation: Incarnation,
    /// Of the record that it wrote to.
    pub life: Life,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.node, self.incarnation.0, self.life.0)
    }
}

/// One write: the `counter`-th of one actor. Counters are never used twice, for any
/// key, whatever the node forgets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who coordinated the write.
    pub actor: Actor,
    /// Starts at 1.
    pub counter: u64,
}

impl fmt::Debug for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.actor, self.counter)
    }
}

/// Chosen at random by the client, the same for every retry of one write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A request that this node works on. Unique over all generations of a node, so that
/// an answer to a former process is never taken for one to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_ids_read_back_what_they_print() {
        let id = NodeId(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "123", "+123456789abcdef", "0123456789abcdeg", "0123456789abcdef0"] {
            assert!(bad.parse::<NodeId>().is_err(), "{bad}");
        }
    }
}
