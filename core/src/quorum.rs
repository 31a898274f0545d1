//! A vote among replicas: pending, reached or impossible.
//!
//! Voters are the first N reachable nodes of a preference list (paper, section 4.6, "sloppy
//! quorum"): primaries, and fallbacks that stand in for those that cannot be reached. What
//! counts is how many of the N seats have a copy: a primary and whoever stands in for it
//! count once.

use crate::{id::NodeId, request::Acks};

/// How many must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// Of all voters: R or W.
    pub total: usize,
    /// Of those that are primaries: PR or PW.
    pub primaries: usize,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// The primary whose place it takes; `None` for a primary.
    pub stands_for: Option<NodeId>,
}

impl Voter {
    /// The primary whose vote it is.
    pub fn seat(self) -> NodeId {
        self.stands_for.unwrap_or(self.node)
    }
}

/// The voters of one request, and what each has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    quorum: Quorum,
    voters: Vec<(Voter, State)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Granted { durable: bool },
    Failed,
}

/// Where a vote stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It can still go either way.
    Pending,
    /// As many as needed have granted it.
    Reached,
    /// Those that still wait are too few.
    Impossible,
}

impl Vote {
    /// A vote in which nobody has said anything yet.
    pub fn new(quorum: Quorum, voters: impl IntoIterator<Item = Voter>) -> Self {
        let voters = voters.into_iter().map(|v| (v, State::Waiting)).collect();
        Vote { quorum, voters }
    }

    /// One agrees. True the first time only, and only for who was asked.
    pub fn grant(&mut self, node: NodeId, durable: bool) -> bool {
        self.answer(node, State::Granted { durable }).is_some()
    }

    /// One will not agree. Names the primary for which another may stand in, if this was
    /// news.
    pub fn fail(&mut self, node: NodeId) -> Option<NodeId> {
        self.answer(node, State::Failed).map(Voter::seat)
    }

    fn answer(&mut self, node: NodeId, state: State) -> Option<Voter> {
        let waits = |(v, s): &&mut (Voter, State)| v.node == node && *s == State::Waiting;
        let (voter, said) = self.voters.iter_mut().find(waits)?;
        *said = state;
        Some(*voter)
    }

    /// One more is asked. False if it had been asked before: nobody votes twice.
    pub fn add(&mut self, voter: Voter) -> bool {
        let new = !self.has(voter.node);
        if new {
            self.voters.push((voter, State::Waiting));
        }
        new
    }

    /// Whether a node was asked.
    pub fn has(&self, node: NodeId) -> bool {
        self.voters.iter().any(|(v, _)| v.node == node)
    }

    /// Where it stands now.
    pub fn outcome(&self) -> Outcome {
        let Acks { primaries, fallbacks, .. } = self.seats(|s| matches!(s, State::Granted { .. }));
        if self.is_enough(primaries, fallbacks) {
            return Outcome::Reached;
        }
        let Acks { primaries, fallbacks, .. } = self.seats(|s| s != State::Failed);
        match self.is_enough(primaries, fallbacks) {
            true => Outcome::Pending,
            false => Outcome::Impossible,
        }
    }

    fn is_enough(&self, primaries: usize, fallbacks: usize) -> bool {
        primaries + fallbacks >= self.quorum.total && primaries >= self.quorum.primaries
    }

    /// Who has agreed, as what.
    pub fn acks(&self) -> Acks {
        self.seats(|s| matches!(s, State::Granted { .. }))
    }

