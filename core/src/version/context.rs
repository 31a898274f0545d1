//! Contexts (paper, section 4.4): what a client has seen of a key, for its next write.

use super::{Inconsistent, PAST_REQUESTS, PastRequest, Version, VersionVector, Versions};
use crate::id::NodeId;

/// All that a reader was shown, values left out: to its next write all of that is past.
///
/// Beside the vector it names the requests: the coordinator of that write may never have
/// met them, and a late retry of one of them may come to it next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    seen: VersionVector,
    past: Vec<PastRequest>,
    fastest: Option<NodeId>,
}

impl Context {
    /// Puts parts from the wire together, checking them.
    pub fn from_parts(
        seen: VersionVector,
        past: Vec<PastRequest>,
        fastest: Option<NodeId>,
    ) -> Result<Self, Inconsistent> {
        match past.len() <= PAST_REQUESTS {
            true => Ok(Context { seen, past, fastest }),
            false => Err(Inconsistent("few past requests are kept")),
        }
    }

    /// Which writes were seen.
    pub fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// The requests of the latest of them.
    pub fn past(&self) -> &[PastRequest] {
        &self.past
    }

    /// The node that answered the read fastest. It coordinates the next write, if that
    /// has to be forwarded at all: who reads his writes finds them there first (paper,
    /// section 5).
    pub fn fastest(&self) -> Option<NodeId> {
        self.fastest
    }

    /// Names the node that answered first.
    pub(crate) fn answered_by(mut self, fastest: Option<NodeId>) -> Self {
        self.fastest = fastest;
        self
    }

    /// True for who has seen nothing.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.past.is_empty()
    }

    /// Whether who writes under it has seen `version`, perhaps under another dot.
    pub(super) fn overwrites(&self, version: &Version) -> bool {
        self.seen.covers(version.dot) || self.past.iter().any(|p| p.request == version.request)
    }
}

impl Versions {
    /// What is seen by who reads all this.
    pub fn context(&self) -> Context {
        let mut read = self.clone();
        let siblings = std::mem::take(&mut read.siblings);
        // They will be overwritten later than anything was that is known of here.
        let stamps = siblings.iter().map(|v| v.stamp).chain(self.past.iter().map(|p| p.stamp));
        let newest = stamps.max().unwrap_or_default();
        read.remember(siblings, newest);
        Context { seen: read.seen, past: read.past, fastest: None }
    }
}
