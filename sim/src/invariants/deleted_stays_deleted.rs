//! What was deleted and forgotten never comes back, neither for a reader nor on a disk
//! (requirements.md, A4).

use super::Violation;
use crate::history::History;
use dynamo_core::{key::Key, version::Version};

pub(crate) fn check<'a>(
    history: &History,
    key: &Key,
    mut found: impl Iterator<Item = &'a Version>,
) -> Result<(), Violation> {
    match found.find(|v| history.get(v.request).is_some_and(|w| w.reaped)) {
        None => Ok(()),
        Some(v) => Err(Violation::new(
            "a deleted key does not come back",
            format!("{key:?} has {v:?}, whose deletion was reaped"),
        )),
    }
}
