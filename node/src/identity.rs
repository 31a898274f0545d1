//! Who a node is, from one start to the next. Pure: what is on disk and in the kernel
//! comes in, what is to be written before anything is sent goes out.
//!
//! - The cluster and the node id never change while the data directory lives.
//! - The generation grows with every start, so that peers tell a process from the one
//!   before it.
//! - The incarnation grows when the disk may have forgotten writes that others have
//!   seen: an actor never signs for what it may have lost.
//!
//! The identity is a file beside the store, so that it outlives a damaged one. The store
//! has a copy, as of its last change: there the reserved counter is the one that counts,
//! and it says whose the store is.

use crate::config::Durability;
use dynamo_core::id::{Generation, Incarnation, NodeId};
use dynamo_proto::record::Identity;
use uuid::Uuid;

/// A data directory, or what is in it, that is not this node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotItsOwn {
    /// It is another cluster's.
    #[error(
        "it belongs to node {node} of cluster {found}, not to cluster {wanted}: check --data-dir \
         and --cluster-id, or start with an empty directory, which makes a new node"
    )]
    Cluster {
        /// Its node.
        node: NodeId,
        /// Its cluster.
        found: Uuid,
        /// This node's.
        wanted: Uuid,
    },
    /// The identity is of one node and the store of another.
    #[error(
        "its identity file is node {identity}'s and its store node {store}'s: put back what \
         belongs together, or start with an empty directory, which makes a new node"
    )]
    Store {
        /// Whose the identity is.
        identity: NodeId,
        /// Whose the store is.
        store: NodeId,
    },
    /// The identity is a copy that was made before the store was used last.
    #[error(
        "its identity file is older than its store: put back the one that belongs to it, or start \
         with an empty directory, which makes a new node"
    )]
    OldIdentity,
}

/// What a node may have lost of what it had stored before it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing.
    Nothing,
    /// What was not synced when the machine lost power.
    Unsynced,
    /// Everything.
    Store,
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

/// Refuses the identity of another cluster's node.
pub(crate) fn check_cluster(last: &Identity, wanted: Uuid) -> Result<(), NotItsOwn> {
    let found = Uuid::from_bytes(last.cluster);
    match found == wanted {
        true => Ok(()),
        false => Err(NotItsOwn::Cluster { node: last.node, found, wanted }),
    }
}

/// Refuses a store, by the copy in it, that does not belong to the identity.
pub(crate) fn check_store(last: &Identity, in_store: &Identity) -> Result<(), NotItsOwn> {
    if (last.cluster, last.node) != (in_store.cluster, in_store.node) {
        return Err(NotItsOwn::Store { identity: last.node, store: in_store.node });
    }
    // Going on from it would use generations again, and perhaps dots.
    if (last.incarnation, last.generation) < (in_store.incarnation, in_store.generation) {
        return Err(NotItsOwn::OldIdentity);
    }
    Ok(())
}

/// The identity for the next start, and what was lost before it. With `has_store` there is
/// a store that opens.
///
/// `clean` is false exactly while there may be writes that a loss of power would take:
/// from start to clean stop under [`Durability::Os`], never under [`Durability::Sync`].
/// So what counts is how the directory was used, not how it will be.
pub(crate) fn next_start(
    last: Identity,
    boot_id: &str,
    durability: Durability,
    has_store: bool,
) -> (Identity, Loss) {
    // An unknown boot id is taken for another one.
    let same_boot = !boot_id.is_empty() && last.boot_id == boot_id;
    let loss = match has_store {
        // Before its first start a node has nothing to lose.
        false if last.generation > Generation(0) => Loss::Store,
        true if !last.clean && !same_boot => Loss::Unsynced,
        _ => Loss::Nothing,
    };
    let next = Identity {
        incarnation: Incarnation(last.incarnation.0 + u32::from(loss != Loss::Nothing)),
        generation: Generation(last.generation.0 + 1),
        // An incarnation counts for itself: a new one may begin at 0.
        reserved: if has_store { last.reserved } else { 0 },
        boot_id: boot_id.to_owned(),
        clean: durability == Durability::Sync,
        ..last
    };
    (next, loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Durability::{Os, Sync};

    const CLUSTER: Uuid = Uuid::from_u128(1);

    fn started(last: &Identity, boot: &str, durability: Durability) -> Identity {
        next_start(last.clone(), boot, durability, true).0
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
    fn a_lost_store_makes_a_new_incarnation_of_the_same_node() {
        let (first, loss) = next_start(fresh(CLUSTER, NodeId(7)), "boot", Sync, false);
        assert_eq!((first.incarnation, loss), (Incarnation(1), Loss::Nothing), "it had none");
        let (next, loss) = next_start(Identity { reserved: 9, ..first }, "boot", Sync, false);
        assert_eq!((next.incarnation, loss), (Incarnation(2), Loss::Store));
        assert_eq!((next.node, next.generation, next.reserved), (NodeId(7), Generation(2), 0));
    }

    #[test]
    fn another_cluster_is_refused_by_both_names() {
        let last = fresh(Uuid::from_u128(2), NodeId(7));
        let refused = check_cluster(&last, CLUSTER).unwrap_err().to_string();
        for named in [Uuid::from_u128(2).to_string(), CLUSTER.to_string(), "empty".into()] {
            assert!(refused.contains(&named), "{refused}");
        }
        assert_eq!(check_cluster(&last, Uuid::from_u128(2)), Ok(()));
    }

    #[test]
    fn an_identity_and_a_store_that_do_not_belong_together_are_refused() {
        let first = started(&fresh(CLUSTER, NodeId(7)), "boot", Sync);
        let second = started(&first, "boot", Sync);
        assert_eq!(check_store(&second, &second), Ok(()));
        assert_eq!(check_store(&second, &first), Ok(()), "its counter has not moved since");
        assert_eq!(check_store(&first, &second), Err(NotItsOwn::OldIdentity));
        let other = Identity { node: NodeId(8), ..first.clone() };
        let (identity, store) = (NodeId(7), NodeId(8));
        assert_eq!(check_store(&first, &other), Err(NotItsOwn::Store { identity, store }));
    }
}
