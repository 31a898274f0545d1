//! Why a call failed, in one line for a person and in a type for a program.

use std::{fmt, time::Duration};
use tonic::Code;

/// A call that failed.
///
/// Of a write it tells whether it was applied: [`Error::is_indeterminate`] says that
/// nobody knows, every other error that it was not and will not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request is wrong in itself: a limit, a quorum that cannot be, a context that
    /// does not fit. Trying again changes nothing.
    #[error("{reason}")]
    InvalidRequest {
        /// What is wrong, with the value and the limit.
        reason: String,
    },
    /// The node does not do this, or not in its present state.
    #[error("{address} refuses: {reason}")]
    Refused {
        /// The node that said so.
        address: String,
        /// Its status.
        code: Code,
        /// Its reason.
        reason: String,
    },
    /// The nodes that answered could not serve, in all the time there was.
    #[error("not done: {reason} ({tries}); try again later")]
    Unavailable {
        /// The reason that a node gave last.
        reason: String,
        /// What was tried.
        tries: Tries,
    },
    /// A write may have been applied, or may be later.
    #[error("the outcome is not known: {reason} ({tries}); get the key before writing it again")]
    Indeterminate {
        /// What went wrong last.
        reason: String,
        /// What was tried.
        tries: Tries,
    },
    /// There was no answer to a read in time.
    #[error("timed out: {reason} ({tries}); try again, or with a longer time-out")]
    TimedOut {
        /// What went wrong last.
        reason: String,
        /// What was tried.
        tries: Tries,
    },
    /// No node could be reached at all.
    #[error("cannot reach {addresses}: {reason} ({tries}); is a node running there?")]
    Unreachable {
        /// All addresses that were tried.
        addresses: String,
        /// Why the last one could not be reached.
        reason: String,
        /// What was tried.
        tries: Tries,
    },
}

impl Error {
    /// Whether a write may have been applied in spite of the error.
    pub fn is_indeterminate(&self) -> bool {
        matches!(self, Error::Indeterminate { .. })
    }
}

/// How much was tried before giving up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tries {
    /// How many requests were sent, or could not be.
    pub count: u32,
    /// Where the one that the reason is about went: the last that reached a node, if any did.
    pub at: String,
    /// How long all of them took.
    pub took: Duration,
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        match self.count {
            1 => write!(f, "asked {} once in {seconds:.1} s", self.at),
            n => write!(f, "{n} attempts in {seconds:.1} s, this at {}", self.at),
        }
    }
}
