//! What a person reads in the status, and which events follow.

use super::*;
use crate::{
    api::NodeState,
    events::{between, condition},
    testing::{self, cluster, cluster_of, laid, now, running},
};
use dynamo_core::id::NodeId;
use k8s_openapi::jiff::SignedDuration;

fn status(cluster: &ValidatedCluster, seen: &Observed) -> DynamoClusterStatus {
    after(cluster, seen, &DynamoClusterStatus::default())
}

fn after(
    cluster: &ValidatedCluster,
    seen: &Observed,
    old: &DynamoClusterStatus,
) -> DynamoClusterStatus {
    compute(cluster, seen, old, &Outcome::default())
}

/// "Status Reason" of a condition.
fn says(status: &DynamoClusterStatus, kind: ConditionType) -> String {
    let c = condition(status, kind).unwrap();
    format!("{} {}", c.status, c.reason)
}

fn message(status: &DynamoClusterStatus, kind: ConditionType) -> &str {
    &condition(status, kind).unwrap().message
}

fn reasons(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Vec<&'static str> {
    between(old, new).into_iter().map(|f| f.reason).collect()
}

#[test]
fn a_healthy_cluster_says_so_and_never_changes_by_itself() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let first = status(&cluster, &seen);
    assert_eq!(says(&first, ConditionType::Ready), "True AllNodesReady");
    assert_eq!(says(&first, ConditionType::Available), "True QuorumLive");
    assert_eq!(says(&first, ConditionType::Progressing), "False Stable");
    assert_eq!(says(&first, ConditionType::Degraded), "False AsExpected");
    assert_eq!(says(&first, ConditionType::RingConverged), "True AllAgree");
    assert_eq!(says(&first, ConditionType::ScaleDownBlocked), "False NotAsked");
    assert_eq!(says(&first, ConditionType::StrictQuorum), "True QuorumsOverlap");
    assert_eq!(says(&first, ConditionType::ReconciliationPaused), "False Running");
    assert_eq!((first.replicas, first.ready_replicas, first.updated_replicas), (3, 3, 3));
    assert_eq!(first.quorum.as_deref(), Some("3/2/2"));
    assert_eq!(first.current_version.as_deref(), Some("dynamokv/node:1"));
    let shown = serde_json::to_value(&first.nodes[2]).unwrap();
    let wanted = serde_json::json!({
        "podName": "cart-dynamo-2", "nodeId": "0000000000000003", "state": "Normal",
        "zone": "z2", "partitions": shown["partitions"], "pendingHints": 0, "version": "0.1.0",
    });
    assert_eq!(shown, wanted);
    assert_eq!(first.nodes.iter().map(|n| n.partitions).sum::<i32>(), 8);

    seen.now += SignedDuration::from_hours(1);
    assert_eq!(after(&cluster, &seen, &first), first);
}

#[test]
fn before_the_ring_it_says_what_is_waited_for() {
    let cluster = cluster();
    let mut seen = running(&cluster, 3, 0);
    seen.pods.get_mut(&1).unwrap().node = None;
    let status = status(&cluster, &seen);
    assert_eq!(says(&status, ConditionType::Ready), "False NoRing");
    assert_eq!(says(&status, ConditionType::Available), "False NoRing");
    assert_eq!(says(&status, ConditionType::Progressing), "True WaitingForNodes");
    let waiting = message(&status, ConditionType::Progressing);
    assert_eq!(waiting, "pod cart-dynamo-1 does not answer yet");
    let states: Vec<_> = status.nodes.iter().map(|n| n.state).collect();
    let (waiting, silent) = (NodeState::WaitingForRing, NodeState::Unreachable);
    assert_eq!(states, [waiting, silent, waiting]);
}

#[test]
fn the_epoch_of_a_ring_is_never_taken_back() {
    let cluster = cluster();
    let before = status(&cluster, &running(&cluster, 3, 0));
    let mut seen = running(&cluster, 3, 1);
    let there = after(&cluster, &seen, &before);
    assert_eq!(there.ring.as_ref().unwrap().epoch, 1);
    assert_eq!(there.ring.as_ref().unwrap().partitions, 8);
    assert_eq!(reasons(&before, &there), Vec::<&str>::new());
    seen.ring = None;
    let gone = after(&cluster, &seen, &there);
    assert_eq!(gone.ring, there.ring);
    assert_eq!(reasons(&there, &gone), ["QuorumLost"]);
}

