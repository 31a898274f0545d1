//! Requests that A coordinates while all is well, and how they end when time is up.

use super::{machine::Machine, *};
use std::slice::from_ref;

#[test]
fn a_put_is_stored_here_then_sent_and_answered_by_the_second_of_three() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    let id = next_op(&a);
    assert_eq!(
        handle(&mut a, now(10), put(&key)),
        [
            Effect::Persist(Record::Reserved(RESERVE)),
            own(id, &key, Place::Own, Operation::Write(draft(now(10).wall))),
        ]
    );

    let mut held = Versions::default();
    held.write(Write { version: version(now(10).wall), context: Context::default() });
    let stored = handle(&mut a, now(12), wrote(id, &held));
    assert_eq!(stored.len(), 2);
    for peer in [B, C] {
        assert!(stored.contains(&merge(peer, id, &key, &held, None)));
    }

    let written = Written {
        context: Some(held.context().answered_by(Some(A))),
        siblings: 1,
        acks: Acks { primaries: 2, fallbacks: 0, durable: 2 },
        coordinator: A,
    };
    assert_eq!(
        handle(&mut a, now(15), merged(C, id)),
        [finished(RequestKind::Put, true, 5), Effect::Reply(TOKEN, Reply::Written(written)),]
    );
    assert_eq!(handle(&mut a, now(16), merged(B, id)), []);
    assert_eq!(a.in_flight(), 0);
}

#[test]
fn a_read_ends_at_its_deadline_and_silent_replicas_are_not_asked_again() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    let id = next_op(&a);
    handle(&mut a, now(100), get(&key));
    assert_eq!(handle(&mut a, now(101), own_holds(id, &Versions::default())), []);
    assert_eq!(a.deadline(), now(400).instant, "then stand-ins are looked for");
    assert_eq!(handle(&mut a, now(400), Input::Tick), [], "there are none");
    assert_eq!(a.deadline(), now(1_000).instant, "gossip comes next");
    handle(&mut a, now(1_000), Input::Tick);
    handle(&mut a, now(2_000), Input::Tick);
    assert_eq!(a.deadline(), now(2_100).instant);
    assert_eq!(handle(&mut a, now(2_099), Input::Tick), []);
    assert_eq!(
        handle(&mut a, now(2_100), Input::Tick),
        [
            finished(RequestKind::Get, false, 2_000),
            refused(Refusal::TimedOut { needed: 2, had: 1 }),
            Effect::Note(Note::Lost(B)),
            Effect::Note(Note::Lost(C)),
        ]
    );
    let unavailable = Refusal::Unavailable { needed: 2, up: 1, of: 3 };
    assert_eq!(handle(&mut a, now(2_101), get(&key)), [refused(unavailable)]);
}

#[test]
fn no_request_takes_longer_than_the_longest() {
    let mut a = node_in(&[A, B, C]);
    let (key, timeout) = (Key::plain("k"), MAX_TIMEOUT * 10);
    let request = Request { key, command: Command::Get, wanted: Wanted::default(), timeout };
    handle(&mut a, now(0), Input::Request(TOKEN, request));
    let longest = u64::try_from(MAX_TIMEOUT.as_millis()).unwrap();
    handle(&mut a, now(longest - 1), Input::Tick);
    assert_eq!(a.in_flight(), 1);
    handle(&mut a, now(longest), Input::Tick);
    assert_eq!(a.in_flight(), 0);
}

#[test]
fn a_quorum_that_cannot_be_is_refused_at_once() {
    let mut a = node_in(&[A, B, C]);
    let key = Key::plain("k");
    let too_large = refused(Refusal::QuorumTooLarge { asked: 4, factor: 3 });
    for wanted in [
        Wanted { total: Some(4), ..Wanted::default() },
        Wanted { primaries: 4, ..Wanted::default() },
    ] {
        for command in [Command::Get, Command::Write(command())] {
            assert_eq!(handle(&mut a, now(0), ask(&key, command, wanted)), from_ref(&too_large));
        }
    }
}

#[test]
fn a_retry_makes_no_second_version() {
    let mut a = Machine::new(node_in(&[A, B, C]));
    let key = Key::plain("k");
    for _ in 0..2 {
        a.handle(now(0), put(&key));
        assert_eq!(a.held(Place::Own, &key).siblings(), [version(now(0).wall)]);
    }
}

/// The counters that a process had reserved and not used are lost, and never used twice.
#[test]
fn after_a_restart_counters_go_on_above_the_reserve() {
    let mut a = Machine::new(node_in(&[A, B, C]));
    let key = Key::plain("k");
    a.handle(now(0), put(&key));
    assert_eq!(a.replica.store().records(), [Record::Reserved(RESERVE)]);

    let mut config = Config { reserved: RESERVE, ..config(a.node.ring().cloned()) };
    config.member.generation = Generation(2);
    a.node = meet(Node::new(config), &[B, C]);
    let write = WriteCommand { request: RequestId([8; 16]), ..command() };
    a.handle(now(0), ask(&key, Command::Write(write), Wanted::default()));
    let held = a.held(Place::Own, &key);
    let counters: Vec<_> = held.siblings().iter().map(|v| v.dot.counter).collect();
    assert_eq!(counters, [1, RESERVE + 1]);
    assert_eq!(a.replica.store().records().last(), Some(&Record::Reserved(2 * RESERVE)));
}

/// A client that waits for one millisecond says nothing about the replicas.
#[test]
fn an_impatient_client_fails_nobody_elses_request() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    handle(&mut a, now(0), get(&key));
    let (command, timeout) = (Command::Get, Duration::from_millis(1));
    let hasty = Request { key, command, wanted: Wanted::default(), timeout };
    handle(&mut a, now(0), Input::Request(Token(8), hasty));
    let timed_out = Reply::Refused(Refusal::TimedOut { needed: 2, had: 0 });
    assert_eq!(
        handle(&mut a, now(1), Input::Tick),
        [finished(RequestKind::Get, false, 1), Effect::Reply(Token(8), timed_out)]
    );
    assert_eq!(a.in_flight(), 1);
}

/// A process that was paused finds its deadlines long past, and the answers unread.
#[test]
fn a_node_that_comes_late_itself_blames_nobody() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    handle(&mut a, now(100), get(&key));
    let out = handle(&mut a, now(9_000), Input::Tick);
    assert!(!out.iter().any(|e| matches!(e, Effect::Note(Note::Lost(_)))), "{out:?}");
}

#[test]
fn a_write_that_would_make_too_many_siblings_says_so_and_is_not_sent() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    let id = next_op(&a);
    handle(&mut a, now(0), put(&key));
    let (siblings, bytes) = (65, 1_000);
    let answer = ReplicaAnswer::TooManySiblings { siblings, bytes };
    assert_eq!(
        handle(&mut a, now(1), Input::Replica(Asker::Own(id), answer)),
        [
            finished(RequestKind::Put, false, 1),
            refused(Refusal::TooManySiblings { siblings, bytes }),
        ]
    );
}

#[test]
fn that_a_clock_was_cut_is_told() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    let id = next_op(&a);
    handle(&mut a, now(0), put(&key));
    let versions = written(A, 1, true, &Context::default());
    let answer = ReplicaAnswer::Wrote { versions, durable: true, truncated: 2 };
    let out = handle(&mut a, now(1), Input::Replica(Asker::Own(id), answer));
    assert!(out.contains(&Effect::Note(Note::Truncated { entries: 2 })));
}
