//! No sibling's writer had seen another sibling, and no request appears twice
//! (requirements.md, V1; core, `version`, "Retries").

use super::Violation;
use crate::history::History;
use dynamo_core::{
    key::Key,
    version::{PAST_REQUESTS, Version},
};

const NAME: &str = "siblings are pairwise concurrent";

pub(crate) fn check(history: &History, key: &Key, siblings: &[Version]) -> Result<(), Violation> {
    // A clock that was cut has forgotten what it had seen.
    if history.is_truncated(key) {
        return Ok(());
    }
    for (i, a) in siblings.iter().enumerate() {
        for b in siblings.iter().skip(i + 1) {
            if a.request == b.request {
                return Err(Violation::new(NAME, format!("{:?} is there twice", a.request)));
            }
            if has_seen(history, a, b) || has_seen(history, b, a) {
                return Err(Violation::new(NAME, format!("{a:?} and {b:?} are not")));
            }
        }
    }
    Ok(())
}

/// Whether the writer of `later` had seen `earlier`, by its dot or by its request. A
/// request that was overwritten and is tried again may come back when more were
/// overwritten than a key remembers, by skewed clocks; see [`PAST_REQUESTS`].
fn has_seen(history: &History, later: &Version, earlier: &Version) -> bool {
    let (Some(later), Some(write)) = (history.get(later.request), history.get(earlier.request))
    else {
        return false;
    };
    let remembered = history.of(&write.key).count() <= PAST_REQUESTS;
    later.context.seen().covers(earlier.dot) || remembered && write.is_seen_by(&later.context)
}
