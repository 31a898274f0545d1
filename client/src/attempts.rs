//! The attempts of one call, and what they come to when none succeeded.

use crate::{Error, Tries, failure::Failure};
use std::time::{Duration, Instant};
use tonic::Code;

/// Whether a call changes anything, which decides what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
}

/// All attempts so far.
pub(crate) struct Attempts {
    pub(crate) began: Instant,
    purpose: Purpose,
    count: u32,
    /// Whether any of them may have been applied, which no later one can undo.
    maybe_applied: bool,
    /// The one that explains most, and where it was made: the last, but one that reached
    /// a node rather than one that did not.
    telling: (Failure, String),
}

impl Attempts {
    pub(crate) fn new(purpose: Purpose) -> Self {
        let telling = (Failure::Silent(Duration::ZERO), String::new());
        Attempts { began: Instant::now(), purpose, count: 0, maybe_applied: false, telling }
    }

    /// One more has failed.
    pub(crate) fn note(&mut self, failure: Failure, address: &str) {
        self.maybe_applied |= self.purpose == Purpose::Write && failure.maybe_applied();
        let unreachable = |f: &Failure| matches!(f, Failure::Unreachable(_));
        if self.count == 0 || !unreachable(&failure) || unreachable(&self.telling.0) {
            self.telling = (failure, address.to_owned());
        }
        self.count += 1;
    }

    /// The error of the call. `addresses` are those of all nodes that could be asked.
    pub(crate) fn error(self, addresses: impl Fn() -> String) -> Error {
        let (failure, at) = self.telling;
        let reason = failure.reason();
        let tries = Tries { count: self.count, at, took: self.began.elapsed() };
        if self.maybe_applied {
            return Error::Indeterminate { reason, tries };
        }
        match failure {
            Failure::Unreachable(_) => Error::Unreachable { addresses: addresses(), reason, tries },
            Failure::Broken(_) | Failure::Silent(_) => Error::TimedOut { reason, tries },
            Failure::Said(status) => match status.code() {
                Code::InvalidArgument | Code::OutOfRange => Error::InvalidRequest { reason },
                Code::Unavailable | Code::ResourceExhausted => Error::Unavailable { reason, tries },
                Code::DeadlineExceeded => Error::TimedOut { reason, tries },
                Code::Unimplemented => {
                    let reason = "it does not serve this; is it the client port of a node?";
                    Error::Refused { address: tries.at, code: status.code(), reason: reason.into() }
                }
                code => Error::Refused { address: tries.at, code, reason },
            },
        }
    }
}
