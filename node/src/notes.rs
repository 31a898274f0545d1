//! What the core notes, told to people and counted: the one place where that is done.

use crate::metrics::Metrics;
use dynamo_core::node::{Note, View};
use prometheus_client::metrics::counter::Counter;
use tracing::{debug, error, info, trace, warn};

/// Logs and counts.
pub(crate) fn take(note: &Note, metrics: &Metrics) {
    let repair = &metrics.repair;
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
        Note::Repaired { replicas } => {
            add(&repair.read_repairs, replicas);
            debug!(replicas, "a read found replicas that lack something, and sends it to them");
        }
        Note::Truncated { entries } => {
            add(&repair.truncated, entries);
            debug!(entries, "a version vector had too many entries: dropped the oldest");
        }
        Note::Hinted(owner) => {
            repair.hints_stored.inc();
            trace!(%owner, "keeps a write for another node");
        }
        Note::HandedOff { owner, delivered } => {
            add(&repair.hints_delivered, delivered);
            match delivered {
                0 => debug!(%owner, "nothing is kept for a node any more"),
                keys => info!(%owner, keys, "a node has taken all that was kept for it"),
            }
        }
        Note::Compared { peer, counts } => {
            repair.comparisons.inc();
            repair.keys_differed.inc_by(counts.differ);
            match counts.differ {
                0 => trace!(%peer, ?counts, "holds the same as another node"),
                // In a cluster that is written to, some always do.
                keys => debug!(%peer, keys, "brings keys to the same state as another node"),
            }
        }
        // The store tells people, now and then: a bad disk must not fill the log.
        Note::Damaged { leaves } => add(&repair.damaged, leaves),
        Note::Reaped { keys } => {
            add(&repair.reaped, keys);
            debug!(keys, "forgot deleted keys");
        }
        Note::Finished { kind, ok, took } => {
            metrics.finished(kind, ok);
            trace!(?kind, ok, ?took, "a request has ended");
        }
    }
}

fn add(counter: &Counter, n: usize) {
    counter.inc_by(u64::try_from(n).unwrap_or(u64::MAX));
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
