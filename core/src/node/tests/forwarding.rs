//! Writes that come to a node which is not among the first N that can be reached.

use super::*;

/// A key of which A is the last in the preference list of the five.
fn elsewhere(a: &Node) -> (Key, PreferenceList) {
    key_where(a.ring().unwrap(), |list| list.fallbacks().last() == Some(&A))
}

/// To whom a write is forwarded, which must be all that happens.
fn forwarded(effects: &[Effect], id: OpId, key: &Key, timeout: u64) -> NodeId {
    let [Effect::Send(to, message)] = effects else { panic!("{effects:?}") };
    let timeout = Duration::from_millis(timeout);
    let wanted = Wanted { total: Some(2), ..Wanted::default() };
    let write = ForwardedWrite { key: key.clone(), write: command(), wanted, timeout };
    assert_eq!(*message, Message::ForwardRequest { id, write });
    *to
}

fn answered(by: NodeId, id: OpId, result: Result<Written, Refusal>) -> Input {
    Input::Message(by, FIRST, Message::ForwardResponse { id, result })
}

#[test]
fn a_write_is_forwarded_to_a_replica_and_to_another_when_that_is_gone() {
    let mut a = node_in(&ALL);
    let (key, list) = elsewhere(&a);
    let id = next_op(&a);
    let first = forwarded(&handle(&mut a, now(0), put(&key)), id, &key, 1_800);
    assert!(list.primaries().contains(&first));
    let id = next_op(&a);
    let lost = handle(&mut a, now(1_000), Input::Unreachable(first));
    assert_eq!(lost[0], Effect::Note(Note::Lost(first)));
    let second = forwarded(&lost[1..], id, &key, 900);
    assert_ne!(first, second);

    let acks = Acks { primaries: 2, fallbacks: 0, durable: 2 };
    let written = Written { context: None, siblings: 2, acks, coordinator: second };
    assert_eq!(
        handle(&mut a, now(1_200), answered(second, id, Ok(written.clone()))),
        [
            finished(RequestKind::Forward, true, 1_200),
            Effect::Reply(TOKEN, Reply::Written(written)),
        ]
    );
}

/// Who reads and then writes finds his write where he will read it.
#[test]
fn a_write_goes_to_the_node_that_answered_the_read_fastest() {
    for place in 0..3 {
        let mut a = node_in(&ALL);
        let (key, list) = elsewhere(&a);
        let fastest = list.primaries()[place];
        let context = Context::default().answered_by(Some(fastest));
        let write = Command::Write(WriteCommand { context, ..command() });
        let out = handle(&mut a, now(0), ask(&key, write, Wanted::default()));
        assert!(matches!(&out[..], [Effect::Send(to, _)] if *to == fastest), "{out:?}");
    }
}

#[test]
fn a_fastest_node_that_is_gone_is_passed_over() {
    let mut a = node_in(&ALL);
    let (key, list) = elsewhere(&a);
    let fastest = list.primaries()[1];
    handle(&mut a, now(0), Input::Unreachable(fastest));
    let context = Context::default().answered_by(Some(fastest));
    let write = Command::Write(WriteCommand { context, ..command() });
    let out = handle(&mut a, now(0), ask(&key, write, Wanted::default()));
    assert!(matches!(&out[..], [Effect::Send(to, _)] if *to != fastest), "{out:?}");
}

/// Each of the three is asked once; when all have refused, A takes the write itself and
/// keeps it for the last of them.
#[test]
fn when_all_have_refused_the_node_coordinates_the_write_itself() {
    let mut a = node_in(&ALL);
    let (key, list) = elsewhere(&a);
    let mut asked = Vec::new();
    let mut id = next_op(&a);
    let mut out = handle(&mut a, now(0), put(&key));
    for _ in 0..3 {
        let to = forwarded(&out, id, &key, 1_800);
        assert!(!asked.contains(&to), "nobody is asked twice");
        asked.push(to);
        let before = id;
        id = next_op(&a);
        out = handle(&mut a, now(0), answered(to, before, Err(Refusal::Overloaded { limit: 1 })));
    }
    let owner = list.primaries()[2];
    let write = Operation::Write(draft(now(0).wall));
    assert_eq!(
        out,
        [
            Effect::Note(Note::Hinted(owner)),
            Effect::Persist(Record::Reserved(RESERVE)),
            own(id, &key, Place::Hint(owner), write),
        ]
    );
}

