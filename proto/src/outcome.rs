//! What became of a forwarded write.

use crate::{
    Malformed, count, uncount,
    v1::{self, refusal::Kind},
};
use dynamo_core::{
    id::NodeId,
    request::{Acks, Refusal, Written},
    version::Context,
};

impl From<Written> for v1::Written {
    fn from(written: Written) -> Self {
        v1::Written {
            context: written.context.as_ref().map(v1::Context::from),
            primaries: count(written.acks.primaries),
            fallbacks: count(written.acks.fallbacks),
            durable: count(written.acks.durable),
            coordinator: written.coordinator.0,
            siblings: count(written.siblings),
        }
    }
}

impl TryFrom<v1::Written> for Written {
    type Error = Malformed;
    fn try_from(written: v1::Written) -> Result<Self, Malformed> {
        Ok(Written {
            context: written.context.map(Context::try_from).transpose()?,
            siblings: uncount(written.siblings),
            acks: Acks {
                primaries: uncount(written.primaries),
                fallbacks: uncount(written.fallbacks),
                durable: uncount(written.durable),
            },
            coordinator: NodeId(written.coordinator),
        })
    }
}

impl From<Refusal> for v1::Refusal {
    fn from(refusal: Refusal) -> Self {
        let (kind, needed, had, of) = match refusal {
            Refusal::NoRing => (Kind::NoRing, 0, 0, 0),
            Refusal::QuorumTooLarge { asked, factor } => (Kind::QuorumTooLarge, asked, 0, factor),
            Refusal::Unavailable { needed, up, of } => (Kind::Unavailable, needed, up, of),
            Refusal::PrimariesUnavailable { needed, up, of } => {
                (Kind::PrimariesUnavailable, needed, up, of)
            }
            Refusal::NotStrict { one, other, factor } => (Kind::NotStrict, one, other, factor),
            Refusal::TooManySiblings { siblings, bytes } => {
                (Kind::TooManySiblings, 0, siblings, bytes)
            }
            Refusal::TimedOut { needed, had } => (Kind::TimedOut, needed, had, 0),
            Refusal::Indeterminate { needed, had } => (Kind::Indeterminate, needed, had, 0),
            Refusal::Overloaded { limit } => (Kind::Overloaded, 0, 0, limit),
            Refusal::Stopping => (Kind::Stopping, 0, 0, 0),
            Refusal::Storage => (Kind::Storage, 0, 0, 0),
            Refusal::NotAReplica => (Kind::NotAReplica, 0, 0, 0),
        };
        let (needed, had, of) = (count(needed), count(had), count(of));
        v1::Refusal { kind: kind.into(), needed, had, of }
    }
}

impl TryFrom<v1::Refusal> for Refusal {
    type Error = Malformed;
    fn try_from(refusal: v1::Refusal) -> Result<Self, Malformed> {
        let unknown = Malformed::Value("a refusal of a kind that this software does not know");
        let (needed, had) = (uncount(refusal.needed), uncount(refusal.had));
        let of = uncount(refusal.of);
        Ok(match Kind::try_from(refusal.kind).map_err(|_| unknown.clone())? {
            Kind::Unspecified => return Err(unknown),
            Kind::NoRing => Refusal::NoRing,
            Kind::QuorumTooLarge => Refusal::QuorumTooLarge { asked: needed, factor: of },
            Kind::Unavailable => Refusal::Unavailable { needed, up: had, of },
            Kind::PrimariesUnavailable => Refusal::PrimariesUnavailable { needed, up: had, of },
            Kind::NotStrict => Refusal::NotStrict { one: needed, other: had, factor: of },
            Kind::TooManySiblings => Refusal::TooManySiblings { siblings: had, bytes: of },
            Kind::TimedOut => Refusal::TimedOut { needed, had },
            Kind::Indeterminate => Refusal::Indeterminate { needed, had },
            Kind::Overloaded => Refusal::Overloaded { limit: of },
            Kind::Stopping => Refusal::Stopping,
            Kind::Storage => Refusal::Storage,
            Kind::NotAReplica => Refusal::NotAReplica,
        })
    }
}
