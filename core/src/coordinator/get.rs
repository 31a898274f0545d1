//! A get (paper, section 5): "(i) send read requests to the nodes, (ii) wait for
//! minimum number of required responses, (iii) if too few replies were received within
//! a given time bound, fail the request, (iv) otherwise gather all the data versions and
//! determine the ones to be returned and (v) if versioning is enabled, perform
//! syntactic reconciliation and generate an opaque write context that contains the
//! vector clock that subsumes all the remaining versions."

use super::{Asked, Electorate};
use crate::{
    id::NodeId,
    quorum::{Outcome, Vote},
    replica::ReplicaAnswer,
    request::{Got, Refusal},
    version::Versions,
};

/// A read that this node coordinates. It may or may not hold a replica itself.
#[derive(Clone, Debug)]
pub(crate) struct Get {
    own: NodeId,
    of: usize,
    asked: Asked,
    vote: Vote,
    gathered: Versions,
}

impl Get {
    /// Everybody in the electorate is asked at once, by the caller.
    pub(crate) fn new(own: NodeId, electorate: &Electorate) -> Self {
        Get {
            own,
            of: electorate.of,
            asked: electorate.up.iter().copied().collect(),
            vote: Vote::new(electorate.needed, electorate.up.len()),
            gathered: Versions::default(),
        }
    }

    /// What a replica says. `Some` ends the request.
    pub(crate) fn answered(
        &mut self,
        from: NodeId,
        answer: ReplicaAnswer,
    ) -> Option<Result<Got, Refusal>> {
        if !self.asked.answers(from) {
            return None;
        }
        let outcome = match answer {
            ReplicaAnswer::Holds(versions) => {
                self.gathered.merge(&versions);
                self.vote.grant()
            }
            _ => self.vote.fail(),
        };
        self.progress(outcome)
    }

    /// A replica that was asked cannot be reached.
    pub(crate) fn lost(&mut self, node: NodeId) -> Option<Result<Got, Refusal>> {
        if node == self.own || !self.asked.answers(node) {
            return None;
        }
        let outcome = self.vote.fail();
        self.progress(outcome)
    }

    /// Time is up.
    pub(crate) fn timed_out(&self) -> Refusal {
        Refusal::TimedOut { needed: self.vote.needed(), had: self.vote.granted() }
    }

    /// Replicas that have not answered.
    pub(crate) fn silent(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.asked.iter()
    }

    fn progress(&self, outcome: Outcome) -> Option<Result<Got, Refusal>> {
        match outcome {
            Outcome::Pending => None,
            Outcome::Reached => Some(Ok(self.got())),
            Outcome::Impossible => Some(Err(Refusal::Unavailable {
                needed: self.vote.needed(),
                up: self.vote.granted(),
                of: self.of,
            })),
        }
    }

    fn got(&self) -> Got {
        let values = self.gathered.siblings().iter().filter(|v| v.value.is_some());
        Got {
            siblings: values.cloned().collect(),
            context: self.gathered.context(),
            replies: self.vote.granted(),
            coordinator: self.own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Actor, Dot, Incarnation, RequestId},
        time::Stamp,
        version::{Context, Version, Write},
    };
    use bytes::Bytes;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);

    fn get(needed: usize) -> Get {
        Get::new(A, &Electorate { needed, up: vec![A, B, C], of: 3 })
    }

    fn written(by: NodeId, value: Option<&'static str>, context: &Context) -> Versions {
        let dot = Dot { actor: Actor { node: by, incarnation: Incarnation(1) }, counter: 1 };
        let request = RequestId(u128::from(by.0).to_be_bytes());
        let value = value.map(Bytes::from);
        let version = Version { dot, request, stamp: Stamp(1), value };
        let mut held = Versions::default();
        held.write(Write { version, context: context.clone() });
        held
    }

    fn values(got: &Got) -> Vec<&[u8]> {
        got.siblings.iter().filter_map(|v| v.value.as_deref()).collect()
    }

    #[test]
    fn it_returns_what_no_other_version_has_seen() {
        let old = written(A, Some("old"), &Context::default());
        let new = written(B, Some("new"), &old.context());
        let mut g = get(2);
        assert_eq!(g.answered(A, ReplicaAnswer::Holds(old)), None);
        let Some(Ok(got)) = g.answered(C, ReplicaAnswer::Holds(new.clone())) else {
            panic!("R is reached")
        };
        assert_eq!(values(&got), [b"new"]);
        assert_eq!((&got.context, got.replies), (&new.context(), 2));
    }

    #[test]
    fn concurrent_versions_are_all_returned_under_one_context() {
        let a = written(A, Some("a"), &Context::default());
        let b = written(B, Some("b"), &Context::default());
        let mut g = get(2);
        g.answered(A, ReplicaAnswer::Holds(a.clone()));
        let Some(Ok(got)) = g.answered(B, ReplicaAnswer::Holds(b.clone())) else {
            panic!("R is reached")
        };
        assert_eq!(values(&got), [b"a", b"b"]);
        assert!(got.context.seen().dominates(a.seen()) && got.context.seen().dominates(b.seen()));
    }

    #[test]
    fn a_deleted_key_has_no_value_but_a_context() {
        let gone = written(A, None, &Context::default());
        let mut g = get(1);
        let Some(Ok(got)) = g.answered(A, ReplicaAnswer::Holds(gone.clone())) else {
            panic!("R is reached")
        };
        assert_eq!((got.siblings.len(), &got.context), (0, &gone.context()));
    }

    #[test]
    fn too_few_left_is_unavailable_and_too_late_is_a_time_out() {
        let mut g = get(2);
        assert_eq!(g.lost(B), None);
        assert_eq!(g.timed_out(), Refusal::TimedOut { needed: 2, had: 0 });
        let unavailable = Refusal::Unavailable { needed: 2, up: 0, of: 3 };
        assert_eq!(g.answered(A, ReplicaAnswer::Failed), Some(Err(unavailable)));
    }
}
