//! Hinted handoff (paper, section 4.6): hints go to their owner, and are dropped only when it
//! has them on disk.

use super::{
    cluster::{Cluster, texts},
    machine::Machine,
    *,
};
use crate::pace::WIDEST;

/// A with nothing on its disk, and a key for one of whose primaries it may stand in.
fn setting() -> (Machine, Key, NodeId) {
    let a = Machine::of_five();
    let ring = a.node.ring().unwrap();
    let (key, list) = key_where(ring, |list| list.fallbacks().contains(&A));
    (a, key, list.primaries()[0])
}

/// A peer asks A to keep this for its owner.
fn keep(a: &mut Machine, ms: u64, key: &Key, owner: NodeId, versions: &Versions) {
    let operation = PeerOperation::Merge { versions: versions.clone(), sync: false };
    let message = Message::ReplicaRequest {
        id: OpId(5),
        key: key.clone(),
        stands_for: Some(owner),
        operation,
    };
    a.handle(now(ms), Input::Message(if owner == B { C } else { B }, FIRST, message));
}

fn tick(a: &mut Machine, ms: u64) -> Vec<Effect> {
    a.hear_all(now(ms));
    a.handle(now(ms), Input::Tick)
}

/// The hints that are sent: to whom, under which name, and what.
fn hints(out: &[Effect]) -> Vec<(NodeId, OpId, Key, Versions)> {
    let hint = |effect: &Effect| match effect {
        Effect::Send(
            to,
            Message::ReplicaRequest {
                id,
                key,
                stands_for: None,
                operation: PeerOperation::Merge { versions, sync: true },
            },
        ) => Some((*to, *id, key.clone(), versions.clone())),
        _ => None,
    };
    out.iter().filter_map(hint).collect()
}

fn only(out: &[Effect]) -> (NodeId, OpId, Key, Versions) {
    let hints = hints(out);
    assert_eq!(hints.len(), 1, "{out:?}");
    hints[0].clone()
}

fn one() -> Versions {
    written(E, 1, true, &Context::default())
}

#[test]
fn a_hint_goes_to_its_owner_and_is_forgotten_when_that_has_it_on_disk() {
    let (mut a, key, owner) = setting();
    keep(&mut a, 100, &key, owner, &one());
    assert_eq!(a.held(Place::Own, &key), Versions::default(), "it is kept apart");
    assert_eq!(a.held(Place::Hint(owner), &key), one());

    let (to, id, sent, versions) = only(&tick(&mut a, 1_000));
    assert_eq!((to, sent, versions), (owner, key.clone(), one()));
    assert_eq!(a.held(Place::Hint(owner), &key), one(), "nobody has it yet");
    a.handle(now(1_100), merged(owner, id));
    assert_eq!(a.held(Place::Hint(owner), &key), Versions::default());
    let out = tick(&mut a, 2_000);
    assert!(out.contains(&Effect::Note(Note::HandedOff { owner, delivered: 1 })), "{out:?}");
    assert_eq!(hints(&tick(&mut a, 3_000)), []);
}

#[test]
fn a_hint_that_is_not_on_the_owners_disk_is_kept_and_goes_again() {
    for answer in [ReplicaAnswer::Merged { durable: false }, ReplicaAnswer::Failed] {
        let (mut a, key, owner) = setting();
        keep(&mut a, 100, &key, owner, &one());
        let (_, id, ..) = only(&tick(&mut a, 1_000));
        a.handle(now(1_000), answers(owner, id, answer));
        for second in 2..=5 {
            assert_eq!(hints(&tick(&mut a, 1_000 * second)), [], "it is left alone for a while");
        }
        assert_eq!(a.held(Place::Hint(owner), &key), one());
        let (_, id, ..) = only(&tick(&mut a, 6_000));
        a.handle(now(6_000), merged(owner, id));
        assert_eq!(a.held(Place::Hint(owner), &key), Versions::default());
    }
}

#[test]
fn a_hint_that_has_grown_meanwhile_stays_and_goes_again() {
    let (mut a, key, owner) = setting();
    keep(&mut a, 100, &key, owner, &one());
    let (_, id, ..) = only(&tick(&mut a, 1_000));
    let more = written(D, 2, true, &Context::default());
    keep(&mut a, 1_050, &key, owner, &more);
    a.handle(now(1_100), merged(owner, id));
    let mut both = one();
    both.merge(&more);
    assert_eq!(a.held(Place::Hint(owner), &key), both);
    let (_, id, _, versions) = only(&tick(&mut a, 2_000));
    assert_eq!(versions, both);
    a.handle(now(2_000), merged(owner, id));
    assert_eq!(a.held(Place::Hint(owner), &key), Versions::default());
}

