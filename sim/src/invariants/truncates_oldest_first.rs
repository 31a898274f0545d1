//! A clock that is too long loses its oldest entries (requirements.md, V2).

use super::Violation;
use dynamo_core::version::{Context, Versions};

const NAME: &str = "a clock loses its oldest entries first";

/// `held` is what is left after a write under `context` had its clock cut.
pub(crate) fn check(context: &Context, held: &Versions) -> Result<(), Violation> {
    let seen = held.seen();
    let has_sibling = |actor| held.siblings().iter().any(|v| v.dot.actor == actor);
    let kept = seen.iter().filter(|(dot, _)| !has_sibling(dot.actor)).map(|(_, stamp)| stamp);
    let Some(oldest) = kept.min() else { return Ok(()) };
    match context.seen().iter().find(|(dot, stamp)| !seen.covers(*dot) && *stamp > oldest) {
        None => Ok(()),
        Some((dot, stamp)) => Err(Violation::new(
            NAME,
            format!("{dot:?} of {stamp} is gone, and something of {oldest} is kept"),
        )),
    }
}