#[test]
fn one_node_down_is_degraded_and_two_are_unavailable() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let healthy = status(&cluster, &seen);
    let kill = |seen: &mut Observed, ordinal| {
        let pod = seen.pods.get_mut(&ordinal).unwrap();
        (pod.node, pod.ready_since) = (None, None);
    };
    kill(&mut seen, 2);
    let one = after(&cluster, &seen, &healthy);
    assert_eq!(says(&one, ConditionType::Available), "True QuorumLive");
    assert_eq!(says(&one, ConditionType::Ready), "False NodesNotReady");
    assert_eq!(message(&one, ConditionType::Degraded), "not ready: cart-dynamo-2 (Unreachable)");
    assert_eq!(one.nodes[2].node_id, healthy.nodes[2].node_id);
    assert_eq!(reasons(&healthy, &one), Vec::<&str>::new());

    kill(&mut seen, 1);
    let two = after(&cluster, &seen, &one);
    assert_eq!(says(&two, ConditionType::Available), "False QuorumLost");
    assert_eq!(
        message(&two, ConditionType::Available),
        "8 of 8 partitions have fewer than 2 live replicas; down: cart-dynamo-1 (Unreachable), \
         cart-dynamo-2 (Unreachable)"
    );
    assert_eq!(reasons(&one, &two), ["QuorumLost"]);
    assert_eq!(reasons(&two, &healthy), ["QuorumRestored"]);
}

#[test]
fn a_seat_whose_node_is_gone_is_not_hidden_by_the_node_in_its_place() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let healthy = status(&cluster, &seen);
    // The pod came back on an empty volume: a new node, which holds the ring and is ready.
    let pod = seen.pods.get_mut(&2).unwrap();
    pod.node.as_mut().unwrap().id = NodeId(99);
    let lost = after(&cluster, &seen, &healthy);
    assert_eq!(lost.nodes[2].state, NodeState::Joined);
    assert_eq!(says(&lost, ConditionType::Ready), "False SeatsVacant");
    assert_eq!(says(&lost, ConditionType::Degraded), "True SeatsVacant");
    let said = "1 of 3 nodes of the ring are in no pod (0000000000000003): its volume is lost or \
                away, and its copies with it";
    assert_eq!(message(&lost, ConditionType::Ready), said);
    assert_eq!(says(&lost, ConditionType::Available), "True QuorumLive");
    assert_eq!(after(&cluster, &seen, &lost), lost);

    // With another pod away as well, both are told.
    seen.pods.get_mut(&0).unwrap().ready_since = None;
    let both = after(&cluster, &seen, &lost);
    let said = message(&both, ConditionType::Ready);
    assert!(said.contains("0000000000000003") && said.contains("cart-dynamo-0"), "{said}");
}

#[test]
fn a_pod_that_has_never_said_who_it_is_is_not_called_lost() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    seen.pods.get_mut(&1).unwrap().node = None;
    let status = status(&cluster, &seen);
    assert_eq!(says(&status, ConditionType::Ready), "False SeatsVacant");
    let said = message(&status, ConditionType::Ready);
    assert!(said.ends_with("cart-dynamo-1 did not say yet who they are"), "{said}");
}

#[test]
fn hints_are_shown_by_node_and_not_made_up() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let node = |seen: &mut Observed, ordinal| seen.pods.get_mut(&ordinal).unwrap().node.take();
    let mut keeps = node(&mut seen, 0).unwrap();
    keeps.pending_hints = 12;
    seen.pods.get_mut(&0).unwrap().node = Some(keeps);
    node(&mut seen, 1);
    let shown: Vec<_> = status(&cluster, &seen).nodes.iter().map(|n| n.pending_hints).collect();
    assert_eq!(shown, [Some(12), None, Some(0)]);
}

