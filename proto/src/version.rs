//! Version vectors and versions.

use crate::{
    Malformed,
    id::{request_from_wire, request_to_wire},
    malformed::need,
    v1,
};
use dynamo_core::{
    id::{Dot, NodeId},
    time::Stamp,
    version::{Context, PastRequest, Version, VersionVector, Versions},
};

fn clock_to_wire(clock: &VersionVector) -> Vec<v1::ClockEntry> {
    let entry =
        |(dot, stamp): (Dot, Stamp)| v1::ClockEntry { upto: Some(dot.into()), stamp: stamp.0 };
    clock.iter().map(entry).collect()
}

/// Entries must be sorted by actor, each actor once: what is equal is equal on the wire.
fn clock_from_wire(entries: Vec<v1::ClockEntry>) -> Result<VersionVector, Malformed> {
    let mut clock = VersionVector::default();
    let mut last = None;
    for entry in entries {
        let dot = Dot::try_from(need(entry.upto, "the dot of a clock entry")?)?;
        if last >= Some(dot.actor) {
            return Err(Malformed::Value("the actors of a clock are not in ascending order"));
        }
        last = Some(dot.actor);
        clock.see(dot, Stamp(entry.stamp));
    }
    Ok(clock)
}

fn past_to_wire(past: &[PastRequest]) -> Vec<v1::PastRequest> {
    let wire = |p: &PastRequest| v1::PastRequest {
        request_id: request_to_wire(p.request),
        stamp: p.stamp.0,
    };
    past.iter().map(wire).collect()
}

fn past_from_wire(past: Vec<v1::PastRequest>) -> Result<Vec<PastRequest>, Malformed> {
    let core = |p: v1::PastRequest| {
        let request = request_from_wire(&p.request_id)?;
        Ok(PastRequest { request, stamp: Stamp(p.stamp) })
    };
    past.into_iter().map(core).collect()
}

impl From<&Context> for v1::Context {
    fn from(context: &Context) -> Self {
        v1::Context {
            seen: clock_to_wire(context.seen()),
            past: past_to_wire(context.past()),
            fastest: context.fastest().map(|n| n.0),
        }
    }
}

impl TryFrom<v1::Context> for Context {
    type Error = Malformed;
    fn try_from(context: v1::Context) -> Result<Self, Malformed> {
        let (seen, past) = (clock_from_wire(context.seen)?, past_from_wire(context.past)?);
        Ok(Context::from_parts(seen, past, context.fastest.map(NodeId))?)
    }
}

impl From<&Version> for v1::Version {
    fn from(version: &Version) -> Self {
        v1::Version {
            dot: Some(version.dot.into()),
            request_id: request_to_wire(version.request),
            stamp: version.stamp.0,
            value: version.value.clone(),
        }
    }
}

impl TryFrom<v1::Version> for Version {
    type Error = Malformed;
    fn try_from(version: v1::Version) -> Result<Self, Malformed> {
        Ok(Version {
            dot: need(version.dot, "the dot of a version")?.try_into()?,
            request: request_from_wire(&version.request_id)?,
            stamp: Stamp(version.stamp),
            value: version.value,
        })
    }
}

impl From<&Versions> for v1::Versions {
    fn from(versions: &Versions) -> Self {
        v1::Versions {
            seen: clock_to_wire(versions.seen()),
            siblings: versions.siblings().iter().map(v1::Version::from).collect(),
            past: past_to_wire(versions.past()),
        }
    }
}

impl TryFrom<v1::Versions> for Versions {
    type Error = Malformed;
    fn try_from(versions: v1::Versions) -> Result<Self, Malformed> {
        let seen = clock_from_wire(versions.seen)?;
        let siblings: Result<_, _> = versions.siblings.into_iter().map(Version::try_from).collect();
        Ok(Versions::from_parts(seen, siblings?, past_from_wire(versions.past)?)?)
    }
}
