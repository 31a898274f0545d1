//! An acknowledged write survives, or is overwritten by one whose writer had seen it
//! (requirements.md, Q1; paper, section 4.5): a later read shows it or something that
//! accounts for it, if primaries that have it and primaries that were read must have met.

use super::{Read, Violation};
use crate::history::{History, Written};
use dynamo_core::{key::Key, version::Versions};

const NAME: &str = "an acknowledged write survives or is overwritten by who has seen it";

/// Returns whether there was any such write to judge the read by.
pub(crate) fn check_read(history: &History, read: &Read<'_>) -> Result<bool, Violation> {
    let accounted = history.accounted(read.key, |w| is_visible(w, read));
    let mut judged = false;
    for write in history.of(read.key) {
        let Some((at, primaries)) = write.known else { continue };
        if at >= read.asked || primaries + read.got.primaries <= read.copies {
            continue;
        }
        judged = true;
        if !accounted.contains(&write.request) {
            return Err(Violation::new(NAME, format!("{write:?} is not in {:?}", read.got)));
        }
    }
    Ok(judged)
}

/// At the end: `held` is what all replicas of the key hold together.
pub(crate) fn check_end(history: &History, key: &Key, held: &Versions) -> Result<(), Violation> {
    let stored = |w: &Written| w.reaped || held.siblings().iter().any(|v| v.request == w.request);
    let accounted = history.accounted(key, stored);
    let acknowledged = |w: &&Written| w.known.is_some();
    match history.of(key).filter(acknowledged).find(|w| !accounted.contains(&w.request)) {
        Some(lost) => Err(Violation::new(NAME, format!("{lost:?} is not in {held:?}"))),
        None => Ok(()),
    }
}

/// A delete shows in the context only.
pub(crate) fn is_visible(write: &Written, read: &Read<'_>) -> bool {
    let deleted = write.value.is_none() && write.is_seen_by(&read.got.context);
    deleted || write.reaped || read.got.siblings.iter().any(|v| v.request == write.request)
}
