//! W replicas have an acknowledged write on their disks when the answer leaves, each as what
//! the answer says, and an answer to a read rests on R (requirements.md, Q1, A5 and Q7).

use super::Violation;
use crate::history::Written;
use dynamo_core::request::{Acks, Got, Wanted};

const NAME: &str = "as many replicas as asked for stand behind an answer";

/// `seats` has for each primary whether some disk has the write for it, and whether its own
/// has. `victims` disks may have lost what they had.
pub(crate) fn check_write(
    write: &Written,
    acks: Acks,
    (quorum, primaries): (usize, usize),
    seats: &[(bool, bool)],
    victims: usize,
) -> Result<(), Violation> {
    let Acks { primaries: own, fallbacks, durable } = acks;
    let stored = seats.iter().filter(|(any, _)| *any).count() + victims;
    let stored_own = seats.iter().filter(|(_, own)| *own).count() + victims;
    let honest = own + fallbacks <= stored && own <= stored_own && durable <= own + fallbacks;
    if honest && own + fallbacks >= quorum && own >= primaries {
        return Ok(());
    }
    let how = format!("{acks:?} for {write:?}, which is in the seats {seats:?}");
    Err(Violation::new(NAME, how))
}

pub(crate) fn check_read(got: &Got, quorum: usize, wanted: Wanted) -> Result<(), Violation> {
    let primaries = if wanted.strict { quorum } else { wanted.primaries };
    match got.primaries + got.fallbacks >= quorum && got.primaries >= primaries {
        true => Ok(()),
        false => Err(Violation::new(NAME, format!("{got:?} answers a read of {quorum}"))),
    }
}
