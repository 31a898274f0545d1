//! Who is asked for a key: the first N nodes of its preference list that can be reached
//! (paper, section 4.6).

use super::Node;
use crate::{
    coordinator::Electorate,
    id::NodeId,
    key::Key,
    quorum::{Quorum, Vote, Voter},
    request::{Refusal, Wanted},
    time::Now,
};

/// The most requests that a node works on at a time. One that is over it is refused at
/// once, which is kinder than to be late for all of them.
pub(super) const MAX_IN_FLIGHT: usize = 10_000;

impl Node {
    /// The nodes that are asked, if they can make the quorum and this node takes requests at
    /// all. `total` is for a request that does not say, `other` the quorum of the opposite
    /// kind: a strict request must meet it.
    pub(super) fn electorate(
        &self,
        now: Now,
        key: &Key,
        wanted: Wanted,
        (total, other): (usize, usize),
    ) -> Result<Electorate, Refusal> {
        let Some(ring) = &self.ring else { return Err(Refusal::NoRing) };
        if self.membership.own().stopping || self.membership.is_superseded() {
            return Err(Refusal::Stopping);
        }
        if self.requests.in_flight() >= MAX_IN_FLIGHT {
            return Err(Refusal::Overloaded { limit: MAX_IN_FLIGHT });
        }
        let factor = ring.factor();
        let total = wanted.total.unwrap_or(total).max(wanted.primaries);
        if wanted.strict && total + other <= factor {
            return Err(Refusal::NotStrict { one: total, other, factor });
        }
        let primaries = if wanted.strict { total } else { wanted.primaries };
        let quorum = Quorum { total, primaries };
        let electorate = Electorate {
            quorum,
            voters: self.voters(now, key, wanted),
            of: factor,
            strict: wanted.strict,
        };
        electorate.check()?;
        Ok(electorate)
    }

    fn voters(&self, now: Now, key: &Key, wanted: Wanted) -> Vec<Voter> {
        let Some(ring) = &self.ring else { return Vec::new() };
        let partition = ring.partition_of(key);
        let primaries = ring.primaries(partition);
        let is_up = |node: &NodeId| self.membership.is_up(*node, now.instant);
        let up = primaries.iter().copied().filter(is_up);
        let mut voters: Vec<_> = up.map(|node| Voter { node, stands_for: None }).collect();
        if voters.len() < primaries.len() && !wanted.strict {
            let list = ring.preference_list(partition);
            let fallbacks = list.fallbacks().iter().copied().filter(is_up);
            let down = primaries.iter().copied().filter(|node| !is_up(node));
            let pairs = down.zip(fallbacks);
            voters.extend(pairs.map(|(owner, node)| Voter { node, stands_for: Some(owner) }));
        }
        voters
    }

    /// The next node that can stand in for a primary and has not been asked yet.
    pub(super) fn stand_in(
        &self,
        now: Now,
        key: &Key,
        vote: &Vote,
        primary: NodeId,
    ) -> Option<Voter> {
        let ring = self.ring.as_ref()?;
        let list = ring.preference_list(ring.partition_of(key));
        let free = |node: &NodeId| self.membership.is_up(*node, now.instant) && !vote.has(*node);
        let node = list.fallbacks().iter().copied().find(free)?;
        Some(Voter { node, stands_for: Some(primary) })
    }

    /// This node among the voters, in the place of one of them, when nobody else is left to
    /// coordinate a write. `None` if it has no place in the ring.
    pub(super) fn step_in(&self, electorate: &mut Electorate) -> Option<()> {
        let own = self.membership.own().node;
        let ring = self.ring.as_ref()?;
        ring.seats().binary_search_by_key(&own, |s| s.node).ok()?;
        let last = electorate.voters.last_mut()?;
        *last = Voter { node: own, stands_for: Some(last.stands_for.unwrap_or(last.node)) };
        electorate.check().ok()
    }
}
