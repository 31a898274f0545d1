//! What the operator does on each trigger, as lists of steps.

use super::*;
use crate::{
    api::RING_ID,
    build,
    object::Kind,
    observed::Volume,
    testing::{self, UID, apply, cluster, cluster_of, laid, node, pod, running},
};
use dynamo_proto::v1::RingMember;
use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

fn steps(cluster: &ValidatedCluster, seen: &Observed) -> Vec<Step> {
    plan(cluster, seen, None)
}

fn nothing() -> Vec<Step> {
    Vec::new()
}

fn set(cluster: &ValidatedCluster, replicas: u32) -> Object {
    let ring = cluster.ring.unwrap().id;
    Object::new(Kind::StatefulSet, &build::stateful_set(cluster, ring, replicas))
}

fn evict(ordinal: u32) -> Vec<Step> {
    vec![Step::Evict { pod: format!("cart-dynamo-{ordinal}"), uid: format!("uid-{ordinal}") }]
}

fn unrecorded() -> ValidatedCluster {
    ValidatedCluster { ring: None, ..cluster() }
}

fn volume(ordinal: u32, ring: &str) -> Volume {
    Volume { ordinal, ring: ring.into(), doomed: false }
}

const OLD: &str = "11111111-2222-4333-8444-555555555555";

#[test]
fn the_ring_has_an_id_before_anything_exists() {
    let id = UID.parse().unwrap();
    assert_eq!(steps(&unrecorded(), &Observed::default()), [Step::RecordRing(id)]);
}

#[test]
fn a_cluster_made_again_takes_the_ring_of_its_volumes() {
    let volumes = vec![volume(0, OLD), volume(1, OLD)];
    let seen = Observed { volumes, ..Observed::default() };
    assert_eq!(steps(&unrecorded(), &seen), [Step::RecordRing(OLD.parse().unwrap())]);
}

#[test]
fn volumes_that_are_about_to_vanish_are_waited_for() {
    let volumes = vec![Volume { doomed: true, ..volume(0, OLD) }];
    let seen = Observed { volumes, ..Observed::default() };
    assert_eq!(steps(&unrecorded(), &seen), nothing());
}

#[test]
fn volumes_of_several_rings_are_left_to_a_person() {
    let volumes = vec![volume(0, OLD), volume(1, UID)];
    let seen = Observed { volumes, ..Observed::default() };
    assert_eq!(steps(&unrecorded(), &seen), nothing());
}

#[test]
fn every_volume_of_an_old_ring_gets_its_pod_back() {
    let cluster = cluster();
    let volumes = (0..5).map(|o| volume(o, UID)).collect();
    let seen = Observed { volumes, ..Observed::default() };
    assert_eq!(target(&cluster, &seen), Target { replicas: 5, blocked: true });
}

#[test]
fn names_come_first_and_pods_last() {
    let cluster = cluster();
    let budget = build::pod_disruption_budget(&cluster, 3).unwrap();
    let wanted = [
        apply(Object::new(Kind::Service, &build::peer_service(&cluster))),
        apply(Object::new(Kind::Service, &build::client_service(&cluster))),
        apply(Object::new(Kind::ServiceAccount, &build::service_account(&cluster))),
        apply(Object::new(Kind::PodDisruptionBudget, &budget)),
        apply(Object::new(Kind::NetworkPolicy, &build::network_policy(&cluster, None))),
        apply(set(&cluster, 3)),
    ];
    assert_eq!(steps(&cluster, &Observed::default()), wanted);
}

