//! Anti-entropy (paper, section 4.7): replicas that differ become equal, and equal ones cost
//! next to nothing.

use super::{cluster::Cluster, machine::Machine, *};
use crate::{
    merkle::{Answer, Hash, Page, Question},
    replica::Replica,
    ring::Partition,
    store::Store,
};

/// Everybody's trees and records of these keys.
fn are_equal(cluster: &Cluster, keys: &[Key]) -> bool {
    let roots = |n: &NodeId| cluster.machines[n].replica.tree().clone();
    let all: Vec<_> = cluster.machines.keys().copied().collect();
    let same = |key: &Key| {
        let state = |n: &NodeId| cluster.machines[n].replica.store().get(Place::Own, key);
        all.iter().all(|n| state(n).is_ok())
            && all.windows(2).all(|w| cluster.holds(w[0], key) == cluster.holds(w[1], key))
    };
    all.windows(2).all(|w| roots(&w[0]) == roots(&w[1])) && keys.iter().all(same)
}

#[test]
fn replicas_that_differ_become_equal() {
    let mut cluster = Cluster::of(3);
    let keys: Vec<_> = (0..60).map(|n| Key::plain(format!("k{n}"))).collect();
    for (n, key) in (1..).zip(&keys) {
        let old = written(D, n, true, &Context::default());
        let mut new = old.clone();
        new.merge(&written(E, n + 1_000, n % 2 == 0, &old.context()));
        let other = written(E, n + 2_000, true, &Context::default());
        let held: [&[(NodeId, &Versions)]; 4] = [
            &[(A, &old)],
            &[(A, &old), (B, &new)],
            &[(B, &new), (C, &other)],
            &[(A, &old), (B, &old), (C, &old)],
        ];
        for (node, versions) in held[usize::try_from(n).unwrap() % 4] {
            cluster.machine(*node).store(Place::Own, key, versions);
        }
    }
    assert!(!are_equal(&cluster, &keys));
    assert!(cluster.run_until(60_000, |c| are_equal(c, &keys)));
    let held = cluster.holds(A, &keys[0]);
    assert_eq!(held.siblings().len(), 1, "nothing is lost over it");
}

#[test]
fn equal_replicas_cost_one_question_with_a_root_for_each_partition() {
    let mut cluster = Cluster::of(3);
    for n in 0..20 {
        cluster.write(A, &Key::plain(format!("k{n}")), Some("v"), Context::default());
    }
    cluster.run(5_000);
    cluster.notes.clear();
    cluster.run(20_000);
    let compared: Vec<_> = cluster
        .notes
        .iter()
        .filter_map(|(node, note)| match note {
            Note::Compared { peer, counts } => Some((*node, *peer, *counts)),
            _ => None,
        })
        .collect();
    for pair in [(A, B), (A, C), (B, A), (B, C), (C, A), (C, B)] {
        assert!(compared.iter().any(|(a, b, _)| (*a, *b) == pair), "{pair:?} was not compared");
    }
    let cost = Counts { questions: 1, nodes: 8, keys: 0, differ: 0 };
    assert!(compared.iter().all(|(.., counts)| *counts == cost), "{compared:?}");
}

/// Damage that nobody reads is found by looking, and what is missing comes from peers.
#[test]
fn a_damaged_record_is_found_and_restored() {
    let mut cluster = Cluster::of(3);
    let key = Key::plain("k");
    cluster.write(A, &key, Some("v"), Context::default());
    cluster.run(5_000);
    let before = cluster.holds(B, &key);
    assert!(cluster.machine(B).replica.store_mut().damage(Place::Own, &key));
    let restored = |c: &Cluster| c.holds_readably(B, &key);
    assert!(cluster.run_until(60_000, restored));
    assert_eq!(cluster.holds(B, &key), before);
    let found = |(node, note): &(NodeId, Note)| *node == B && *note == Note::Damaged { leaves: 1 };
    assert!(cluster.notes.iter().any(found));
    assert!(are_equal(&cluster, &[key]));
}

