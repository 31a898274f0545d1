//! A put or a delete (paper, section 4.5): "upon receiving a put() request for a key,
//! the coordinator generates the vector clock for the new version and writes the new
//! version locally. The coordinator then sends the new version to the N highest-ranked
//! reachable nodes. If at least W-1 nodes respond then the write is considered
//! successful."
//!
//! ```text
//! Writing ── own replica wrote ──▶ Replicating ── W have it ──▶ acknowledged
//!    │                                  └── time is up, or too few are left ──▶ indeterminate
//!    └── own replica failed ──▶ not applied
//! ```
//!
//! What is sent is everything that the own replica holds of the key, not the new
//! version alone: its clock says that earlier versions of this actor have been seen,
//! and that must be true wherever it arrives. Nothing is sent before the own replica
//! has stored it, so that a restart cannot make this actor sign for a version it lost.
//!
//! Whoever cannot be reached is replaced by the next node of the preference list, which
//! keeps a hint (section 4.6).

use super::Electorate;
use crate::{
    id::{NodeId, RequestId},
    quorum::{Outcome, Vote, Voter},
    replica::ReplicaAnswer,
    request::{Refusal, Written},
    version::Versions,
};

/// A write that this node coordinates. It is one of the voters itself.
#[derive(Clone, Debug)]
pub(crate) struct Put {
    own: NodeId,
    request: RequestId,
    vote: Vote,
    strict: bool,
    /// What the own replica holds, once it has stored the write.
    versions: Option<Versions>,
}

/// How far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing to do but wait.
    Waiting,
    /// These nodes are to merge these versions. If the answer is there already, the
    /// request is over all the same.
    Replicate { to: Vec<Voter>, versions: Versions, answer: Option<Written> },
    /// The request is over.
    Done(Result<Written, Refusal>),
}

impl Put {
    /// Its first step, a write to the own replica, is left to the caller.
    pub(crate) fn new(own: NodeId, request: RequestId, electorate: &Electorate) -> Self {
        let vote = Vote::new(electorate.quorum, electorate.voters.iter().copied());
        Put { own, request, vote, strict: electorate.strict, versions: None }
    }

    /// What a replica says; the own one is asked first and alone.
    pub(crate) fn answered(&mut self, from: NodeId, answer: ReplicaAnswer) -> Progress {
        match answer {
            ReplicaAnswer::Wrote { versions, durable, .. } if from == self.own => {
                self.vote.grant(from, durable);
                self.versions = Some(versions.clone());
                let to = self.vote.silent().collect();
                match self.vote.outcome() {
                    Outcome::Impossible => Progress::Done(Err(self.timed_out())),
                    outcome => {
                        let answer = (outcome == Outcome::Reached).then(|| self.written());
                        Progress::Replicate { to, versions, answer }
                    }
                }
            }
            ReplicaAnswer::TooManySiblings { siblings, bytes } if from == self.own => {
                Progress::Done(Err(Refusal::TooManySiblings { siblings, bytes }))
            }
            _ if from == self.own => Progress::Done(Err(Refusal::Storage)),
            ReplicaAnswer::Merged { durable } => {
                self.vote.grant(from, durable);
                self.progress()
            }
            _ => Progress::Waiting,
        }
    }

    /// A replica that was asked cannot be reached, or failed. Names the primary that
    /// another node may stand in for; [`Put::progress`] tells how it stands then.
    pub(crate) fn failed(&mut self, node: NodeId) -> Option<NodeId> {
        // The own replica always answers.
        if node == self.own { None } else { self.vote.fail(node) }
    }

    /// One more node is asked. What it is to be sent, unless it is too early for that.
    pub(crate) fn stand_in(&mut self, voter: Voter) -> Option<Versions> {
        let asked = !self.strict && self.vote.add(voter);
        if asked { self.versions.clone() } else { None }
    }

    /// Who has been asked, or will be.
    pub(crate) fn vote(&self) -> &Vote {
        &self.vote
    }

    /// Time is up.
    pub(crate) fn timed_out(&self) -> Refusal {
        let acks = self.vote.acks();
        let needed = self.vote.quorum().total;
        Refusal::Indeterminate { needed, had: acks.primaries + acks.fallbacks }
    }

