//! The state machines of single requests (paper, section 5: "each client request
//! results in the creation of a state machine"): [`put`] and [`get`] can be read beside
//! it. [`forward`] is the part of a node that holds no replica of the key.
//!
//! A machine is told what its replicas answer and says how far the request has come.
//! It sends nothing itself.

pub(crate) mod forward;
pub(crate) mod get;
pub(crate) mod put;

use crate::{id::NodeId, request::Refusal};
use std::collections::BTreeSet;

/// A quorum of a key's replicas, and which of them can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Electorate {
    /// How many must answer.
    pub(crate) needed: usize,
    /// Primaries that are up, in the order of preference, this node perhaps among them.
    pub(crate) up: Vec<NodeId>,
    /// N.
    pub(crate) of: usize,
}

impl Electorate {
    /// Refuses what cannot succeed, before anything has been sent or stored.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let Electorate { needed, ref up, of } = *self;
        if needed > of {
            return Err(Refusal::QuorumTooLarge { asked: needed, factor: of });
        }
        if up.len() < needed {
            return Err(Refusal::Unavailable { needed, up: up.len(), of });
        }
        Ok(())
    }
}

/// Replicas that have been asked and have not answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked(BTreeSet<NodeId>);

impl Asked {
    /// Nobody answers twice: true the first time only, and only for who was asked.
    pub(crate) fn answers(&mut self, node: NodeId) -> bool {
        self.0.remove(&node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<NodeId> for Asked {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        Asked(nodes.into_iter().collect())
    }
}
