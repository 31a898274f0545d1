//! No two versions are ever stored under one dot, whatever a node forgets
//! (architecture.md, "Versions"). One that was lost in a crash together with the record
//! that reserved it was never there.

use super::Violation;
use dynamo_core::{
    id::{Dot, RequestId},
    key::Key,
};

pub(crate) fn check(
    dot: Dot,
    before: Option<(Key, RequestId)>,
    stored: &(Key, RequestId),
) -> Result<(), Violation> {
    match before {
        None => Ok(()),
        Some(before) => Err(Violation::new(
            "a dot is used once",
            format!("{dot:?} is of {before:?} and now of {stored:?}"),
        )),
    }
}