    /// Replicas that have been sent the versions and have not answered: none before
    /// the own replica has.
    pub(crate) fn silent(&self) -> impl Iterator<Item = Voter> + '_ {
        let sent = self.versions.is_some();
        self.vote.silent().filter(move |_| sent)
    }

    /// How it stands now.
    pub(crate) fn progress(&self) -> Progress {
        match self.vote.outcome() {
            Outcome::Pending => Progress::Waiting,
            Outcome::Reached => Progress::Done(Ok(self.written())),
            // Before the own replica has answered nobody knows whether it is written.
            Outcome::Impossible if self.versions.is_none() => Progress::Waiting,
            Outcome::Impossible => Progress::Done(Err(self.timed_out())),
        }
    }

    fn written(&self) -> Written {
        let siblings = self.versions.as_ref().map_or(&[][..], Versions::siblings);
        let context = match (siblings, &self.versions) {
            ([only], Some(versions)) if only.request == self.request => {
                Some(versions.context().answered_by(Some(self.own)))
            }
            _ => None,
        };
        let (siblings, acks) = (siblings.len(), self.vote.acks());
        Written { context, siblings, acks, coordinator: self.own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Actor, Dot, Incarnation, Life},
        quorum::Quorum,
        request::Acks,
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
            let actor = Actor { node: A, incarnation: Incarnation(1), life: Life(1) };
            let dot = Dot { actor, counter };
            let version = Version { dot, request, stamp: Stamp(1), value: None };
            held.write(Write { version, context: Context::default() });
        }
        held
    }

    fn primary(node: NodeId) -> Voter {
        Voter { node, stands_for: None }
    }

    fn put(total: usize) -> Put {
        let voters = [A, B, C].map(primary).to_vec();
        let quorum = Quorum { total, primaries: 0 };
        Put::new(A, REQUEST, &Electorate { quorum, voters, of: 3, strict: false })
    }

    fn wrote(put: &mut Put, requests: &[RequestId]) -> Progress {
        let versions = versions(requests);
        put.answered(A, ReplicaAnswer::Wrote { versions, durable: true, truncated: 0 })
    }

    #[test]
    fn it_writes_locally_then_replicates_then_waits_for_w() {
        let mut p = put(2);
        let all = versions(&[REQUEST]);
        let to = [B, C].map(primary).to_vec();
        let replicate = Progress::Replicate { to, versions: all.clone(), answer: None };
        assert_eq!(wrote(&mut p, &[REQUEST]), replicate);
        let Progress::Done(Ok(written)) = p.answered(C, MERGED) else { panic!("W is reached") };
        assert_eq!(written.acks, Acks { primaries: 2, fallbacks: 0, durable: 2 });
        assert_eq!(written.context, Some(all.context().answered_by(Some(A))));
    }

    #[test]
    fn with_w_of_one_the_answer_comes_while_the_others_are_being_told() {
        let mut p = put(1);
        let Progress::Replicate { to, answer: Some(_), .. } = wrote(&mut p, &[REQUEST]) else {
            panic!("the own replica is enough")
        };
        assert_eq!(to, [B, C].map(primary));
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
        assert_eq!(p.failed(B), Some(B));
        assert_eq!(p.progress(), Progress::Done(Err(failed)));
    }

    #[test]
    fn while_the_own_disk_is_slow_nobody_else_is_blamed() {
        let mut p = put(2);
        assert_eq!(p.silent().count(), 0);
        wrote(&mut p, &[REQUEST]);
        assert_eq!(p.silent().collect::<Vec<_>>(), [B, C].map(primary));
    }

    #[test]
    fn when_the_own_replica_fails_nothing_was_applied() {
        let mut p = put(2);
        assert_eq!(p.answered(A, ReplicaAnswer::Failed), Progress::Done(Err(Refusal::Storage)));
    }

    #[test]
    fn a_fallback_takes_the_place_of_who_cannot_be_reached_and_says_so() {
        let mut p = put(3);
        wrote(&mut p, &[REQUEST]);
        p.answered(C, MERGED);
        assert_eq!(p.failed(B), Some(B));
        let fallback = Voter { node: NodeId(4), stands_for: Some(B) };
        assert_eq!(p.stand_in(fallback), Some(versions(&[REQUEST])));
        assert_eq!(p.progress(), Progress::Waiting);
        let Progress::Done(Ok(written)) = p.answered(fallback.node, MERGED) else {
            panic!("W is reached")
        };
        assert_eq!(written.acks, Acks { primaries: 2, fallbacks: 1, durable: 3 });
    }

    #[test]
    fn a_fallback_asked_before_the_own_disk_is_done_is_told_with_the_others() {
        let mut p = put(2);
        assert_eq!(p.failed(B), Some(B));
        let fallback = Voter { node: NodeId(4), stands_for: Some(B) };
        assert_eq!(p.stand_in(fallback), None);
        let Progress::Replicate { to, .. } = wrote(&mut p, &[REQUEST]) else { panic!("it wrote") };
        assert_eq!(to, [primary(C), fallback]);
    }
}