#[test]
fn only_the_owners_word_counts() {
    let (mut a, key, owner) = setting();
    keep(&mut a, 100, &key, owner, &one());
    let (_, id, ..) = only(&tick(&mut a, 1_000));
    let other = [B, C].into_iter().find(|n| *n != owner).unwrap();
    a.handle(now(1_100), merged(other, id));
    assert_eq!(a.held(Place::Hint(owner), &key), one());
}

#[test]
fn an_owner_that_is_down_is_sent_nothing_until_it_is_heard() {
    let (mut a, key, owner) = setting();
    a.handle(now(50), Input::Unreachable(owner));
    keep(&mut a, 100, &key, owner, &one());
    for second in 1..=5 {
        assert_eq!(hints(&a.handle(now(1_000 * second), Input::Tick)), []);
    }
    assert_eq!(only(&tick(&mut a, 6_000)).0, owner);
    a.handle(now(6_100), Input::Unreachable(owner));
    assert_eq!(hints(&a.handle(now(7_000), Input::Tick)), [], "it was lost on the way");
    assert_eq!(a.held(Place::Hint(owner), &key), one());
    assert_eq!(only(&tick(&mut a, 8_000)).0, owner);
}

#[test]
fn an_owner_that_says_nothing_is_left_alone_for_a_while() {
    let (mut a, key, owner) = setting();
    keep(&mut a, 100, &key, owner, &one());
    only(&tick(&mut a, 1_000));
    for second in 2..=15 {
        assert_eq!(hints(&tick(&mut a, 1_000 * second)), [], "at {second} s");
    }
    only(&tick(&mut a, 16_000));
}

/// Whose hints there are is known only by the disk.
#[test]
fn after_a_restart_hints_are_found_again() {
    let (mut a, key, owner) = setting();
    keep(&mut a, 100, &key, owner, &one());
    let mut config = config(a.node.ring().cloned());
    config.member.generation = Generation(2);
    a.node = Node::new(config);
    let first = tick(&mut a, 0);
    let out = [first, tick(&mut a, 1_000), tick(&mut a, 2_000)].concat();
    assert_eq!(only(&out).0, owner);
}

#[test]
fn many_hints_go_a_few_at_a_time_and_all_arrive() {
    let (mut a, first, owner) = setting();
    let ring = a.node.ring().unwrap().clone();
    let same = |k: &Key| ring.partition_of(k) == ring.partition_of(&first);
    let keys: Vec<_> = (0..).map(|n| Key::plain(format!("h{n}"))).filter(same).take(600).collect();
    for key in &keys {
        keep(&mut a, 100, key, owner, &one());
    }
    let mut arrived = Vec::new();
    for second in 1..=60 {
        let mut out = tick(&mut a, 1_000 * second);
        loop {
            let page = hints(&out);
            assert!(page.len() <= WIDEST, "{} at a time", page.len());
            if page.is_empty() {
                break;
            }
            out.clear();
            for (to, id, key, _) in page {
                arrived.push(key);
                out.extend(a.handle(now(1_000 * second), merged(to, id)));
            }
        }
    }
    arrived.sort();
    let mut keys = keys;
    keys.sort();
    assert_eq!(arrived, keys, "each goes once");
    assert!(keys.iter().all(|key| a.held(Place::Hint(owner), key) == Versions::default()));
}

/// The whole way: a write while a primary is down, and its return.
#[test]
fn a_primary_that_comes_back_gets_what_it_missed_durably() {
    let mut cluster = Cluster::of(5);
    let (key, list) = key_of_a(&cluster.ring);
    let (away, fallback) = (list.primaries()[2], list.fallbacks()[0]);
    cluster.cut(away);
    cluster.write(A, &key, Some("missed"), Context::default());
    cluster.run(1_000);
    assert_eq!(texts(cluster.hint(fallback, away, &key).siblings()), ["missed"]);
    assert_eq!(cluster.holds(away, &key), Versions::default());
    cluster.delivered.clear();
    cluster.heal(away);
    assert_eq!(texts(cluster.holds(away, &key).siblings()), ["missed"]);
    assert_eq!(cluster.hint(fallback, away, &key), Versions::default());
    let synced =
        |p: &cluster::Parcel| p.from == fallback && p.to == away && p.merges() == Some(true);
    assert!(cluster.delivered.iter().any(synced));
    assert!(cluster.machines[&away].replica.store().syncs > 0);
}
