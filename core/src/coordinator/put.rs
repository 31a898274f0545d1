//! A put or a delete (paper, section 4.5): "upon receiving a put() request for a key,
//! the coordinator generates the vector clock for the new version and writes the new
//! version locally. The coordinator then sends the new version to the N highest-ranked
//! reachable nodes. If at least W-1 nodes respond then the write is considered
//! successful."
//!
//! ```text
//! Writing ── own replica wrote ──▶ Replicating ── W of N have it ──▶ acknowledged
//!    │                                  └── time is up, or too few are left ──▶ indeterminate
//!    └── own replica failed ──▶ not applied
//! ```
//!
//! What is sent is everything that the own replica holds of the key, not the new
//! version alone: its clock says that earlier versions of this actor have been seen,
//! and that must be true wherever it arrives. Nothing is sent before the own replica
//! has stored it, so that a restart cannot make this actor sign for a version it lost.

use super::{Asked, Electorate};
use crate::{
    id::{NodeId, RequestId},
    quorum::{Outcome, Vote},
    replica::ReplicaAnswer,
    request::{Acks, Refusal, Written},
    version::Versions,
};

/// A write that this node coordinates. It holds a replica itself.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    own: NodeId,
    request: RequestId,
    asked: Asked,
    vote: Vote,
    written: Written,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing to do but wait.
    Waiting,
    /// These nodes are to merge these versions. If the answer is there already, the
    /// request is over all the same.
    Replicate { to: Vec<NodeId>, versions: Versions, answer: Option<Written> },
    /// The request is over.
    Done(Result<Written, Refusal>),
}

impl Put {
    /// Its first step, a write to the own replica, is left to the caller.
    pub(crate) fn new(own: NodeId, request: RequestId, electorate: &Electorate) -> Self {
        let written =
            Written { context: None, siblings: 0, acks: Acks::default(), coordinator: own };
        Put {
            own,
            request,
            asked: electorate.up.iter().copied().collect(),
            vote: Vote::new(electorate.needed, electorate.up.len()),
            written,
        }
    }

    /// What a replica says; the own one is asked first and alone.
    pub(crate) fn answered(&mut self, from: NodeId, answer: ReplicaAnswer) -> Progress {
        if !self.asked.answers(from) {
            return Progress::Waiting;
        }
        match answer {
            ReplicaAnswer::Wrote { versions, durable } if from == self.own => {
                self.wrote(versions, durable)
            }
            ReplicaAnswer::Merged { durable } if from != self.own => {
                let outcome = self.acknowledge(durable);
                self.progress(outcome)
            }
            _ if from == self.own => Progress::Done(Err(Refusal::Storage)),
            _ => {
                let outcome = self.vote.fail();
                self.progress(outcome)
            }
        }
    }

    /// A replica that was asked cannot be reached.
    pub(crate) fn lost(&mut self, node: NodeId) -> Progress {
        // The own replica always answers, and before it does nobody else was asked.
        if node == self.own || !self.asked.answers(node) {
            return Progress::Waiting;
        }
        let outcome = self.vote.fail();
        self.progress(outcome)
    }

    /// Time is up.
    pub(crate) fn timed_out(&self) -> Refusal {
        Refusal::Indeterminate { needed: self.vote.needed(), had: self.vote.granted() }
    }

