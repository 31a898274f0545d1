//! The sloppy quorum (paper, section 4.6): who is asked when primaries are down, lost or slow,
//! and what counts.

use super::*;
use std::slice::from_ref;

/// A of five, a key of which it is the first primary, the other primaries, the fallbacks.
fn setting() -> (Node, Key, [NodeId; 2], [NodeId; 2]) {
    let a = node_in(&ALL);
    let (key, list) = key_of_a(a.ring().unwrap());
    let primaries = [list.primaries()[1], list.primaries()[2]];
    (a, key, primaries, [list.fallbacks()[0], list.fallbacks()[1]])
}

fn lose(a: &mut Node, nodes: &[NodeId]) {
    for &node in nodes {
        handle(a, now(0), Input::Unreachable(node));
    }
}

/// A put that the own replica has stored: its name, what is held, what is sent.
fn stored(a: &mut Node, key: &Key, wanted: Wanted, ms: u64) -> (OpId, Versions, Vec<Effect>) {
    let id = next_op(a);
    handle(a, now(ms), ask(key, Command::Write(command()), wanted));
    let held = written(A, 1, true, &Context::default());
    let out = handle(a, now(ms), wrote(id, &held));
    (id, held, out)
}

fn of(total: usize, primaries: usize) -> Wanted {
    Wanted { total: Some(total), primaries, strict: false }
}

#[test]
fn for_each_primary_that_is_down_the_next_reachable_fallback_is_asked() {
    let (mut a, key, [p, q], [f, g]) = setting();
    lose(&mut a, &[p]);
    let id = next_op(&a);
    let mine = own(id, &key, Place::Own, Operation::Read);
    let expected = [mine, read(q, id, &key, None), read(f, id, &key, Some(p))];
    assert_eq!(handle(&mut a, now(0), get(&key)), expected);
    let (id, held, out) = stored(&mut a, &key, of(3, 0), 0);
    assert_eq!(out, [merge(q, id, &key, &held, None), merge(f, id, &key, &held, Some(p))]);

    lose(&mut a, &[q]);
    let (id, held, out) = stored(&mut a, &key, of(3, 0), 0);
    let both = [merge(f, id, &key, &held, Some(p)), merge(g, id, &key, &held, Some(q))];
    assert_eq!(out, both);

    lose(&mut a, &[f]);
    let (id, held, out) = stored(&mut a, &key, of(2, 0), 0);
    assert_eq!(out, [merge(g, id, &key, &held, Some(p))]);
}

