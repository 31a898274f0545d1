//! A write that came to a node without a replica of its key: any node takes any
//! request (row L1), one of the key's primaries coordinates it.
//!
//! A coordinator that goes away leaves open whether it has applied the write. Another
//! one may be asked all the same, since it is the same request: it cannot make a second
//! version.

use crate::{
    id::NodeId,
    request::{Refusal, WriteCommand, Written},
};

/// What the loss of a node means to a write on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The write is not with it.
    Nothing,
    /// The next coordinator is to be asked.
    AskNext,
    /// There is none left.
    Everybody(Refusal),
}

/// A write on its way.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    /// What is asked of the coordinator.
    pub(crate) write: WriteCommand,
    /// W.
    pub(crate) quorum: usize,
    at: NodeId,
    /// Coordinators that may be asked, the next one last.
    others: Vec<NodeId>,
    /// One of those asked may have applied it.
    doubtful: bool,
}

impl Forward {
    /// `candidates` are the primaries that are up, the first to be asked last.
    pub(crate) fn new(
        write: WriteCommand,
        quorum: usize,
        mut candidates: Vec<NodeId>,
    ) -> Option<Self> {
        let at = candidates.pop()?;
        Some(Forward { write, quorum, at, others: candidates, doubtful: false })
    }

    /// Whom the write is with.
    pub(crate) fn at(&self) -> NodeId {
        self.at
    }

    /// The coordinator's answer, or `None` when the next one is to be asked.
    pub(crate) fn answered(
        &mut self,
        result: Result<Written, Refusal>,
    ) -> Option<Result<Written, Refusal>> {
        match result {
            Err(
                Refusal::NoRing
                | Refusal::Overloaded { .. }
                | Refusal::Stopping
                | Refusal::Storage
                | Refusal::NotAReplica,
            ) if self.next() => None,
            Err(_) if self.doubtful => Some(Err(self.timed_out())),
            result => Some(result),
        }
    }

    /// A node cannot be reached.
    pub(crate) fn lost(&mut self, node: NodeId) -> Lost {
        self.others.retain(|&n| n != node);
        if node != self.at {
            return Lost::Nothing;
        }
        self.doubtful = true;
        if self.next() { Lost::AskNext } else { Lost::Everybody(self.timed_out()) }
    }

    /// Time is up. How many replicas have it is not known here.
    pub(crate) fn timed_out(&self) -> Refusal {
        Refusal::Indeterminate { needed: self.quorum, had: 0 }
    }

    fn next(&mut self) -> bool {
        match self.others.pop() {
            Some(node) => {
                self.at = node;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::RequestId, version::Context};

    fn forward() -> Forward {
        let write =
            WriteCommand { request: RequestId([1; 16]), context: Context::default(), value: None };
        Forward::new(write, 2, vec![NodeId(2), NodeId(1)]).unwrap()
    }

    #[test]
    fn a_coordinator_that_is_gone_is_replaced_by_the_next() {
        let mut f = forward();
        assert_eq!(f.at(), NodeId(1));
        assert_eq!(f.lost(NodeId(1)), Lost::AskNext);
        assert_eq!(f.at(), NodeId(2));
        let nobody = Refusal::Indeterminate { needed: 2, had: 0 };
        assert_eq!(f.lost(NodeId(2)), Lost::Everybody(nobody));
    }

    #[test]
    fn a_node_that_was_lost_meanwhile_is_not_asked() {
        let mut f = forward();
        assert_eq!(f.lost(NodeId(2)), Lost::Nothing);
        assert!(matches!(f.lost(NodeId(1)), Lost::Everybody(_)));
    }

    /// The first coordinator may have applied the write before it went away, so a clear
    /// "no" of the second does not mean that nothing happened.
    #[test]
    fn a_refusal_after_a_doubt_is_indeterminate() {
        let refusal = || Refusal::Unavailable { needed: 2, up: 1, of: 3 };
        assert_eq!(forward().answered(Err(refusal())), Some(Err(refusal())));
        let mut f = forward();
        f.lost(NodeId(1));
        assert!(matches!(f.answered(Err(refusal())), Some(Err(Refusal::Indeterminate { .. }))));
    }
}