    /// Replicas that have been sent the versions and have not answered: none before
    /// the own replica has.
    pub(crate) fn silent(&self) -> impl Iterator<Item = NodeId> + '_ {
        let sent = self.vote.granted() > 0;
        self.asked.iter().filter(move |_| sent)
    }

    fn wrote(&mut self, versions: Versions, durable: bool) -> Progress {
        self.written.siblings = versions.siblings().len();
        self.written.context = match versions.siblings() {
            [only] if only.request == self.request => Some(versions.context()),
            _ => None,
        };
        let answer = match self.acknowledge(durable) {
            Outcome::Reached => Some(self.written.clone()),
            Outcome::Pending => None,
            Outcome::Impossible => return Progress::Done(Err(self.timed_out())),
        };
        Progress::Replicate { to: self.asked.iter().collect(), versions, answer }
    }

    fn acknowledge(&mut self, durable: bool) -> Outcome {
        self.written.acks.primaries += 1;
        self.written.acks.durable += usize::from(durable);
        self.vote.grant()
    }

    fn progress(&self, outcome: Outcome) -> Progress {
        match outcome {
            Outcome::Pending => Progress::Waiting,
            Outcome::Reached => Progress::Done(Ok(self.written.clone())),
            Outcome::Impossible => Progress::Done(Err(self.timed_out())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Actor, Dot, Incarnation},
        time::Stamp,
        version::{Context, Version, Write},
    };

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);
    const REQUEST: RequestId = RequestId([7; 16]);
    const MERGED: ReplicaAnswer = ReplicaAnswer::Merged { durable: true };

    fn versions(requests: &[RequestId]) -> Versions {
        let mut held = Versions::default();
        for (counter, &request) in (1..).zip(requests) {
            let actor = Actor { node: A, incarnation: Incarnation(1) };
            let dot = Dot { actor, counter };
            let version = Version { dot, request, stamp: Stamp(1), value: None };
            held.write(Write { version, context: Context::default() });
        }
        held
    }

    fn put(needed: usize) -> Put {
        Put::new(A, REQUEST, &Electorate { needed, up: vec![A, B, C], of: 3 })
    }

    fn wrote(put: &mut Put, requests: &[RequestId]) -> Progress {
        let versions = versions(requests);
        put.answered(A, ReplicaAnswer::Wrote { versions, durable: true })
    }

    #[test]
    fn it_writes_locally_then_replicates_then_waits_for_w() {
        let mut p = put(2);
        let all = versions(&[REQUEST]);
        let replicate = Progress::Replicate { to: vec![B, C], versions: all.clone(), answer: None };
        assert_eq!(wrote(&mut p, &[REQUEST]), replicate);
        let Progress::Done(Ok(written)) = p.answered(C, MERGED) else { panic!("W is reached") };
        assert_eq!(written.acks, Acks { primaries: 2, fallbacks: 0, durable: 2 });
        assert_eq!(written.context, Some(all.context()));
    }

    #[test]
    fn with_w_of_one_the_answer_comes_while_the_others_are_being_told() {
        let mut p = put(1);
        let Progress::Replicate { to, answer: Some(_), .. } = wrote(&mut p, &[REQUEST]) else {
            panic!("the own replica is enough")
        };
        assert_eq!(to, [B, C]);
    }

    #[test]
    fn a_write_among_unseen_siblings_returns_no_context() {
        let mut p = put(1);
        let Progress::Replicate { answer: Some(written), .. } =
            wrote(&mut p, &[RequestId([1; 16]), REQUEST])
        else {
            panic!("the own replica is enough")
        };
        assert_eq!((written.context, written.siblings), (None, 2));
    }

    #[test]
    fn nobody_acknowledges_twice() {
        let mut p = put(3);
        wrote(&mut p, &[REQUEST]);
        assert_eq!(p.answered(B, MERGED), Progress::Waiting);
        assert_eq!(p.answered(B, MERGED), Progress::Waiting);
        assert!(matches!(p.answered(C, MERGED), Progress::Done(Ok(_))));
    }

    #[test]
    fn once_written_a_failure_is_indeterminate() {
        let mut p = put(3);
        wrote(&mut p, &[REQUEST]);
        let failed = Refusal::Indeterminate { needed: 3, had: 1 };
        assert_eq!(p.lost(B), Progress::Done(Err(failed)));
    }

    #[test]
    fn while_the_own_disk_is_slow_nobody_else_is_blamed() {
        let mut p = put(2);
        assert_eq!(p.silent().count(), 0);
        wrote(&mut p, &[REQUEST]);
        assert_eq!(p.silent().collect::<Vec<_>>(), [B, C]);
    }

    #[test]
    fn when_the_own_replica_fails_nothing_was_applied() {
        let mut p = put(2);
        assert_eq!(p.answered(A, ReplicaAnswer::Failed), Progress::Done(Err(Refusal::Storage)));
    }
}
