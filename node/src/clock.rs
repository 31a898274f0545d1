//! The clocks of the process, as the core wants them.

use dynamo_core::time::{Instant, Now, Stamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// Counts from the start of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(std::time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Clock(std::time::Instant::now())
    }

    pub(crate) fn instant(self) -> Instant {
        Instant(self.0.elapsed())
    }

    pub(crate) fn now(self) -> Now {
        Now { instant: self.instant(), wall: wall() }
    }
}

/// A clock that stands before 1970 shows 1970: it dates versions for people only.
fn wall() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
