//! What a process asks its peers has a name that no other process of its node has used, so
//! that a late answer to that one is not taken for one to this (core, `OpId`).

use super::Violation;
use dynamo_core::id::{Generation, NodeId, OpId};

/// A process of `node` asks under a name that `first` has used first.
pub(crate) fn check(
    (node, id): (NodeId, OpId),
    asks: Generation,
    first: Generation,
) -> Result<(), Violation> {
    if asks == first {
        return Ok(());
    }
    let how = format!("{node} asks {id:?} in {asks:?}, as it did in {first:?}");
    Err(Violation::new("an answer is never taken for one to another question", how))
}
