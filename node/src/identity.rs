//! Who a node is, from one start to the next. Pure: what is on disk and in the kernel
//! comes in, what is to be written before anything is sent goes out.
//!
//! - The cluster and the node id never change while the data directory lives.
//! - The generation grows with every start, so that peers tell a process from the one
//!   before it.
//! - The incarnation grows when the disk may have forgotten writes that others have
//!   seen: an actor never signs for what it may have lost.

use crate::config::Durability;
use dynamo_core::id::{Generation, Incarnation, NodeId};
use dynamo_proto::record::Identity;
use uuid::Uuid;

/// A data directory of another cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it belongs to node {node} of cluster {found}, not to cluster {wanted}: check --data-dir and \
     --cluster-id, or start with an empty directory, which makes a new node"
)]
pub(crate) struct OtherCluster {
    node: NodeId,
    found: Uuid,
    wanted: Uuid,
}

/// The identity of a node that has never been started.
pub(crate) fn fresh(cluster: Uuid, node: NodeId) -> Identity {
    Identity {
        cluster: cluster.into_bytes(),
        node,
        incarnation: Incarnation(1),
        generation: Generation(0),
        reserved: 0,
        boot_id: String::new(),
        clean: true,
    }
}

/// The identity for the next start, and whether it is a new incarnation.
///
/// `clean` is false exactly while there may be writes that a loss of power would take:
/// from start to clean stop under [`Durability::Os`], never under [`Durability::Sync`].
/// So what counts is how the directory was used, not how it will be.
pub(crate) fn next_start(
    last: Identity,
    cluster: Uuid,
    boot_id: &str,
    durability: Durability,
) -> Result<(Identity, bool), OtherCluster> {
    if last.cluster != cluster.into_bytes() {
        let found = Uuid::from_bytes(last.cluster);
        return Err(OtherCluster { node: last.node, found, wanted: cluster });
    }
    // An unknown boot id is taken for another one.
    let same_boot = !boot_id.is_empty() && last.boot_id == boot_id;
    let may_have_lost = !last.clean && !same_boot;
    let next = Identity {
        incarnation: Incarnation(last.incarnation.0 + u32::from(may_have_lost)),
        generation: Generation(last.generation.0 + 1),
        boot_id: boot_id.to_owned(),
        clean: durability == Durability::Sync,
        ..last
    };
    Ok((next, may_have_lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Durability::{Os, Sync};

    const CLUSTER: Uuid = Uuid::from_u128(1);

    fn started(last: &Identity, boot: &str, durability: Durability) -> Identity {
        next_start(last.clone(), CLUSTER, boot, durability).unwrap().0
    }

    #[test]
    fn every_start_is_a_new_generation_of_the_same_node() {
        let first = started(&fresh(CLUSTER, NodeId(7)), "boot", Sync);
        let second = started(&first, "boot", Sync);
        assert_eq!((first.generation, second.generation), (Generation(1), Generation(2)));
        assert_eq!((first.node, second.node), (NodeId(7), NodeId(7)));
    }

    #[test]
    fn what_may_have_lost_writes_takes_a_new_incarnation() {
        // (durability before, clean stop, boot after) -> a new incarnation
        for (durability, stopped, boot, new) in [
            (Os, false, "other", true),
            (Os, false, "", true),
            (Os, false, "boot", false),
            (Os, true, "other", false),
            (Sync, false, "other", false),
        ] {
            let mut last = started(&fresh(CLUSTER, NodeId(7)), "boot", durability);
            last.clean |= stopped;
            for durability in [Sync, Os] {
                let next = started(&last, boot, durability);
                assert_eq!(next.incarnation.0 > last.incarnation.0, new, "{last:?} {boot}");
            }
        }
    }

    #[test]
    fn another_cluster_is_refused_by_both_names() {
        let last = fresh(Uuid::from_u128(2), NodeId(7));
        let refused = next_start(last, CLUSTER, "boot", Sync).unwrap_err().to_string();
        for named in [Uuid::from_u128(2).to_string(), CLUSTER.to_string(), "empty".into()] {
            assert!(refused.contains(&named), "{refused}");
        }
    }
}
