//! W replicas have an acknowledged write on their disks when the answer leaves, and an
//! answer to a read rests on R (requirements.md, Q1).

use super::Violation;
use crate::history::Written;
use dynamo_core::{request::Acks, version::Versions};

const NAME: &str = "as many replicas as asked for stand behind an answer";

/// `held` is what the disk of each primary has of the key.
pub(crate) fn check_write(
    write: &Written,
    acks: Acks,
    held: impl Iterator<Item = Versions>,
) -> Result<(), Violation> {
    let has = |v: &Versions| v.knows(write.request) || write.is_within(v.seen());
    let stored = held.filter(has).count();
    let honest = acks.primaries <= stored && acks.durable <= acks.primaries;
    if honest && acks.primaries >= write.quorum {
        return Ok(());
    }
    let how = format!("{stored} disks have {write:?}, acknowledged with {acks:?}");
    Err(Violation::new(NAME, how))
}

pub(crate) fn check_read(replies: usize, quorum: usize) -> Result<(), Violation> {
    match replies >= quorum {
        true => Ok(()),
        false => Err(Violation::new(NAME, format!("{replies} replies to a read of {quorum}"))),
    }
}
