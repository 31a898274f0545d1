//! What one failed attempt says: whether to try again, and whether a write may have
//! been applied by it. Where a node does not say, the answer is *maybe*.

use std::{error::Error as _, time::Duration};
use tonic::{Code, ConnectError, Status};

/// The trailer in which a node says what a failed write has done.
const OUTCOME: &str = "dynamo-outcome";

/// One attempt that failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no connection: nothing was sent.
    Unreachable(String),
    /// The connection broke before the answer came.
    Broken(String),
    /// There was no answer in time.
    Silent(Duration),
    /// The node answered with an error.
    Said(Status),
}

impl Failure {
    /// Tells what the node said from what the transport made up.
    pub(crate) fn of(status: Status) -> Self {
        let Some(source) = status.source() else { return Failure::Said(status) };
        let (mut innermost, mut unconnected) = (source, source.is::<ConnectError>());
        while let Some(next) = innermost.source() {
            innermost = next;
            unconnected |= innermost.is::<ConnectError>();
        }
        let reason = one_line(&innermost.to_string());
        if unconnected { Failure::Unreachable(reason) } else { Failure::Broken(reason) }
    }

    /// Whether another attempt, at another node if there is one, may succeed.
    pub(crate) fn retry(&self) -> bool {
        use Code::{DeadlineExceeded, ResourceExhausted, Unavailable};
        match self {
            Failure::Unreachable(_) | Failure::Broken(_) | Failure::Silent(_) => true,
            Failure::Said(status) => {
                matches!(status.code(), Unavailable | ResourceExhausted | DeadlineExceeded)
                    || outcome(status) == Some("indeterminate")
            }
        }
    }

    /// Whether a write may have been applied by this attempt.
    pub(crate) fn maybe_applied(&self) -> bool {
        match self {
            Failure::Unreachable(_) => false,
            Failure::Broken(_) | Failure::Silent(_) => true,
            Failure::Said(status) => match outcome(status) {
                Some(outcome) => outcome != "not-applied",
                // Not the word of a Dynamo node: a proxy or the transport's other end.
                None => !matches!(
                    status.code(),
                    Code::InvalidArgument
                        | Code::FailedPrecondition
                        | Code::OutOfRange
                        | Code::PermissionDenied
                        | Code::ResourceExhausted
                        | Code::Unauthenticated
                        | Code::Unimplemented
                ),
            },
        }
    }

    /// What happened, in one line.
    pub(crate) fn reason(&self) -> String {
        match self {
            Failure::Unreachable(reason) => reason.clone(),
            Failure::Broken(reason) => format!("the connection broke: {reason}"),
            Failure::Silent(after) => format!("no answer within {} ms", after.as_millis()),
            Failure::Said(status) if status.message().is_empty() => status.code().to_string(),
            Failure::Said(status) => one_line(status.message()),
        }
    }
}

fn outcome(status: &Status) -> Option<&str> {
    status.metadata().get(OUTCOME)?.to_str().ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: Code, outcome: Option<&'static str>) -> Failure {
        let mut status = Status::new(code, "why");
        if let Some(outcome) = outcome {
            status.metadata_mut().insert(OUTCOME, outcome.parse().unwrap());
        }
        Failure::of(status)
    }

    #[test]
    fn the_node_knows_best_whether_a_write_was_applied() {
        assert!(said(Code::DeadlineExceeded, Some("indeterminate")).maybe_applied());
        assert!(said(Code::Unknown, Some("indeterminate")).retry());
        assert!(!said(Code::Unavailable, Some("not-applied")).maybe_applied());
        assert!(said(Code::Unavailable, Some("not-applied")).retry());
    }

    #[test]
    fn without_its_word_only_a_refusal_is_certain() {
        assert!(!said(Code::InvalidArgument, None).maybe_applied());
        assert!(!said(Code::InvalidArgument, None).retry());
        assert!(said(Code::Unavailable, None).maybe_applied());
        assert!(said(Code::Internal, None).maybe_applied());
        assert!(Failure::Silent(Duration::from_secs(1)).maybe_applied());
        assert!(!Failure::Unreachable("refused".into()).maybe_applied());
    }
}
