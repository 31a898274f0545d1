//! A get (paper, section 5): "(i) send read requests to the nodes, (ii) wait for
//! minimum number of required responses, (iii) if too few replies were received within
//! a given time bound, fail the request, (iv) otherwise gather all the data versions and
//! determine the ones to be returned and (v) if versioning is enabled, perform
//! syntactic reconciliation and generate an opaque write context that contains the
//! vector clock that subsumes all the remaining versions."
//!
//! "After the read response has been returned to the caller the state machine waits for
//! a small period of time to receive any outstanding responses. If stale versions were
//! returned in any of the responses, the coordinator updates those nodes with the latest
//! version": read repair, of primaries only.
//!
//! ```text
//! Gathering ── R have answered ──▶ Answered ── all have, or time is up ──▶ repair, over
//!     └── strict: R have answered ──▶ WritingBack ── W hold it ──▶ Answered
//! ```

use super::Electorate;
use crate::{
    id::NodeId,
    quorum::{Outcome, Quorum, Vote, Voter},
    replica::ReplicaAnswer,
    request::{Got, Refusal},
    version::Versions,
};

/// A read that this node coordinates. It may or may not hold a replica itself.
#[derive(Clone, Debug)]
pub(crate) struct Get {
    own: NodeId,
    of: usize,
    /// For a strict read: how many primaries must hold what it returns, which is W.
    write_back: Option<usize>,
    vote: Vote,
    strict: bool,
    /// What each primary has answered; `None` for one that could not read its disk.
    replies: Vec<(NodeId, Option<Versions>)>,
    gathered: Versions,
    fastest: Option<NodeId>,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Gathering,
    /// The answer, and who holds it.
    WritingBack(Got, Vote),
    Answered,
}

/// What is to be done next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// These primaries are to merge these versions.
    pub(crate) write_back: Option<(Vec<NodeId>, Versions)>,
    /// The client's answer.
    pub(crate) answer: Option<Result<Got, Refusal>>,
}

impl Get {
    /// Everybody in the electorate is asked at once, by the caller.
    pub(crate) fn new(own: NodeId, electorate: &Electorate, write_back: Option<usize>) -> Self {
        Get {
            own,
            of: electorate.of,
            write_back,
            strict: electorate.strict,
            vote: Vote::new(electorate.quorum, electorate.voters.iter().copied()),
            replies: Vec::new(),
            gathered: Versions::default(),
            fastest: None,
            stage: Stage::Gathering,
        }
    }

    /// What a replica says.
    pub(crate) fn answered(&mut self, from: NodeId, answer: ReplicaAnswer) -> Step {
        match answer {
            ReplicaAnswer::Holds(versions) => self.holds(from, versions),
            ReplicaAnswer::Merged { .. } => self.merged(from),
            _ => Step::default(),
        }
    }

    fn holds(&mut self, from: NodeId, versions: Versions) -> Step {
        let is_primary = self.vote.silent().any(|v| v.node == from && v.stands_for.is_none());
        if !self.vote.grant(from, false) {
            return Step::default();
        }
        self.gathered.merge(&versions);
        self.fastest.get_or_insert(from);
        if is_primary {
            self.replies.push((from, Some(versions)));
        }
        self.progress()
    }

    fn merged(&mut self, from: NodeId) -> Step {
        let Stage::WritingBack(got, vote) = &mut self.stage else { return Step::default() };
        vote.grant(from, false);
        if vote.outcome() != Outcome::Reached {
            return Step::default();
        }
        let answer = Some(Ok(got.clone()));
        self.stage = Stage::Answered;
        Step { answer, write_back: None }
    }

    /// A replica that was asked cannot be reached, or failed. Names the primary that
    /// another node may stand in for; [`Get::progress`] tells how it stands then.
    pub(crate) fn failed(&mut self, node: NodeId, damaged: bool) -> Option<NodeId> {
        if let Stage::WritingBack(_, vote) = &mut self.stage {
            vote.fail(node);
        }
        let primary = self.vote.fail(node)?;
        if damaged && primary == node {
            self.replies.push((node, None));
        }
        Some(primary).filter(|_| matches!(self.stage, Stage::Gathering))
    }

    /// One more node is to be asked. False if it was asked before.
    pub(crate) fn stand_in(&mut self, voter: Voter) -> bool {
        !self.strict && self.vote.add(voter)
    }

