//! Each request is answered exactly once, at its deadline at the latest (core, root).
//! A process that ends is excused, and one that was paused until it goes on.

use super::Violation;
use crate::{clients::Call, driver::SLOWEST_BATCH_US, machine::Process};
use std::time::Duration;

const NAME: &str = "a request is answered once, at its deadline at the latest";

/// A turn begins when the disk is done with the one before and ends with its own batch:
/// the request may wait for the former, its deadline too, and the answer for the latter.
const SLACK: Duration = Duration::from_micros(3 * SLOWEST_BATCH_US + 1);

/// A node answers.
pub(crate) fn check(call: &Call, by: &Process, at: Duration) -> Result<(), Violation> {
    if call.answered {
        return Err(Violation::new(NAME, format!("{call:?} is answered again")));
    }
    match is_late(call, by, at) {
        true => Err(Violation::new(NAME, format!("{call:?} is answered at {at:?}"))),
        false => Ok(()),
    }
}

/// In the end no process owes an answer.
pub(crate) fn check_end(call: &Call, by: &Process, at: Duration) -> Result<(), Violation> {
    match !call.answered && is_late(call, by, at) {
        true => Err(Violation::new(NAME, format!("{call:?} was never answered"))),
        false => Ok(()),
    }
}

fn is_late(call: &Call, by: &Process, at: Duration) -> bool {
    call.reached
        .is_some_and(|r| !by.paused && at > r.at.max(by.resumed) + call.request.timeout + SLACK)
}
