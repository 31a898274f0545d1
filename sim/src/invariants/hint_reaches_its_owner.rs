//! A hint is deleted only when its owner has all of it on disk, safe from a loss of power
//! (architecture.md, "Failure").

use super::Violation;
use crate::machine::Machine;
use dynamo_core::{
    key::Key,
    store::Place,
    version::{Version, Versions},
};

/// `hint` was deleted.
pub(crate) fn check(owner: &Machine, key: &Key, hint: &Versions) -> Result<(), Violation> {
    // What it has lost it may have had.
    if owner.has_lost() {
        return Ok(());
    }
    let has = owner.disk().holds_safely(Place::Own, key);
    let lacks = |v: &&Version| !has.knows(v.request) && !has.seen().covers(v.dot);
    match hint.siblings().iter().find(lacks) {
        None => Ok(()),
        Some(v) => Err(Violation::new(
            "a hint is kept until its owner has it",
            format!("{} has not {v:?} of {key:?} but {has:?}", owner.name),
        )),
    }
}