    /// Who has been asked.
    pub(crate) fn vote(&self) -> &Vote {
        &self.vote
    }

    /// Time is up.
    pub(crate) fn timed_out(&self) -> Refusal {
        let acks = self.vote.acks();
        let needed = self.vote.quorum().total;
        Refusal::TimedOut { needed, had: acks.primaries + acks.fallbacks }
    }

    /// The client has its answer.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Answered)
    }

    /// Nobody is waited for any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_answered() && self.vote.silent().next().is_none()
    }

    /// In the end: the primaries that lack something, and what all should have.
    pub(crate) fn repairs(self) -> (Vec<NodeId>, Versions) {
        let Get { replies, gathered, .. } = self;
        let lacks = |held: &Option<Versions>| match held {
            Some(held) => held.clone().merge(&gathered),
            None => gathered != Versions::default(),
        };
        let stale = replies.iter().filter(|(_, held)| lacks(held)).map(|(node, _)| *node);
        (stale.collect(), gathered)
    }

    /// How it stands now.
    pub(crate) fn progress(&mut self) -> Step {
        let refuse = |refusal| Step { answer: Some(Err(refusal)), write_back: None };
        match (&self.stage, self.vote.outcome()) {
            (Stage::Gathering, Outcome::Reached) => self.reached(),
            (Stage::Gathering, Outcome::Impossible) => {
                let (acks, of) = (self.vote.acks(), self.of);
                let Quorum { total, primaries } = self.vote.quorum();
                let up = acks.primaries + acks.fallbacks;
                self.stage = Stage::Answered;
                refuse(if up >= total {
                    Refusal::PrimariesUnavailable { needed: primaries, up: acks.primaries, of }
                } else {
                    Refusal::Unavailable { needed: total, up, of }
                })
            }
            (Stage::WritingBack(_, vote), _) if vote.outcome() == Outcome::Impossible => {
                let (needed, up) = (vote.quorum().total, vote.acks().primaries);
                self.stage = Stage::Answered;
                refuse(Refusal::PrimariesUnavailable { needed, up, of: self.of })
            }
            _ => Step::default(),
        }
    }

    fn reached(&mut self) -> Step {
        let got = self.got();
        let Some(needed) = self.write_back else {
            self.stage = Stage::Answered;
            return Step { answer: Some(Ok(got)), write_back: None };
        };
        // A strict read returns only what W primaries hold, so that no later one can
        // return less.
        let quorum = Quorum { total: needed, primaries: needed };
        let primaries = self.replies.iter().map(|(node, _)| *node);
        let primaries = primaries.chain(self.vote.silent().map(|v| v.node));
        let mut vote = Vote::new(quorum, primaries.map(|node| Voter { node, stands_for: None }));
        for (node, held) in &self.replies {
            if held.as_ref().is_some_and(|h| !h.clone().merge(&self.gathered)) {
                vote.grant(*node, false);
            }
        }
        if vote.outcome() == Outcome::Reached {
            self.stage = Stage::Answered;
            return Step { answer: Some(Ok(got)), write_back: None };
        }
        let to = vote.silent().map(|v| v.node).collect();
        // They are sent it now, and not once more in the end.
        self.replies.clear();
        self.stage = Stage::WritingBack(got, vote);
        let Step { answer, .. } = self.progress();
        Step { write_back: Some((to, self.gathered.clone())), answer }
    }

    fn got(&self) -> Got {
        let values = self.gathered.siblings().iter().filter(|v| v.value.is_some());
        let acks = self.vote.acks();
        Got {
            siblings: values.cloned().collect(),
            context: self.gathered.context().answered_by(self.fastest),
            primaries: acks.primaries,
            fallbacks: acks.fallbacks,
            coordinator: self.own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Actor, Dot, Incarnation, Life, RequestId},
        time::Stamp,
        version::{Context, Version, Write},
    };
    use bytes::Bytes;

    const A: NodeId = NodeId(1);
    const B: NodeId = NodeId(2);
    const C: NodeId = NodeId(3);

    fn get(total: usize) -> Get {
        electing(total, None)
    }

    fn electing(total: usize, write_back: Option<usize>) -> Get {
        let voters = [A, B, C].map(|node| Voter { node, stands_for: None }).to_vec();
        let quorum = Quorum { total, primaries: 0 };
        Get::new(A, &Electorate { quorum, voters, of: 3, strict: false }, write_back)
    }

    fn answer(step: Step) -> Option<Result<Got, Refusal>> {
        step.answer
    }

    fn written(by: NodeId, value: Option<&'static str>, context: &Context) -> Versions {
        let dot = Dot {
            actor: Actor { node: by, incarnation: Incarnation(1), life: Life(1) },
            counter: 1,
        };
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
        assert_eq!(g.answered(A, ReplicaAnswer::Holds(old)), Step::default());
        let Some(Ok(got)) = answer(g.answered(C, ReplicaAnswer::Holds(new.clone()))) else {
            panic!("R is reached")
        };
        assert_eq!(values(&got), [b"new"]);
        assert_eq!(got.context, new.context().answered_by(Some(A)));
        assert_eq!((got.primaries, got.fallbacks), (2, 0));
    }

    #[test]
    fn concurrent_versions_are_all_returned_under_one_context() {
        let a = written(A, Some("a"), &Context::default());
        let b = written(B, Some("b"), &Context::default());
        let mut g = get(2);
        g.answered(A, ReplicaAnswer::Holds(a.clone()));
        let Some(Ok(got)) = answer(g.answered(B, ReplicaAnswer::Holds(b.clone()))) else {
            panic!("R is reached")
        };
        assert_eq!(values(&got), [b"a", b"b"]);
        assert!(got.context.seen().dominates(a.seen()) && got.context.seen().dominates(b.seen()));
    }

    #[test]
    fn a_deleted_key_has_no_value_but_a_context() {
        let gone = written(A, None, &Context::default());
        let mut g = get(1);
        let Some(Ok(got)) = answer(g.answered(A, ReplicaAnswer::Holds(gone.clone()))) else {
            panic!("R is reached")
        };
        let context = gone.context().answered_by(Some(A));
        assert_eq!((got.siblings.len(), got.context), (0, context));
    }

    #[test]
    fn too_few_left_is_unavailable_and_too_late_is_a_time_out() {
        let mut g = get(2);
        assert_eq!(g.failed(B, false), Some(B));
        assert_eq!(g.progress(), Step::default());
        assert_eq!(g.timed_out(), Refusal::TimedOut { needed: 2, had: 0 });
        g.failed(A, true);
        let unavailable = Refusal::Unavailable { needed: 2, up: 0, of: 3 };
        assert_eq!(answer(g.progress()), Some(Err(unavailable)));
    }

    #[test]
    fn primaries_that_lack_something_are_repaired_also_when_they_answer_late() {
        let old = written(A, Some("old"), &Context::default());
        let new = written(B, Some("new"), &old.context());
        let mut g = get(2);
        g.answered(A, ReplicaAnswer::Holds(old));
        g.answered(B, ReplicaAnswer::Holds(new.clone()));
        assert!(g.is_answered() && !g.is_over());
        g.answered(C, ReplicaAnswer::Holds(Versions::default()));
        assert!(g.is_over());
        assert_eq!(g.repairs(), (vec![A, C], new));
    }

    #[test]
    fn a_replica_that_cannot_read_its_record_is_given_it_anew() {
        let held = written(A, Some("v"), &Context::default());
        let mut g = get(2);
        g.failed(C, true);
        g.answered(A, ReplicaAnswer::Holds(held.clone()));
        g.answered(B, ReplicaAnswer::Holds(held.clone()));
        assert_eq!(g.repairs(), (vec![C], held));
    }

    #[test]
    fn a_strict_read_returns_only_what_w_primaries_hold() {
        let held = written(A, Some("v"), &Context::default());
        let mut g = electing(2, Some(2));
        g.answered(A, ReplicaAnswer::Holds(held.clone()));
        let step = g.answered(B, ReplicaAnswer::Holds(Versions::default()));
        assert_eq!(step, Step { write_back: Some((vec![B, C], held.clone())), answer: None });
        let merged = ReplicaAnswer::Merged { durable: true };
        let Some(Ok(got)) = answer(g.answered(B, merged)) else { panic!("two hold it") };
        assert_eq!(values(&got), [b"v"]);
    }

    #[test]
    fn a_strict_read_of_equal_replicas_costs_nothing_more() {
        let held = written(A, Some("v"), &Context::default());
        let mut g = electing(2, Some(2));
        g.answered(A, ReplicaAnswer::Holds(held.clone()));
        assert!(matches!(answer(g.answered(B, ReplicaAnswer::Holds(held))), Some(Ok(_))));
    }
}
