//! Version vectors and versions.

use crate::{
    Malformed,
    id::{request_from_wire, request_to_wire},
    malformed::need,
    v1,
};
use dynamo_core::{
    id::Dot,
    time::Stamp,
    version::{PastRequest, Version, VersionVector, Versions},
};

pub(crate) fn clock_to_wire(clock: &VersionVector) -> Vec<v1::ClockEntry> {
    let entry =
        |(dot, stamp): (Dot, Stamp)| v1::ClockEntry { upto: Some(dot.into()), stamp: stamp.0 };
    clock.iter().map(entry).collect()
}

/// Entries must be sorted by actor, each actor once: what is equal is equal on the wire.
pub(crate) fn clock_from_wire(entries: Vec<v1::ClockEntry>) -> Result<VersionVector, Malformed> {
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

impl From<&VersionVector> for v1::Clock {
    fn from(clock: &VersionVector) -> Self {
        v1::Clock { entries: clock_to_wire(clock) }
    }
}

impl TryFrom<v1::Clock> for VersionVector {
    type Error = Malformed;
    fn try_from(clock: v1::Clock) -> Result<Self, Malformed> {
        clock_from_wire(clock.entries)
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
        let past = |p: &PastRequest| v1::PastRequest {
            request_id: request_to_wire(p.request),
            stamp: p.stamp.0,
        };
        v1::Versions {
            seen: clock_to_wire(versions.seen()),
            siblings: versions.siblings().iter().map(v1::Version::from).collect(),
            past: versions.past().iter().map(past).collect(),
        }
    }
}

impl TryFrom<v1::Versions> for Versions {
    type Error = Malformed;
    fn try_from(versions: v1::Versions) -> Result<Self, Malformed> {
        let past = |p: v1::PastRequest| -> Result<_, Malformed> {
            let request = request_from_wire(&p.request_id)?;
            Ok(PastRequest { request, stamp: Stamp(p.stamp) })
        };
        let seen = clock_from_wire(versions.seen)?;
        let siblings: Result<_, _> = versions.siblings.into_iter().map(Version::try_from).collect();
        let past: Result<_, _> = versions.past.into_iter().map(past).collect();
        Ok(Versions::from_parts(seen, siblings?, past?)?)
    }
}