#[test]
fn a_replica_that_is_lost_on_the_way_is_replaced() {
    let (mut a, key, [p, q], [f, g]) = setting();
    let asked = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let (id, held, _) = stored(&mut a, &key, of(3, 0), 0);
    assert_eq!(
        handle(&mut a, now(5), Input::Unreachable(p)),
        [
            Effect::Note(Note::Lost(p)),
            read(f, asked, &key, Some(p)),
            merge(f, id, &key, &held, Some(p)),
        ]
    );
    assert_eq!(
        handle(&mut a, now(6), Input::Unreachable(f)),
        [
            Effect::Note(Note::Lost(f)),
            read(g, asked, &key, Some(p)),
            merge(g, id, &key, &held, Some(p)),
        ],
        "the stand-in is replaced like the one it stands in for"
    );
    assert_eq!(handle(&mut a, now(7), merged(q, id)), []);
    let out = handle(&mut a, now(8), merged(g, id));
    let Some(Reply::Written(written)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(written.acks, Acks { primaries: 2, fallbacks: 1, durable: 3 });
}

#[test]
fn a_replica_that_cannot_read_its_disk_is_replaced_too() {
    let (mut a, key, [p, _], [f, _]) = setting();
    let id = next_op(&a);
    handle(&mut a, now(0), get(&key));
    let failed = answers(p, id, ReplicaAnswer::Failed);
    assert_eq!(handle(&mut a, now(1), failed), [read(f, id, &key, Some(p))]);
}

#[test]
fn who_is_silent_for_300_ms_gets_a_stand_in_and_is_still_waited_for() {
    let (mut a, key, [p, q], [f, g]) = setting();
    let (id, held, _) = stored(&mut a, &key, of(3, 0), 10);
    assert_eq!(a.deadline(), now(310).instant);
    assert_eq!(handle(&mut a, now(309), Input::Tick), []);
    let both = [merge(f, id, &key, &held, Some(p)), merge(g, id, &key, &held, Some(q))];
    assert_eq!(handle(&mut a, now(310), Input::Tick), both);
    assert_eq!(handle(&mut a, now(311), Input::Tick), [], "once");
    assert_eq!(handle(&mut a, now(320), merged(p, id)), []);
    let out = handle(&mut a, now(321), merged(q, id));
    let Some(Reply::Written(written)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(written.acks, Acks { primaries: 3, fallbacks: 0, durable: 3 });
}

#[test]
fn a_short_request_gets_its_stand_ins_sooner() {
    let (mut a, key, [p, q], [f, g]) = setting();
    let id = next_op(&a);
    let (command, timeout) = (Command::Get, Duration::from_millis(300));
    let request = Request { key: key.clone(), command, wanted: of(2, 0), timeout };
    handle(&mut a, now(0), Input::Request(TOKEN, request));
    handle(&mut a, now(1), own_holds(id, &Versions::default()));
    let both = [read(f, id, &key, Some(p)), read(g, id, &key, Some(q))];
    assert_eq!(handle(&mut a, now(100), Input::Tick), both);
}

/// When the hint is delivered there is one copy, not two.
#[test]
fn a_primary_and_its_stand_in_count_once() {
    let (mut a, key, [p, q], [f, g]) = setting();
    let (id, _, _) = stored(&mut a, &key, of(3, 0), 0);
    handle(&mut a, now(300), Input::Tick);
    assert_eq!(handle(&mut a, now(301), merged(f, id)), []);
    assert_eq!(handle(&mut a, now(302), merged(p, id)), [], "two seats have it, not three");
    let out = handle(&mut a, now(303), merged(g, id));
    let Some(Reply::Written(written)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(written.acks, Acks { primaries: 2, fallbacks: 1, durable: 3 });
    assert_eq!(handle(&mut a, now(304), merged(q, id)), []);
}

#[test]
fn the_same_replica_does_not_count_twice() {
    let (mut a, key, [p, q], _) = setting();
    let (id, _, _) = stored(&mut a, &key, of(3, 0), 0);
    assert_eq!(handle(&mut a, now(1), merged(p, id)), []);
    assert_eq!(handle(&mut a, now(2), merged(p, id)), []);
    assert!(replied(&handle(&mut a, now(3), merged(q, id))).is_some());
}

#[test]
fn who_was_not_asked_does_not_count() {
    let (mut a, key, [p, _], [f, _]) = setting();
    let (id, _, _) = stored(&mut a, &key, of(2, 0), 0);
    assert_eq!(handle(&mut a, now(1), merged(f, id)), []);
    assert!(replied(&handle(&mut a, now(2), merged(p, id))).is_some());
}

#[test]
fn only_primaries_count_for_pw() {
    let (mut a, key, [p, q], [f, _]) = setting();
    lose(&mut a, &[p]);
    let (id, _, _) = stored(&mut a, &key, of(2, 2), 0);
    assert_eq!(handle(&mut a, now(1), merged(f, id)), [], "W is reached, PW is not");
    assert!(replied(&handle(&mut a, now(2), merged(q, id))).is_some());
}

#[test]
fn only_primaries_count_for_pr() {
    let (mut a, key, [p, q], [f, _]) = setting();
    lose(&mut a, &[p]);
    let id = next_op(&a);
    handle(&mut a, now(0), ask(&key, Command::Get, of(2, 2)));
    let nothing = Versions::default();
    handle(&mut a, now(1), own_holds(id, &nothing));
    assert_eq!(handle(&mut a, now(1), holds(f, id, &nothing)), []);
    assert!(replied(&handle(&mut a, now(2), holds(q, id, &nothing))).is_some());
}

/// Nothing was sent or stored: the client may well try again.
#[test]
fn too_few_primaries_are_told_at_once() {
    let (mut a, key, [p, q], _) = setting();
    lose(&mut a, &[p, q]);
    let few = refused(Refusal::PrimariesUnavailable { needed: 2, up: 1, of: 3 });
    for what in [Command::Get, Command::Write(command())] {
        assert_eq!(handle(&mut a, now(0), ask(&key, what, of(1, 2))), from_ref(&few));
    }
}

/// PW of 2 beside W of 1 means W of 2.
#[test]
fn a_quorum_is_at_least_that_of_primaries() {
    let (mut a, key, [p, _], _) = setting();
    let (id, _, out) = stored(&mut a, &key, of(1, 2), 0);
    assert_eq!(replied(&out), None);
    assert!(replied(&handle(&mut a, now(1), merged(p, id))).is_some());
}

#[test]
fn a_write_that_too_few_are_left_for_is_indeterminate_at_once() {
    let (mut a, key, [p, _], [f, g]) = setting();
    stored(&mut a, &key, of(3, 0), 0);
    lose(&mut a, &[p, f]);
    let out = handle(&mut a, now(0), Input::Unreachable(g));
    let open = Refusal::Indeterminate { needed: 3, had: 1 };
    assert_eq!(replied(&out), Some(&Reply::Refused(open)));
}

/// A fallback answers a read with whatever it keeps for any of the primaries.
#[test]
fn who_stands_in_reads_all_hints_for_the_key() {
    let mut a = node_in(&ALL);
    let (key, list) = key_where(a.ring().unwrap(), |list| list.fallbacks().contains(&A));
    let (id, owner) = (OpId(5), list.primaries()[1]);
    let operation = PeerOperation::Read;
    let message =
        Message::ReplicaRequest { id, key: key.clone(), stands_for: Some(owner), operation };
    let task = Task::ReadHints { key, owners: list.primaries().to_vec() };
    let job = Effect::Replica(Job { asker: Asker::Peer(B, id), task });
    assert_eq!(handle(&mut a, now(0), Input::Message(B, FIRST, message)), [job]);
}

#[test]
fn a_fallback_keeps_a_write_apart_for_its_owner() {
    let mut a = node_in(&ALL);
    let (key, list) = key_where(a.ring().unwrap(), |list| list.fallbacks().contains(&A));
    let (id, owner) = (OpId(5), list.primaries()[1]);
    let versions = written(B, 1, true, &Context::default());
    let operation = PeerOperation::Merge { versions: versions.clone(), sync: false };
    let message =
        Message::ReplicaRequest { id, key: key.clone(), stands_for: Some(owner), operation };
    let operation = Operation::Merge { versions, sync: false };
    let task = Task::One { key, place: Place::Hint(owner), operation };
    let job = Effect::Replica(Job { asker: Asker::Peer(B, id), task });
    let hinted = Effect::Note(Note::Hinted(owner));
    assert_eq!(handle(&mut a, now(0), Input::Message(B, FIRST, message)), [hinted, job]);
}