#[test]
fn the_ring_is_laid_over_all_nodes_once_they_see_each_other() {
    let cluster = cluster();
    let seen = running(&cluster, 3, 0);
    let member = |o: u64| RingMember {
        node_id: format!("{:016x}", o + 1),
        zone: format!("z{o}"),
        weight: 1,
    };
    let request = BootstrapRequest {
        cluster_id: UID.into(),
        operation_id: format!("bootstrap-{UID}"),
        partitions: 256,
        factor: 3,
        members: (0..3).map(member).collect(),
    };
    let bootstrap = Step::Bootstrap { pod: "cart-dynamo-0".into(), ip: "10.0.0.0".into(), request };
    assert_eq!(steps(&cluster, &seen), [bootstrap]);
}

#[test]
fn the_ring_waits_for_every_node() {
    let cluster = cluster();
    let reason = |seen: &Observed| match laying(&cluster, seen) {
        Laying::Waiting(reason) => reason,
        other => panic!("{other:?}"),
    };
    let ready = || running(&cluster, 3, 0);

    let mut seen = ready();
    seen.pods.remove(&1);
    assert_eq!(reason(&seen), "pod cart-dynamo-1 does not exist yet");

    let mut seen = ready();
    let pod = seen.pods.get_mut(&2).unwrap();
    (pod.node, pod.trouble) = (None, Some("ErrImagePull: no such image".into()));
    assert_eq!(reason(&seen), "pod cart-dynamo-2 does not run: ErrImagePull: no such image");

    let mut seen = ready();
    seen.pods.get_mut(&1).unwrap().node.as_mut().unwrap().members.clear();
    assert_eq!(reason(&seen), "pod cart-dynamo-1 does not see cart-dynamo-0 yet");

    let mut seen = ready();
    seen.pods.get_mut(&0).unwrap().node.as_mut().unwrap().cluster = OLD.into();
    assert_eq!(reason(&seen), "pod cart-dynamo-0 does not answer yet");
}

#[test]
fn a_ring_is_never_laid_twice() {
    let cluster = cluster();
    // One node has it already: the operator died before it could note that.
    let mut seen = running(&cluster, 3, 0);
    seen.pods.get_mut(&2).unwrap().node.as_mut().unwrap().epoch = 1;
    assert_eq!(steps(&cluster, &seen), nothing());
    // It was laid, and no node holds it: their volumes may come back.
    assert_eq!(steps(&laid(cluster.clone()), &running(&cluster, 3, 0)), nothing());
}

#[test]
fn a_cluster_that_is_as_it_should_be_is_left_alone() {
    let cluster = laid(cluster());
    assert_eq!(steps(&cluster, &running(&cluster, 3, 1)), nothing());
}

#[test]
fn paused_means_nothing_at_all() {
    let paused = ValidatedCluster { paused: true, ..unrecorded() };
    assert_eq!(steps(&paused, &Observed::default()), nothing());
}

#[test]
fn scaling_up_raises_the_replicas_and_nothing_else() {
    let three = laid(cluster());
    let seen = running(&three, 3, 1);
    let five = ValidatedCluster { replicas: 5, ..three };
    assert_eq!(steps(&five, &seen), [apply(set(&five, 5))]);
}

#[test]
fn nodes_that_joined_later_do_not_have_the_ring_laid_again() {
    let five = laid(cluster_of("spec: {replicas: 5, storage: {size: 10Gi}}"));
    let mut seen = running(&five, 5, 1);
    seen.ring = Some(testing::ring(3));
    assert_eq!(steps(&five, &seen), nothing());
}

#[test]
fn scaling_down_is_refused_once_there_is_a_ring() {
    let three = laid(cluster());
    let seen = running(&three, 5, 1);
    assert_eq!(steps(&three, &seen), nothing());
    assert_eq!(target(&three, &seen), Target { replicas: 5, blocked: true });
}

#[test]
fn scaling_down_is_allowed_while_there_is_certainly_no_ring() {
    let three = cluster();
    let mut seen = running(&three, 5, 0);
    let budget =
        |n| Object::new(Kind::StatefulSet, &build::stateful_set(&three, UID.parse().unwrap(), n));
    assert_eq!(steps(&three, &seen), [apply(budget(3))]);
    // A node that has run and does not answer may hold one.
    seen.pods.get_mut(&4).unwrap().node = None;
    assert_eq!(target(&three, &seen), Target { replicas: 5, blocked: true });
    // One that has never run cannot.
    seen.pods.get_mut(&4).unwrap().started = false;
    assert_eq!(target(&three, &seen), Target { replicas: 3, blocked: false });
}

