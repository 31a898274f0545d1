//! What operators order: to lay the ring, to meet further seeds, to prepare to end.

use super::{Effect, Node, Token};
use crate::{
    id::NodeId,
    ring::{BadRing, Plan, Ring, Seal},
    time::Now,
};
use std::sync::Arc;

/// An order of an operator. All of them are idempotent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Lay the first ring, over members that are all up. When there is one of the same
    /// operation id, nothing is done and the rest of the order is ignored.
    Bootstrap {
        /// Its name, size and members.
        plan: Plan,
        /// Fresh and random: what contexts will be sealed with.
        seal: Seal,
    },
    /// Gossip with these addresses too.
    Join {
        /// Peer addresses.
        seeds: Vec<String>,
    },
    /// Tell everybody that this node is about to end, and take no further requests.
    Stop,
}

/// Why an order was not followed. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// What was asked for is no ring.
    #[error(transparent)]
    BadRing(#[from] BadRing),
    /// There is a ring, laid by another operation.
    #[error(
        "the ring was laid already, by operation {operation:?} (epoch {epoch}); a cluster is \
         bootstrapped once"
    )]
    RingExists {
        /// Which.
        operation: String,
        /// What came of it.
        epoch: u64,
    },
    /// There is a ring, but this node does not have it: its disk is empty, perhaps because
    /// it was lost.
    #[error("node {0} has a ring already, and this one will hear of it: try again")]
    RingElsewhere(NodeId),
    /// A member to be is not there.
    #[error("node {0} is not known here or cannot be reached; all members must be up")]
    NotUp(NodeId),
}

impl Node {
    pub(super) fn order(&mut self, now: Now, token: Token, order: Order, out: &mut Vec<Effect>) {
        let result = match order {
            Order::Bootstrap { plan, seal } => self.bootstrap(now, plan, seal, out),
            Order::Join { seeds } => {
                self.membership.add_seeds(seeds);
                self.gossip_round(now, out);
                Ok(self.ring_epoch())
            }
            Order::Stop => {
                self.membership.stop();
                self.tell_all(now, out);
                Ok(self.ring_epoch())
            }
        };
        out.push(Effect::Obeyed(token, result));
    }

    fn bootstrap(
        &mut self,
        now: Now,
        plan: Plan,
        seal: Seal,
        out: &mut Vec<Effect>,
    ) -> Result<u64, OrderRefused> {
        if let Some(ring) = &self.ring {
            let (operation, epoch) = (ring.operation().to_owned(), ring.epoch());
            return match plan.operation == operation {
                true => Ok(epoch),
                false => Err(OrderRefused::RingExists { operation, epoch }),
            };
        }
        if let Some(other) = self.membership.others().find(|m| m.ring_epoch > 0) {
            return Err(OrderRefused::RingElsewhere(other.node));
        }
        for seat in &plan.seats {
            if !self.membership.is_up(seat.node, now.instant) {
                return Err(OrderRefused::NotUp(seat.node));
            }
        }
        self.adopt(Arc::new(Ring::first(plan, seal)?), out);
        self.tell_all(now, out);
        Ok(self.ring_epoch())
    }
}