#[test]
fn an_operator_that_cannot_reach_the_nodes_does_not_cry_wolf() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let healthy = status(&cluster, &seen);
    for ordinal in [1, 2] {
        seen.pods.get_mut(&ordinal).unwrap().node = None;
    }
    let silent = after(&cluster, &seen, &healthy);
    assert_eq!(says(&silent, ConditionType::Available), "True QuorumLive");
    assert_eq!(says(&silent, ConditionType::RingConverged), "False NodesSilent");
}

#[test]
fn nodes_that_join_wait_for_partitions_and_the_ring_stays_ready() {
    let three = laid(cluster());
    let before = status(&three, &running(&three, 3, 1));
    let five = ValidatedCluster { replicas: 5, ..three };
    let mut seen = running(&five, 5, 1);
    seen.ring = Some(testing::ring(3));
    let joined = after(&five, &seen, &before);
    assert_eq!(says(&joined, ConditionType::Progressing), "True RebalancePending");
    assert_eq!(
        message(&joined, ConditionType::Progressing),
        "cart-dynamo-3, cart-dynamo-4 joined and forward requests, but own no partitions: a \
         later version of the operator will move some to them"
    );
    assert_eq!(says(&joined, ConditionType::Ready), "True AllNodesReady");
    assert_eq!(says(&joined, ConditionType::Available), "True QuorumLive");
    assert_eq!(says(&joined, ConditionType::RingConverged), "True AllAgree");
    assert_eq!(joined.nodes[4].state, NodeState::Joined);
    assert_eq!(reasons(&before, &joined), ["NodeJoined", "NodeJoined"]);
    assert_eq!(reasons(&joined, &joined), Vec::<&str>::new());

    seen.pods.remove(&4);
    let waiting = after(&five, &seen, &before);
    assert_eq!(message(&waiting, ConditionType::Progressing), "waiting for cart-dynamo-4 to join");
}

#[test]
fn a_blocked_scale_down_says_what_to_do_and_is_told_once() {
    let three = laid(cluster());
    let seen = running(&three, 5, 1);
    let five = ValidatedCluster { replicas: 5, ..three.clone() };
    let before = status(&five, &seen);
    let blocked = after(&three, &seen, &before);
    assert_eq!(says(&blocked, ConditionType::ScaleDownBlocked), "True PartitionsCannotMove");
    assert_eq!(
        message(&blocked, ConditionType::ScaleDownBlocked),
        "3 nodes are asked for, 5 are kept: partitions of a leaving node cannot be moved to \
         others yet, so it would take its copies away; set replicas back to 5"
    );
    assert_eq!(blocked.nodes.len(), 5);
    assert_eq!(reasons(&before, &blocked), ["ScaleDownBlocked"]);
    assert_eq!(reasons(&blocked, &after(&three, &seen, &blocked)), Vec::<&str>::new());
    assert_eq!(
        says(&after(&five, &seen, &blocked), ConditionType::ScaleDownBlocked),
        "False NotAsked"
    );
}

#[test]
fn a_roll_begins_and_ends_once() {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let stable = status(&cluster, &seen);

    seen.workload.as_mut().unwrap().revision = "b".into();
    let begun = after(&cluster, &seen, &stable);
    assert_eq!(begun.updated_replicas, 0);
    assert_eq!(says(&begun, ConditionType::Progressing), "True RollingUpdate");
    assert_eq!(reasons(&stable, &begun), ["RolloutStarted"]);

    let refused = Some(("cart-dynamo-2".into(), "the budget allows none".into()));
    let outcome = Outcome { steps: 1, refused };
    let stuck = compute(&cluster, &seen, &begun, &outcome);
    assert_eq!(
        message(&stuck, ConditionType::Progressing),
        "pod cart-dynamo-2 may not be evicted now: the budget allows none"
    );
    assert_eq!(reasons(&begun, &stuck), ["EvictionRefused"]);
    assert_eq!(reasons(&stuck, &compute(&cluster, &seen, &stuck, &outcome)), Vec::<&str>::new());

    // The last pod has been sent away and is not back: not the end yet.
    for pod in seen.pods.values_mut() {
        pod.revision = "b".into();
    }
    let last = seen.pods.remove(&0).unwrap();
    let almost = after(&cluster, &seen, &stuck);
    assert_eq!(says(&almost, ConditionType::Progressing), "True RollingUpdate");
    seen.pods.insert(0, last);
    let done = after(&cluster, &seen, &almost);
    assert_eq!(says(&done, ConditionType::Progressing), "False Stable");
    assert_eq!(reasons(&almost, &done), ["RolloutCompleted"]);
}