#[test]
fn a_statefulset_that_somebody_scaled_is_put_back() {
    let cluster = laid(cluster());
    for replicas in [1, 7] {
        let mut seen = running(&cluster, 3, 1);
        testing::scale_directly(&mut seen, replicas);
        let put_back = Step::Apply { object: set(&cluster, 3), drift: true };
        assert_eq!(steps(&cluster, &seen), [put_back], "from {replicas}");
    }
}

#[test]
fn nothing_of_somebody_else_is_taken() {
    let cluster = laid(cluster());
    let with = |metadata: serde_json::Value| {
        let mut seen = running(&cluster, 3, 1);
        let key = (Kind::Service, cluster.workload());
        seen.live.insert(key, json!({ "metadata": metadata }));
        (steps(&cluster, &seen), seen.in_the_way(&cluster))
    };
    let owner = |uid| json!([{"controller": true, "uid": uid}]);
    let (none, why) = with(json!({"name": "cart-dynamo"}));
    assert_eq!(none, nothing());
    assert_eq!(why.unwrap(), "Service cart-dynamo was not made by this operator: delete it");
    assert_eq!(with(json!({"ownerReferences": owner(OLD)})).0, nothing());
    assert_eq!(with(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})).0, nothing());
    // Its own, though somebody took the labels away: put right.
    assert_eq!(with(json!({"ownerReferences": owner(UID)})).0.len(), 1);
}

/// A running cluster of three whose pods are all of an older revision than new ones.
fn outdated() -> (ValidatedCluster, Observed) {
    let cluster = laid(cluster());
    let mut seen = running(&cluster, 3, 1);
    seen.workload.as_mut().unwrap().revision = "b".into();
    (cluster, seen)
}

