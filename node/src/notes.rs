//! What the core notes, told to people and counted: the one place where that is done.

use crate::metrics::Metrics;
use dynamo_core::node::{Note, View};
use tracing::{debug, error, info, trace, warn};

/// Logs and counts.
pub(crate) fn take(note: &Note, metrics: &Metrics) {
    match *note {
        Note::Met(node) => info!(%node, "met a member"),
        Note::Lost(node) => warn!(%node, "cannot reach a member"),
        Note::Found(node) => info!(%node, "can reach a member again"),
        Note::RingAdopted { epoch } => info!(epoch, "took the ring over"),
        Note::Superseded => error!(
            "a later process of this node was heard of: its data directory is a copy, or was \
             put back to an older state; start with an empty one"
        ),
        Note::Stale(node) => {
            metrics.stale_messages.inc();
            debug!(%node, "dropped a message of a former process or a stranger");
        }
        Note::Finished { kind, ok, took } => {
            metrics.finished(kind, ok);
            trace!(?kind, ok, ?took, "a request has ended");
        }
    }
}

/// Says when reads and writes need not meet. For every ring that is taken over, and for
/// the one at the start.
pub(crate) fn quorums(view: &View) {
    let (r, w) = (view.read_quorum, view.write_quorum);
    match view.ring.as_ref().map(|ring| ring.factor()) {
        Some(n) if r > n || w > n => {
            warn!(r, w, n, "a quorum is larger than N: requests that do not say will be refused");
        }
        Some(n) if r + w <= n => {
            warn!(r, w, n, "R+W is not more than N: a read need not see the last write");
        }
        _ => {}
    }
}
