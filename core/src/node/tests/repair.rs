//! Read repair (paper, section 5): replicas that lack something are sent it, once the client
//! has its answer.

use super::*;

struct Read {
    a: Node,
    key: Key,
    id: OpId,
    primaries: [NodeId; 2],
    old: Versions,
    new: Versions,
}

/// A read by A, one of the primaries, which holds a newer version than what `old` is.
fn reading() -> Read {
    let mut a = node_in(&ALL);
    let (key, list) = key_of_a(a.ring().unwrap());
    let primaries = [list.primaries()[1], list.primaries()[2]];
    let id = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let old = written(B, 1, true, &Context::default());
    let mut new = old.clone();
    new.merge(&written(A, 2, true, &old.context()));
    handle(&mut a, now(1), own_holds(id, &new));
    Read { a, key, id, primaries, old, new }
}

fn repaired(replicas: usize) -> Effect {
    Effect::Note(Note::Repaired { replicas })
}

#[test]
fn a_replica_that_lacks_something_is_sent_it_when_all_have_answered() {
    let Read { mut a, key, id, primaries: [p, q], old, new } = reading();
    let out = handle(&mut a, now(2), holds(p, id, &old));
    assert!(matches!(replied(&out), Some(Reply::Got(got)) if got.siblings == new.siblings()));
    assert!(!out.iter().any(|e| matches!(e, Effect::Send(..))), "the client comes first");
    let out = handle(&mut a, now(3), holds(q, id, &new));
    assert_eq!(out, [repaired(1), merge(p, id, &key, &new, None)]);
}

#[test]
fn an_answer_that_comes_late_is_repaired_too() {
    let Read { mut a, key, id, primaries: [p, q], old, new } = reading();
    assert!(replied(&handle(&mut a, now(2), holds(p, id, &new))).is_some());
    let out = handle(&mut a, now(900), holds(q, id, &old));
    assert_eq!(out, [repaired(1), merge(q, id, &key, &new, None)]);
}

/// Nobody waits for ever for the last answer.
#[test]
fn without_the_last_answer_the_others_are_repaired_after_a_second() {
    let Read { mut a, key, id, primaries: [p, q], old, new } = reading();
    handle(&mut a, now(2), holds(p, id, &old));
    handle(&mut a, now(1_000), Input::Tick);
    let out = handle(&mut a, now(1_002), Input::Tick);
    assert_eq!(out, [repaired(1), merge(p, id, &key, &new, None)]);
    assert_eq!(handle(&mut a, now(1_003), holds(q, id, &old)), [], "too late");
}

#[test]
fn a_damaged_replica_is_sent_all() {
    let Read { mut a, key, id, primaries: [p, q], new, .. } = reading();
    handle(&mut a, now(2), answers(p, id, ReplicaAnswer::Failed));
    let out = handle(&mut a, now(3), holds(q, id, &new));
    assert!(replied(&out).is_some());
    let fallback = a.ring().unwrap().preference_list(a.ring().unwrap().partition_of(&key));
    let out = handle(&mut a, now(4), holds(fallback.fallbacks()[0], id, &new));
    assert_eq!(out, [repaired(1), merge(p, id, &key, &new, None)]);
}

/// The own replica is one like the others.
#[test]
fn a_damaged_own_replica_is_repaired_from_peers() {
    let mut a = node_in(&[A, B, C]);
    let key = Key::plain("k");
    let id = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let held = written(B, 1, true, &Context::default());
    handle(&mut a, now(1), Input::Replica(Asker::Own(id), ReplicaAnswer::Failed));
    handle(&mut a, now(2), holds(B, id, &held));
    let out = handle(&mut a, now(3), holds(C, id, &held));
    let Some(Reply::Got(got)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(got.siblings, held.siblings());
    let merge = Operation::Merge { versions: held, sync: false };
    assert!(out.contains(&own(id, &key, Place::Own, merge)), "{out:?}");
}

/// What a fallback lacks it need not have.
#[test]
fn fallbacks_are_not_repaired() {
    let mut a = node_in(&ALL);
    let (key, list) = key_of_a(a.ring().unwrap());
    let (p, q, f) = (list.primaries()[1], list.primaries()[2], list.fallbacks()[0]);
    handle(&mut a, now(0), Input::Unreachable(p));
    let id = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let held = written(A, 1, true, &Context::default());
    handle(&mut a, now(1), own_holds(id, &held));
    let out = [
        handle(&mut a, now(2), holds(f, id, &Versions::default())),
        handle(&mut a, now(3), holds(q, id, &held)),
    ]
    .concat();
    assert!(replied(&out).is_some());
    assert!(!out.contains(&repaired(1)), "{out:?}");
}

/// A hint may be all that there is of a newer version.
#[test]
fn what_a_fallback_holds_is_brought_to_the_primaries() {
    let mut a = node_in(&ALL);
    let (key, list) = key_of_a(a.ring().unwrap());
    let (p, q, f) = (list.primaries()[1], list.primaries()[2], list.fallbacks()[0]);
    handle(&mut a, now(0), Input::Unreachable(p));
    let id = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let held = written(A, 1, true, &Context::default());
    let mut new = held.clone();
    new.merge(&written(f, 2, true, &held.context()));
    handle(&mut a, now(1), own_holds(id, &held));
    handle(&mut a, now(2), holds(q, id, &held));
    let out = handle(&mut a, now(3), holds(f, id, &new));
    let mine = Operation::Merge { versions: new.clone(), sync: false };
    assert_eq!(out, [repaired(2), own(id, &key, Place::Own, mine), merge(q, id, &key, &new, None)]);
}

/// A read that did not make it has learnt something all the same.
#[test]
fn a_read_that_timed_out_repairs_too() {
    let mut a = node_in(&[A, B, C]);
    let key = Key::plain("k");
    let id = next_op(&a);
    let wanted = Wanted { total: Some(3), ..Wanted::default() };
    handle(&mut a, now(0), ask(&key, Command::Get, wanted));
    let held = written(B, 1, true, &Context::default());
    handle(&mut a, now(1), own_holds(id, &Versions::default()));
    handle(&mut a, now(2), holds(B, id, &held));
    handle(&mut a, now(1_000), Input::Tick);
    let out = handle(&mut a, now(2_000), Input::Tick);
    let merge = Operation::Merge { versions: held, sync: false };
    assert!(out.contains(&own(id, &key, Place::Own, merge)), "{out:?}");
}

/// What it has gathered may have been deleted and reaped since.
#[test]
fn a_node_that_was_paused_repairs_nothing() {
    let Read { mut a, id, primaries: [p, q], old, .. } = reading();
    handle(&mut a, now(2), holds(p, id, &old));
    let out = handle(&mut a, now(60_000), holds(q, id, &Versions::default()));
    assert!(!sends_merges(&out), "{out:?}");
    let out = handle(&mut a, now(60_000), Input::Tick);
    assert!(!sends_merges(&out), "{out:?}");
}

fn sends_merges(out: &[Effect]) -> bool {
    let merges = |e: &Effect| {
        let Effect::Send(_, Message::ReplicaRequest { operation, .. }) = e else { return false };
        matches!(operation, PeerOperation::Merge { .. })
    };
    out.iter().any(merges)
}