fn waits(cluster: &ValidatedCluster, seen: &Observed) -> String {
    assert_eq!(steps(cluster, seen), nothing());
    match roll(cluster, seen) {
        Roll::Wait(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_roll_takes_the_highest_ordinal_and_then_the_next() {
    let (cluster, mut seen) = outdated();
    assert_eq!(steps(&cluster, &seen), evict(2));
    seen.pods.get_mut(&2).unwrap().revision = "b".into();
    assert_eq!(steps(&cluster, &seen), evict(1));
    seen.pods.get_mut(&1).unwrap().revision = "b".into();
    assert_eq!(steps(&cluster, &seen), evict(0));
    seen.pods.get_mut(&0).unwrap().revision = "b".into();
    assert_eq!(steps(&cluster, &seen), nothing());
    assert_eq!(roll(&cluster, &seen), Roll::Done);
}

#[test]
fn a_roll_waits_until_the_change_is_known_and_the_pod_is_back_for_long_enough() {
    let (cluster, mut seen) = outdated();
    seen.workload.as_mut().unwrap().current = false;
    assert_eq!(waits(&cluster, &seen), "the StatefulSet controller has not seen the change yet");
    seen.workload.as_mut().unwrap().current = true;

    let mut back = seen.pods.remove(&2).unwrap();
    assert_eq!(waits(&cluster, &seen), "pod cart-dynamo-2 is being replaced");

    back.revision = "b".into();
    back.ready_since = Some(seen.now - SignedDuration::from_secs(9));
    seen.pods.insert(2, back);
    assert_eq!(waits(&cluster, &seen), "the changed pod cart-dynamo-2 is not ready for 10 s yet");
    seen.now += SignedDuration::from_secs(1);
    assert_eq!(steps(&cluster, &seen), evict(1));
}

#[test]
fn a_roll_waits_until_every_other_node_sees_the_new_life_of_the_last() {
    let (cluster, mut seen) = outdated();
    let changed = seen.pods.get_mut(&2).unwrap();
    changed.revision = "b".into();
    changed.node.as_mut().unwrap().generation = 2;
    let own = changed.node.as_ref().unwrap().id;
    changed.node.as_mut().unwrap().members.get_mut(&own).unwrap().generation = 2;
    assert_eq!(waits(&cluster, &seen), "pod cart-dynamo-0 does not see cart-dynamo-2 yet");
    for ordinal in [0, 1] {
        let node = seen.pods.get_mut(&ordinal).unwrap().node.as_mut().unwrap();
        node.members.get_mut(&own).unwrap().generation = 2;
    }
    assert_eq!(steps(&cluster, &seen), evict(1));
}

#[test]
fn no_healthy_pod_is_given_up_while_another_node_is_away() {
    let (cluster, mut seen) = outdated();
    seen.pods.get_mut(&0).unwrap().node = None;
    assert_eq!(waits(&cluster, &seen), "pod cart-dynamo-0 does not answer");
    let (_, mut seen) = outdated();
    seen.pods.get_mut(&1).unwrap().node.as_mut().unwrap().epoch = 2;
    let reason = waits(&cluster, &seen);
    assert_eq!(reason, "pods cart-dynamo-0 and cart-dynamo-1 do not hold the same ring yet");
}

#[test]
fn a_bad_image_stops_after_one_pod_and_its_revert_replaces_that_one_first() {
    let (cluster, mut seen) = outdated();
    let broken = seen.pods.get_mut(&2).unwrap();
    (broken.node, broken.ready_since) = (None, None);
    broken.revision = "b".into();
    broken.trouble = Some("ImagePullBackOff".into());
    assert_eq!(waits(&cluster, &seen), "the changed pod cart-dynamo-2 is not up: ImagePullBackOff");
    // Reverted: the other pods are what is wanted again.
    seen.workload.as_mut().unwrap().revision = "a".into();
    assert_eq!(steps(&cluster, &seen), evict(2));
}

#[test]
fn pods_that_are_not_ready_are_replaced_first_and_one_at_a_time() {
    let (cluster, mut seen) = outdated();
    for ordinal in [0, 1] {
        seen.pods.get_mut(&ordinal).unwrap().ready_since = None;
    }
    assert_eq!(steps(&cluster, &seen), evict(1));
    // The first is back, and not ready as long as it is alone: it answers, so go on.
    let changed = seen.pods.get_mut(&1).unwrap();
    changed.revision = "b".into();
    assert_eq!(steps(&cluster, &seen), evict(0));
}

#[test]
fn a_joined_node_is_rolled_like_any_other() {
    let (cluster, mut seen) = outdated();
    let four = ValidatedCluster { replicas: 4, ..cluster };
    let live = running(&four, 4, 1).live;
    (seen.live, seen.workload.as_mut().unwrap().given) = (live, 4);
    assert_eq!(waits(&four, &seen), "pod cart-dynamo-3 is being replaced");
    seen.pods.insert(3, pod(&four, 3, node(3, 4, 1)));
    seen.pods.get_mut(&3).unwrap().revision = "b".into();
    let reason = waits(&four, &seen);
    assert_eq!(reason, "pod cart-dynamo-0 does not see cart-dynamo-3 yet");
}

#[test]
fn volumes_carry_what_a_cluster_made_again_looks_for() {
    let cluster = cluster();
    let claim = &set(&cluster, 3).body["spec"]["volumeClaimTemplates"][0]["metadata"];
    assert_eq!(claim["annotations"][RING_ID], UID);
    assert_eq!(
        format!("{}-cart-dynamo-0", claim["name"].as_str().unwrap()),
        testing::claim(&cluster, 0)
    );
}
