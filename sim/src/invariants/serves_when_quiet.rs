//! When it is quiet, every request succeeds, with R=N and W=N too, and a write that has
//! seen everything leaves nothing else (requirements.md, A1 and V1).

use super::Violation;
use dynamo_core::{
    id::RequestId,
    request::{Refusal, Reply},
};

const NAME: &str = "a quiet cluster serves everything";

pub(crate) fn check(reply: Result<&Reply, &str>) -> Result<(), Violation> {
    match reply {
        Ok(Reply::Got(_) | Reply::Written(_)) => Ok(()),
        Ok(Reply::Refused(refusal)) => refused(refusal),
        Err(why) => Err(Violation::new(NAME, why.to_owned())),
    }
}

fn refused(refusal: &Refusal) -> Result<(), Violation> {
    Err(Violation::new(NAME, refusal.to_string()))
}

/// The last read of a key shows the last write alone; `None` when that was a delete.
pub(crate) fn check_last(reply: &Reply, last: Option<RequestId>) -> Result<(), Violation> {
    let Reply::Got(got) = reply else { return Ok(()) };
    let shown: Vec<_> = got.siblings.iter().map(|v| v.request).collect();
    match shown == last.into_iter().collect::<Vec<_>>() {
        true => Ok(()),
        false => Err(Violation::new(NAME, format!("{last:?} was last, {shown:?} is there"))),
    }
}