#[test]
fn the_version_is_the_new_one_when_all_pods_run_it() {
    let mut cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    let stable = status(&cluster, &seen);
    cluster.image = "dynamokv/node:2".into();
    let asked = after(&cluster, &seen, &stable);
    assert_eq!(asked.target_version.as_deref(), Some("dynamokv/node:2"));
    assert_eq!(asked.current_version.as_deref(), Some("dynamokv/node:1"));
    let workload = seen.workload.as_mut().unwrap();
    (workload.image, workload.revision) = (cluster.image.clone(), "b".into());
    let rolling = after(&cluster, &seen, &asked);
    assert_eq!(rolling.current_version.as_deref(), Some("dynamokv/node:1"));
    for pod in seen.pods.values_mut() {
        pod.revision = "b".into();
    }
    let done = after(&cluster, &seen, &rolling);
    assert_eq!(done.current_version.as_deref(), Some("dynamokv/node:2"));
}

#[test]
fn quorums_that_do_not_overlap_are_said() {
    let loose = "spec: {replicas: 3, storage: {size: 1Gi}, \
                 replication: {readQuorum: 1, writeQuorum: 1}}";
    let cluster = laid(cluster_of(loose));
    let status = status(&cluster, &running(&cluster, 3, 1));
    assert_eq!(says(&status, ConditionType::StrictQuorum), "False QuorumsDoNotOverlap");
    assert_eq!(status.quorum.as_deref(), Some("3/1/1"));
}

#[test]
fn what_just_changed_is_never_called_stable() {
    let cluster = laid(cluster());
    let seen = running(&cluster, 3, 1);
    let outcome = Outcome { steps: 1, refused: None };
    let new = compute(&cluster, &seen, &DynamoClusterStatus::default(), &outcome);
    assert_eq!(says(&new, ConditionType::Progressing), "True Applying");
    let mut seen = seen;
    seen.workload.as_mut().unwrap().current = false;
    assert_eq!(says(&status(&cluster, &seen), ConditionType::Progressing), "True Applying");
}

#[test]
fn trouble_is_named() {
    let cluster = laid(cluster());
    let says_degraded = |seen: &Observed| {
        let status = status(&cluster, seen);
        (
            says(&status, ConditionType::Degraded),
            message(&status, ConditionType::Degraded).to_owned(),
        )
    };
    let mut seen = running(&cluster, 3, 1);
    seen.pods.get_mut(&0).unwrap().node.as_mut().unwrap().cluster = "other".into();
    assert_eq!(says_degraded(&seen).0, "True WrongCluster");

    let seen = Observed { ring: None, ..running(&cluster, 3, 0) };
    assert_eq!(says_degraded(&seen).0, "True RingNotFound");

    let mut seen = running(&cluster, 3, 1);
    let pod = seen.pods.get_mut(&1).unwrap();
    (pod.node, pod.ready_since, pod.trouble) = (None, None, Some("CrashLoopBackOff".into()));
    let (status, message) = says_degraded(&seen);
    assert_eq!(status, "True PodFailing");
    assert_eq!(message, "pod cart-dynamo-1: CrashLoopBackOff");
}

#[test]
fn a_specification_that_cannot_be_read_is_said_and_the_rest_is_kept() {
    let cluster = laid(cluster());
    let old = status(&cluster, &running(&cluster, 3, 1));
    let new = invalid(&Invalid::Partitions(100), 8, &old, now());
    assert_eq!(says(&new, ConditionType::Degraded), "True InvalidSpec");
    assert_eq!(new.nodes, old.nodes);
    assert_eq!(new.conditions.len(), old.conditions.len());
}
