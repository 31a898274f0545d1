//! A context reads back as what was sealed, for its own key, and for no other: what it
//! covers the next put destroys (requirements.md, V1; proto, `context`).

use super::Violation;
use dynamo_core::{key::Key, version::Context};
use dynamo_proto::context::BadContext;

/// `wrong` is what came of a context of another key, if one was presented.
pub(crate) fn check(
    key: &Key,
    sealed: &Context,
    opened: &Result<Context, BadContext>,
    wrong: Option<Result<Context, BadContext>>,
) -> Result<(), Violation> {
    let how = match (opened, wrong) {
        (_, Some(Ok(other))) => format!("{key:?} takes {other:?} of another key"),
        (Ok(opened), _) if opened == sealed => return Ok(()),
        (opened, _) => format!("{sealed:?} of {key:?} comes back as {opened:?}"),
    };
    Err(Violation::new("a context opens for its own key only", how))
}
