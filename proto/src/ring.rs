//! The ring.

use crate::{
    Malformed, count,
    malformed::{at_most, sixteen},
    uncount, v1,
};
use bytes::Bytes;
use dynamo_core::{
    id::NodeId,
    ring::{MAX_MEMBERS, MAX_PARTITIONS, Plan, Ring, Seal, Seat},
};

impl From<&Ring> for v1::Ring {
    fn from(ring: &Ring) -> Self {
        let seat =
            |s: &Seat| v1::RingSeat { node: s.node.0, zone: s.zone.clone(), weight: s.weight };
        v1::Ring {
            epoch: ring.epoch(),
            operation_id: ring.operation().to_owned(),
            factor: count(ring.factor()),
            seats: ring.seats().iter().map(seat).collect(),
            owners: ring.owners().iter().copied().map(u32::from).collect(),
            seal: Bytes::copy_from_slice(&ring.seal().0),
        }
    }
}

impl TryFrom<v1::Ring> for Ring {
    type Error = Malformed;
    fn try_from(ring: v1::Ring) -> Result<Self, Malformed> {
        at_most("a ring's list of members", ring.seats.len(), MAX_MEMBERS)?;
        at_most("a ring's list of owners", ring.owners.len(), MAX_PARTITIONS)?;
        let seal = Seal(sixteen("the seal of a ring", &ring.seal)?);
        let owner = |&o: &u32| u16::try_from(o);
        let owners: Result<Vec<_>, _> = ring.owners.iter().map(owner).collect();
        let owners = owners.map_err(|_| Malformed::Value("an owner that is no member"))?;
        let seat = |s: v1::RingSeat| Seat { node: NodeId(s.node), zone: s.zone, weight: s.weight };
        let plan = Plan {
            operation: ring.operation_id,
            partitions: owners.len(),
            factor: uncount(ring.factor),
            seats: ring.seats.into_iter().map(seat).collect(),
        };
        Ok(Ring::from_parts(ring.epoch, plan, owners, seal)?)
    }
}
