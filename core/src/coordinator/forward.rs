//! A write that came to a node which is not among the first N that can be reached: any
//! node takes any request (row L1), one of those coordinates it.
//!
//! A coordinator that goes away leaves open whether it has applied the write. Another
//! one may be asked all the same, since it is the same request: it cannot make a second
//! version. When nobody else is left this node coordinates the write itself, so that a
//! store of which only one node can be reached still takes it (row F1).

use crate::{
    id::NodeId,
    request::{Refusal, Written},
};
use std::collections::BTreeSet;

/// A write on its way.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    at: NodeId,
    /// All that were asked, this one too.
    tried: BTreeSet<NodeId>,
    /// One of those asked may have applied it.
    doubtful: bool,
    /// W.
    needed: usize,
}

/// What became of a write that is with a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Somebody else is to be asked.
    AskNext,
    /// The client has its answer.
    Done(Result<Written, Refusal>),
}

impl Forward {
    /// The write goes to `at`, after all that were tried before.
    pub(crate) fn new(at: NodeId, before: Option<Forward>, needed: usize) -> Self {
        let (mut tried, doubtful) = before.map(|f| (f.tried, f.doubtful)).unwrap_or_default();
        tried.insert(at);
        Forward { at, tried, doubtful, needed }
    }

    /// Whom the write is with.
    pub(crate) fn at(&self) -> NodeId {
        self.at
    }

    /// Whether a node was asked and is not to be asked again.
    pub(crate) fn has_tried(&self, node: NodeId) -> bool {
        self.tried.contains(&node)
    }

    /// The coordinator's answer.
    pub(crate) fn answered(&self, result: Result<Written, Refusal>) -> Fate {
        match result {
            Err(
                Refusal::NoRing
                | Refusal::Overloaded { .. }
                | Refusal::Stopping
                | Refusal::Storage
                | Refusal::NotAReplica,
            ) => Fate::AskNext,
            Err(refusal) => Fate::Done(Err(self.refuse(refusal))),
            result => Fate::Done(result),
        }
    }

    /// The coordinator cannot be reached.
    pub(crate) fn lost(&mut self) {
        self.doubtful = true;
    }

    /// A refusal, as it is true for all tries together.
    pub(crate) fn refuse(&self, refusal: Refusal) -> Refusal {
        if self.doubtful { self.timed_out() } else { refusal }
    }

    /// Time is up. How many replicas have it is not known here.
    pub(crate) fn timed_out(&self) -> Refusal {
        Refusal::Indeterminate { needed: self.needed, had: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_tried_is_not_asked_again() {
        let first = Forward::new(NodeId(1), None, 2);
        assert_eq!(first.answered(Err(Refusal::Stopping)), Fate::AskNext);
        let second = Forward::new(NodeId(2), Some(first), 2);
        assert!(second.has_tried(NodeId(1)) && second.has_tried(NodeId(2)));
        assert!(!second.has_tried(NodeId(3)));
    }

    /// The first coordinator may have applied the write before it went away, so a clear
    /// "no" of the second does not mean that nothing happened.
    #[test]
    fn a_refusal_after_a_doubt_is_indeterminate() {
        let refusal = Refusal::Unavailable { needed: 2, up: 1, of: 3 };
        let mut first = Forward::new(NodeId(1), None, 2);
        assert_eq!(first.answered(Err(refusal.clone())), Fate::Done(Err(refusal.clone())));
        first.lost();
        let second = Forward::new(NodeId(2), Some(first), 2);
        let doubt = Refusal::Indeterminate { needed: 2, had: 0 };
        assert_eq!(second.answered(Err(refusal)), Fate::Done(Err(doubt)));
    }
}
