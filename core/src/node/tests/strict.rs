//! Strict requests: no fallbacks, quorums that overlap, and reads that write back what not
//! yet W primaries hold.

use super::*;
use std::slice::from_ref;

const STRICT: Wanted = Wanted { total: None, primaries: 0, strict: true };

fn setting() -> (Node, Key, [NodeId; 2], [NodeId; 2]) {
    let a = node_in(&ALL);
    let (key, list) = key_of_a(a.ring().unwrap());
    let primaries = [list.primaries()[1], list.primaries()[2]];
    (a, key, primaries, [list.fallbacks()[0], list.fallbacks()[1]])
}

#[test]
fn nobody_stands_in() {
    let (mut a, key, [p, q], _) = setting();
    handle(&mut a, now(0), Input::Unreachable(p));
    let id = next_op(&a);
    let both = [own(id, &key, Place::Own, Operation::Read), read(q, id, &key, None)];
    assert_eq!(handle(&mut a, now(0), ask(&key, Command::Get, STRICT)), both);
    handle(&mut a, now(1), own_holds(id, &Versions::default()));
    assert_eq!(handle(&mut a, now(310), Input::Tick), [], "also when one is slow");
    let out = handle(&mut a, now(311), Input::Unreachable(q));
    let few = Refusal::Unavailable { needed: 2, up: 1, of: 3 };
    assert_eq!(replied(&out), Some(&Reply::Refused(few)), "{out:?}");
    let sends = out.iter().any(|e| matches!(e, Effect::Send(..)));
    assert!(!sends, "also when one is lost: {out:?}");
}

#[test]
fn nobody_stands_in_for_a_strict_write() {
    let (mut a, key, [p, q], _) = setting();
    let id = next_op(&a);
    handle(&mut a, now(0), ask(&key, Command::Write(command()), STRICT));
    let held = written(A, 1, true, &Context::default());
    let both = [merge(p, id, &key, &held, None), merge(q, id, &key, &held, None)];
    assert_eq!(handle(&mut a, now(0), wrote(id, &held)), both);
    let out = [
        handle(&mut a, now(310), Input::Tick),
        handle(&mut a, now(311), Input::Unreachable(p)),
        handle(&mut a, now(312), merged(q, id)),
    ]
    .concat();
    let stood_in = |e: &Effect| {
        matches!(e, Effect::Send(_, Message::ReplicaRequest { stands_for: Some(_), .. }))
    };
    assert!(!out.iter().any(stood_in), "a strict write left a hint: {out:?}");
    assert!(matches!(replied(&out), Some(Reply::Written(w)) if w.acks.primaries == 2));
}

#[test]
fn quorums_that_do_not_overlap_are_refused() {
    let (mut a, key, ..) = setting();
    let wanted = Wanted { total: Some(1), ..STRICT };
    let apart = refused(Refusal::NotStrict { one: 1, other: 2, factor: 3 });
    for what in [Command::Get, Command::Write(command())] {
        assert_eq!(handle(&mut a, now(0), ask(&key, what, wanted)), from_ref(&apart));
    }
}

/// Otherwise the next strict read could ask two that do not have it.
#[test]
fn a_read_answers_with_what_w_primaries_hold_and_sees_to_it_that_they_do() {
    let (mut a, key, [p, q], _) = setting();
    let id = next_op(&a);
    handle(&mut a, now(0), ask(&key, Command::Get, STRICT));
    let old = written(A, 1, true, &Context::default());
    let new = written(p, 2, true, &old.context());
    handle(&mut a, now(1), own_holds(id, &old));
    let mut all = old.clone();
    all.merge(&new);
    let operation = Operation::Merge { versions: all.clone(), sync: false };
    let back = [own(id, &key, Place::Own, operation), merge(q, id, &key, &all, None)];
    let out = handle(&mut a, now(2), holds(p, id, &new));
    assert!(back.iter().all(|e| out.contains(e)) && out.len() == 2, "{out:?}");
    let out = handle(&mut a, now(3), merged(q, id));
    let Some(Reply::Got(got)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(got.siblings, all.siblings());
}

#[test]
fn a_read_of_what_w_primaries_hold_is_answered_at_once() {
    let (mut a, key, [p, _], _) = setting();
    let id = next_op(&a);
    handle(&mut a, now(0), ask(&key, Command::Get, STRICT));
    let held = written(A, 1, true, &Context::default());
    handle(&mut a, now(1), own_holds(id, &held));
    assert!(replied(&handle(&mut a, now(2), holds(p, id, &held))).is_some());
}