/// A strict write is for primaries only.
#[test]
fn a_strict_write_that_all_have_refused_is_refused() {
    let mut a = node_in(&ALL);
    let (key, _) = elsewhere(&a);
    let wanted = Wanted { strict: true, ..Wanted::default() };
    let mut id = next_op(&a);
    let mut out = handle(&mut a, now(0), ask(&key, Command::Write(command()), wanted));
    for _ in 0..3 {
        let [Effect::Send(to, Message::ForwardRequest { write, .. })] = &out[..] else {
            panic!("{out:?}")
        };
        assert!(write.wanted.strict);
        let refusal = answered(*to, id, Err(Refusal::Stopping));
        id = next_op(&a);
        out = handle(&mut a, now(0), refusal);
    }
    let nobody = Refusal::Unavailable { needed: 2, up: 0, of: 3 };
    assert_eq!(replied(&out), Some(&Reply::Refused(nobody)));
}

/// The first may have applied it before it went away.
#[test]
fn after_a_coordinator_was_lost_a_refusal_leaves_the_outcome_open() {
    let mut a = node_in(&ALL);
    let (key, _) = elsewhere(&a);
    let id = next_op(&a);
    let first = forwarded(&handle(&mut a, now(0), put(&key)), id, &key, 1_800);
    let id = next_op(&a);
    let out = handle(&mut a, now(0), Input::Unreachable(first));
    let second = forwarded(&out[1..], id, &key, 1_800);
    let refusal = Refusal::Unavailable { needed: 2, up: 1, of: 3 };
    let out = handle(&mut a, now(0), answered(second, id, Err(refusal)));
    let open = Refusal::Indeterminate { needed: 2, had: 0 };
    assert_eq!(replied(&out), Some(&Reply::Refused(open)));
}

#[test]
fn a_forwarded_write_is_not_sent_on() {
    let mut a = node_in(&ALL);
    let (timeout, wanted) = (Duration::from_secs(1), Wanted::default());
    let write = ForwardedWrite { key: elsewhere(&a).0, write: command(), wanted, timeout };
    let id = OpId(5);
    let input = Input::Message(B, FIRST, Message::ForwardRequest { id, write });
    let result = Err(Refusal::NotAReplica);
    let answer = Effect::Send(B, Message::ForwardResponse { id, result });
    assert_eq!(handle(&mut a, now(0), input), [answer]);
}

/// All others are down: A is the first that can be reached, and the only one.
#[test]
fn a_node_that_is_left_alone_takes_writes_of_one_copy() {
    let mut a = node_in(&ALL);
    let (key, list) = elsewhere(&a);
    for node in [B, C, D, E] {
        handle(&mut a, now(0), Input::Unreachable(node));
    }
    let two = Refusal::Unavailable { needed: 2, up: 1, of: 3 };
    assert_eq!(handle(&mut a, now(0), put(&key)), [refused(two)]);

    let (id, owner) = (next_op(&a), list.primaries()[0]);
    let wanted = Wanted { total: Some(1), ..Wanted::default() };
    assert_eq!(
        handle(&mut a, now(0), ask(&key, Command::Write(command()), wanted)),
        [
            Effect::Note(Note::Hinted(owner)),
            Effect::Persist(Record::Reserved(RESERVE)),
            own(id, &key, Place::Hint(owner), Operation::Write(draft(now(0).wall))),
        ]
    );
    let held = written(A, 1, true, &Context::default());
    let out = handle(&mut a, now(1), wrote(id, &held));
    let Some(Reply::Written(written)) = replied(&out) else { panic!("{out:?}") };
    assert_eq!(written.acks, Acks { primaries: 0, fallbacks: 1, durable: 1 });
}
