//! What is said of records that cannot be read: not once for each, for there may be many
//! and each may be asked for often.

use dynamo_core::key::Key;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};
use tracing::error;

/// At most one line in this time.
const EVERY: Duration = Duration::from_secs(10);

/// Counts what is not said.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl Complaints {
    /// A record is damaged, or the disk does not give it. The core fails the one request;
    /// why is said here only.
    pub(super) fn unreadable(&self, key: &Key, why: &str) {
        if let Some(unsaid) = self.may_speak(Instant::now()) {
            error!(?key, why, unsaid, "a record cannot be read: it is not served from here");
        }
    }

    /// How many were kept back, if it is time to speak again.
    fn may_speak(&self, now: Instant) -> Option<u64> {
        if self.last.get().is_some_and(|last| now.duration_since(last) < EVERY) {
            self.unsaid.set(self.unsaid.get() + 1);
            return None;
        }
        self.last.set(Some(now));
        Some(self.unsaid.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_are_counted() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        assert_eq!(complaints.may_speak(start), Some(0));
        assert_eq!(complaints.may_speak(start), None);
        assert_eq!(complaints.may_speak(start + EVERY / 2), None);
        assert_eq!(complaints.may_speak(start + EVERY), Some(2));
    }
}
