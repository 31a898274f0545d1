//! A damaged record is never served, not as an empty one either, and a node that tells of
//! damage has some (architecture.md, "Failure"; core, `replica`). So the tree on a disk
//! fits its records, whatever crash came between.

use super::Violation;
use crate::machine::Machine;
use dynamo_core::{key::Key, store::Place};

const NAME: &str = "what is damaged is told, and nothing else";

/// A record was read and served.
pub(crate) fn check_served(from: &Machine, place: Place, key: &Key) -> Result<(), Violation> {
    match from.disk().is_damaged(place, key) {
        false => Ok(()),
        true => broken(from, &format!("serves {key:?}, which does not read back")),
    }
}

/// A node says that some records are damaged.
pub(crate) fn check_told(by: &Machine, leaves: usize) -> Result<(), Violation> {
    match by.disk().damaged {
        true => Ok(()),
        false => broken(by, &format!("finds {leaves} leaves of its tree damaged, which are not")),
    }
}

fn broken(machine: &Machine, how: &str) -> Result<(), Violation> {
    Err(Violation::new(NAME, format!("{} {how}", machine.name)))
}