/// The leaves are stored apart from the records, and may be lost apart from them.
#[test]
fn a_tree_that_cannot_be_read_is_counted_anew() {
    let mut cluster = Cluster::of(3);
    for n in 0..20 {
        cluster.write(A, &Key::plain(format!("k{n}")), Some("v"), Context::default());
    }
    cluster.run(3_000);
    let replica = &cluster.machines[&A].replica;
    let mut store = replica.store().clone();
    store.leafless = true;
    let again = Replica::open(store, crate::limits::Bounds::default()).unwrap();
    assert_eq!(again.tree(), replica.tree());
}

/// The question that A asks a peer about its tree.
fn asked(out: &[Effect]) -> (NodeId, OpId, Question) {
    let question = |effect: &Effect| match effect {
        Effect::Send(to, Message::TreeRequest { id, question }) => {
            Some((*to, *id, question.clone()))
        }
        _ => None,
    };
    out.iter().find_map(question).unwrap_or_else(|| panic!("no question: {out:?}"))
}

/// A of five, and what it asks first. The comparison that [`meet`] began goes unanswered, so
/// this is the next.
fn comparing() -> (Machine, NodeId, OpId) {
    let mut a = Machine::of_five();
    for second in 1..=9 {
        a.hear_all(now(1_000 * second));
        a.handle(now(1_000 * second), Input::Tick);
    }
    a.hear_all(now(10_000));
    let out = a.handle(now(10_000), Input::Tick);
    let (to, id, question) = asked(&out);
    assert!(matches!(question, Question::Roots { q: 8, .. }));
    (a, to, id)
}

/// Whatever a peer makes up, the node goes on with its requests and with the next peer.
#[test]
fn nonsense_ends_the_comparison_and_nothing_else() {
    let elsewhere = Key::plain("elsewhere");
    let nonsense = [
        Answer::Roots(vec![]),
        Answer::Roots(vec![Hash(1); 100]),
        Answer::Children(vec![[Hash(1); 16]]),
        Answer::Keys(Page { keys: vec![(elsewhere, Hash(1))], more: true }),
    ];
    for answer in nonsense {
        let (mut a, peer, id) = comparing();
        let key = Key::plain("k");
        a.handle(now(10_000), put(&key));
        let out = a
            .handle(now(10_001), Input::Message(peer, FIRST, Message::TreeResponse { id, answer }));
        assert_eq!(out, []);
        assert_eq!(a.node.in_flight(), 1);
        a.hear_all(now(11_000));
        a.handle(now(11_000), Input::Tick);
        let (next, ..) = asked(&a.handle(now(12_000), Input::Tick));
        assert_ne!(next, peer);
    }
}

#[test]
fn a_peer_that_cannot_answer_is_passed_over() {
    let (mut a, peer, id) = comparing();
    assert_eq!(a.handle(now(10_001), answers(peer, id, ReplicaAnswer::Failed)), []);
    let (next, ..) = asked(&a.handle(now(12_000), Input::Tick));
    assert_ne!(next, peer);
}

#[test]
fn a_peer_that_says_nothing_is_passed_over_after_ten_seconds() {
    let (mut a, peer, _) = comparing();
    let questions = |out: &[Effect]| {
        out.iter().filter(|e| matches!(e, Effect::Send(_, Message::TreeRequest { .. }))).count()
    };
    for second in 11..=19 {
        a.hear_all(now(1_000 * second));
        assert_eq!(questions(&a.handle(now(1_000 * second), Input::Tick)), 0);
    }
    a.hear_all(now(20_000));
    let (next, ..) = asked(&a.handle(now(20_000), Input::Tick));
    assert_ne!(next, peer);
}

#[test]
fn questions_that_make_no_sense_are_answered_with_a_failure() {
    let mut a = Machine::of_five();
    let id = OpId(5);
    for question in [
        Question::Roots { partitions: vec![], q: 8 },
        Question::Roots { partitions: vec![Partition(9)], q: 8 },
        Question::Roots { partitions: vec![Partition(0)], q: 7 },
        Question::Children(vec![]),
        Question::Keys { first: 1, last: 1, after: Some(Key::plain("not of this leaf")) },
    ] {
        let message = Message::TreeRequest { id, question };
        let failed = Message::ReplicaResponse { id, answer: ReplicaAnswer::Failed };
        let out = a.handle(now(0), Input::Message(B, FIRST, message));
        assert_eq!(out, [Effect::Send(B, failed)]);
    }
}
