//! A read shows what clients have written and nothing else. A write that was refused as
//! not applied is not there, neither for a reader nor on a disk, now or later
//! (kv.proto, `dynamo-outcome`).

use super::Violation;
use crate::history::{History, Standing};
use dynamo_core::{key::Key, version::Version};

pub(crate) fn check<'a>(
    history: &History,
    key: &Key,
    mut found: impl Iterator<Item = &'a Version>,
) -> Result<(), Violation> {
    let real = |v: &Version| {
        history.get(v.request).is_some_and(|w| {
            w.key == *key && w.value == v.value && w.standing != Standing::NotApplied
        })
    };
    match found.find(|v| !real(v)) {
        None => Ok(()),
        Some(v) => Err(Violation::new(
            "only what was written appears, and never what was refused",
            format!("{key:?} has {v:?}, written as {:?}", history.get(v.request)),
        )),
    }
}
