//! The state machines of single requests (paper, section 5: "each client request
//! results in the creation of a state machine"): [`put`] and [`get`] can be read beside
//! it. [`forward`] is the part of a node that is not among the first N that can be reached.
//!
//! A machine is told what its replicas answer and says how far the request has come.
//! It sends nothing itself.

pub(crate) mod forward;
pub(crate) mod get;
pub(crate) mod put;

use crate::{
    id::NodeId,
    quorum::{Quorum, Voter},
    request::Refusal,
};

/// Who is asked for a key, and how many of them must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Electorate {
    pub(crate) quorum: Quorum,
    /// The first N reachable nodes, primaries in their order and fallbacks in theirs.
    pub(crate) voters: Vec<Voter>,
    /// N.
    pub(crate) of: usize,
    /// Nobody stands in for a primary, also not later.
    pub(crate) strict: bool,
}

impl Electorate {
    /// Refuses what cannot succeed, before anything has been sent or stored.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let Electorate { quorum: Quorum { total, primaries }, ref voters, of, .. } = *self;
        let asked = total.max(primaries);
        if asked > of {
            return Err(Refusal::QuorumTooLarge { asked, factor: of });
        }
        if voters.len() < total {
            return Err(Refusal::Unavailable { needed: total, up: voters.len(), of });
        }
        let up = voters.iter().filter(|v| v.stands_for.is_none()).count();
        if up < primaries {
            return Err(Refusal::PrimariesUnavailable { needed: primaries, up, of });
        }
        Ok(())
    }

    /// In which role a node is asked, if it is.
    pub(crate) fn voter(&self, node: NodeId) -> Option<Voter> {
        self.voters.iter().copied().find(|v| v.node == node)
    }
}