    /// The seats that are held by a voter of whom `test` is true: by the primary itself, or
    /// else by one that stands in for it. However many do, the seat counts once: when
    /// their hints are delivered there is one copy.
    fn seats(&self, test: impl Fn(State) -> bool) -> Acks {
        let mut acks = Acks::default();
        for (i, (voter, _)) in self.voters.iter().enumerate().filter(|(_, (_, s))| test(*s)) {
            // Some voters: looking at all of them for each costs less than a map.
            let of_seat = |(v, s): &&(Voter, State)| v.seat() == voter.seat() && test(*s);
            if self.voters[..i].iter().any(|v| of_seat(&v)) {
                continue;
            }
            let mut seat = self.voters[i..].iter().filter(of_seat);
            let is_durable = |s: &State| *s == State::Granted { durable: true };
            acks.durable += usize::from(seat.clone().any(|(_, s)| is_durable(s)));
            let by_primary = seat.any(|(v, _)| v.stands_for.is_none());
            *(if by_primary { &mut acks.primaries } else { &mut acks.fallbacks }) += 1;
        }
        acks
    }

    /// Who has been asked and has said nothing.
    pub fn silent(&self) -> impl Iterator<Item = Voter> + '_ {
        self.voters.iter().filter(|(_, s)| *s == State::Waiting).map(|(v, _)| *v)
    }

    /// How many must agree.
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primary(n: u64) -> Voter {
        Voter { node: NodeId(n), stands_for: None }
    }

    fn fallback(n: u64, owner: u64) -> Voter {
        Voter { node: NodeId(n), stands_for: Some(NodeId(owner)) }
    }

    fn vote(total: usize, primaries: usize, voters: &[Voter]) -> Vote {
        Vote::new(Quorum { total, primaries }, voters.iter().copied())
    }

    #[test]
    fn two_of_three() {
        let mut v = vote(2, 0, &[primary(1), primary(2), primary(3)]);
        assert!(v.grant(NodeId(1), true));
        assert_eq!(v.outcome(), Outcome::Pending);
        assert_eq!(v.fail(NodeId(2)), Some(NodeId(2)));
        assert_eq!(v.outcome(), Outcome::Pending);
        assert!(v.grant(NodeId(3), false));
        assert_eq!(v.outcome(), Outcome::Reached);
        assert_eq!(v.acks(), Acks { primaries: 2, fallbacks: 0, durable: 1 });
    }

    #[test]
    fn impossible_as_soon_as_too_few_are_left_and_possible_again_with_a_stand_in() {
        let mut v = vote(2, 0, &[primary(1), primary(2)]);
        v.fail(NodeId(1));
        assert_eq!(v.outcome(), Outcome::Impossible);
        assert!(v.add(fallback(4, 1)));
        assert_eq!(v.outcome(), Outcome::Pending);
        assert_eq!(v.fail(NodeId(4)), Some(NodeId(1)), "the next one stands in for the same");
    }

    #[test]
    fn nobody_votes_twice() {
        let mut v = vote(2, 0, &[primary(1), fallback(4, 2)]);
        assert!(v.grant(NodeId(4), true));
        assert!(!v.grant(NodeId(4), true));
        assert!(!v.add(fallback(4, 1)));
        assert!(!v.grant(NodeId(9), true), "nor does who was not asked");
        assert_eq!(v.outcome(), Outcome::Pending);
    }

    #[test]
    fn a_primary_and_its_stand_in_count_once() {
        let mut v = vote(2, 0, &[primary(1), primary(2), fallback(4, 2)]);
        v.grant(NodeId(4), true);
        v.grant(NodeId(2), false);
        assert_eq!(v.acks(), Acks { primaries: 1, fallbacks: 0, durable: 1 });
        assert_eq!(v.outcome(), Outcome::Pending);
        v.fail(NodeId(1));
        assert_eq!(v.outcome(), Outcome::Impossible);
    }

    #[test]
    fn fallbacks_do_not_count_as_primaries() {
        let mut v = vote(2, 2, &[primary(1), fallback(4, 2), primary(3)]);
        v.grant(NodeId(1), true);
        v.grant(NodeId(4), true);
        assert_eq!(v.outcome(), Outcome::Pending);
        v.fail(NodeId(3));
        assert_eq!(v.outcome(), Outcome::Impossible);
    }
}
