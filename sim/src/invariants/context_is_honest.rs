//! A context covers what its holder was shown, or what that had overwritten, and nothing
//! else: what it covers the next put destroys (requirements.md, V1; kv.proto).

use super::{Read, Violation, acknowledged_survives::is_visible};
use crate::history::{History, Written};
use dynamo_core::{id::RequestId, version::Context};
use std::collections::BTreeSet;

const NAME: &str = "a context covers what was shown and nothing unread";

/// The context of a read covers all siblings, and every write that it covers is shown or
/// was overwritten by one that is.
pub(crate) fn check_read(history: &History, read: &Read<'_>) -> Result<(), Violation> {
    if history.is_truncated(read.key) {
        return Ok(());
    }
    if let Some(v) = read.got.siblings.iter().find(|v| !read.got.context.seen().covers(v.dot)) {
        return Err(Violation::new(NAME, format!("{v:?} is outside of {:?}", read.got.context)));
    }
    let accounted = history.accounted(read.key, |w| is_visible(w, read));
    nothing_else(history.of(read.key), &read.got.context, &accounted)
}

/// The context of a put covers that put, and what its writer had seen.
pub(crate) fn check_written(
    history: &History,
    write: &Written,
    context: &Context,
) -> Result<(), Violation> {
    if history.is_truncated(&write.key) {
        return Ok(());
    }
    if !write.is_seen_by(context) {
        return Err(Violation::new(NAME, format!("{context:?} does not cover {write:?}")));
    }
    let accounted = history.accounted(&write.key, |w| w.request == write.request);
    nothing_else(history.of(&write.key), context, &accounted)
}

fn nothing_else<'a>(
    mut writes: impl Iterator<Item = &'a Written>,
    context: &Context,
    accounted: &BTreeSet<RequestId>,
) -> Result<(), Violation> {
    match writes.find(|w| !w.reaped && w.is_seen_by(context) && !accounted.contains(&w.request)) {
        Some(w) => Err(Violation::new(NAME, format!("{context:?} covers {w:?}, which was unread"))),
        None => Ok(()),
    }
}
