//! Whole nodes: what comes in, and exactly what goes out.

use super::*;
use crate::{
    gossip::{Entry, Gossip, Stage},
    id::{Actor, Dot, RequestId},
    key::Key,
    message::{ForwardedWrite, PeerOperation},
    replica::{self, Operation},
    request::{Acks, Command, MAX_TIMEOUT, Refusal, WriteCommand, Written},
    ring::{Plan, RingTag, Seal, Seat},
    store::MemoryStore,
    time::Stamp,
    version::{Context, Version, Versions, Write},
};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const D: NodeId = NodeId(4);
const FIRST: Generation = Generation(1);
const TOKEN: Token = Token(7);
const REQUEST: RequestId = RequestId([9; 16]);
/// The first request of the first generation.
const OP: OpId = OpId(1 << OPS_PER_GENERATION);

fn now(ms: u64) -> Now {
    Now { instant: Instant(Duration::from_millis(ms)), wall: Stamp(1_000_000 + ms) }
}

fn member(node: NodeId) -> Member {
    Member {
        node,
        name: String::new(),
        address: format!("{node}:1"),
        client_address: String::new(),
        zone: String::new(),
        version: String::new(),
        generation: FIRST,
        heartbeat: 0,
        ring_epoch: 0,
        stopping: false,
    }
}

fn plan(members: &[NodeId]) -> Plan {
    let seat = |&node: &NodeId| Seat { node, zone: String::new(), weight: 1 };
    let seats = members.iter().map(seat).collect();
    Plan { operation: "first".into(), partitions: 8, factor: 3, seats }
}

fn config(ring: Option<Arc<Ring>>) -> Config {
    Config {
        member: member(A),
        incarnation: Incarnation(1),
        seeds: vec![],
        read_quorum: 2,
        write_quorum: 2,
        reserved: 0,
        ring,
        seed: 1,
    }
}

fn handle(node: &mut Node, now: Now, input: Input) -> Vec<Effect> {
    let mut out = Vec::new();
    node.handle(now, input, &mut out);
    out
}

/// Gossip from a node that holds a ring of this tag.
fn told(by: NodeId, members: Vec<Member>, ring_tag: RingTag) -> Input {
    let stage = Stage::Entries(members.into_iter().map(Entry::new).collect());
    Input::Message(by, FIRST, Message::Gossip(Gossip { stage, ring_tag, ring: None }))
}

/// Node A, which has heard of the others.
fn meet(mut node: Node, others: &[NodeId]) -> Node {
    for &other in others {
        handle(&mut node, now(0), told(other, vec![member(other)], RingTag::MAX));
    }
    // The first round of gossip is not what these tests are about.
    handle(&mut node, now(0), Input::Tick);
    node
}

/// Node A of a ring of these members, all of them up.
fn node_in(members: &[NodeId]) -> Node {
    let ring = Ring::first(plan(members), Seal([0; 16])).unwrap();
    meet(Node::new(config(Some(Arc::new(ring)))), &members[1..])
}

fn command() -> WriteCommand {
    WriteCommand { request: REQUEST, context: Context::default(), value: Some("v".into()) }
}

fn put(key: &Key) -> Input {
    let (command, timeout) = (Command::Write(command()), Duration::from_secs(2));
    Input::Request(TOKEN, Request { key: key.clone(), command, quorum: None, timeout })
}

fn get(key: &Key) -> Input {
    let timeout = Duration::from_secs(2);
    Input::Request(
        TOKEN,
        Request { key: key.clone(), command: Command::Get, quorum: None, timeout },
    )
}

/// The version that A makes of [`put`] as its first.
fn version(stamp: Stamp) -> Version {
    let actor = Actor { node: A, incarnation: Incarnation(1) };
    let dot = Dot { actor, counter: 1 };
    Version { dot, request: REQUEST, stamp, value: Some("v".into()) }
}

fn finished(kind: RequestKind, ok: bool, took: u64) -> Effect {
    Effect::Note(Note::Finished { kind, ok, took: Duration::from_millis(took) })
}

fn refused(refusal: Refusal) -> Effect {
    Effect::Reply(TOKEN, Reply::Refused(refusal))
}

#[test]
fn a_put_is_stored_here_then_sent_and_answered_by_the_second_of_three() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    let write = Write { version: version(now(10).wall), context: Context::default() };
    let (asker, operation) = (Asker::Own(OP), Operation::Write(write.clone()));
    assert_eq!(
        handle(&mut a, now(10), put(&key)),
        [
            Effect::Persist(Record::Reserved(RESERVE)),
            Effect::Replica(Job { asker, key: key.clone(), operation }),
        ]
    );

    let mut versions = Versions::default();
    versions.write(write);
    let wrote = ReplicaAnswer::Wrote { versions: versions.clone(), durable: true };
    let merge = |to| {
        let operation = PeerOperation::Merge(versions.clone());
        Effect::Send(to, Message::ReplicaRequest { id: OP, key: key.clone(), operation })
    };
    let stored = handle(&mut a, now(12), Input::Replica(asker, wrote));
    assert_eq!(stored.len(), 2);
    assert!(stored.contains(&merge(B)) && stored.contains(&merge(C)));

    let merged =
        || Message::ReplicaResponse { id: OP, answer: ReplicaAnswer::Merged { durable: true } };
    let written = Written {
        context: Some(versions.context()),
        siblings: 1,
        acks: Acks { primaries: 2, fallbacks: 0, durable: 2 },
        coordinator: A,
    };
    assert_eq!(
        handle(&mut a, now(15), Input::Message(C, FIRST, merged())),
        [finished(RequestKind::Put, true, 5), Effect::Reply(TOKEN, Reply::Written(written)),]
    );
    assert_eq!(handle(&mut a, now(16), Input::Message(B, FIRST, merged())), []);
    assert_eq!(a.in_flight(), 0);
}

/// A key of which A holds no replica.
fn elsewhere(a: &Node) -> Key {
    let ring = a.ring().unwrap();
    let away = |key: &Key| !ring.primaries(ring.partition_of(key)).contains(&A);
    (0..).map(|n| Key::plain(format!("k{n}"))).find(away).unwrap()
}

/// To whom a write is forwarded, which must be all that happens.
fn forwarded(effects: &[Effect], key: &Key, timeout: u64) -> NodeId {
    let [Effect::Send(to, message)] = effects else { panic!("{effects:?}") };
    let timeout = Duration::from_millis(timeout);
    let write = ForwardedWrite { key: key.clone(), write: command(), quorum: 2, timeout };
    assert_eq!(*message, Message::ForwardRequest { id: OP, write });
    *to
}

#[test]
fn a_write_is_forwarded_to_a_replica_and_to_another_when_that_is_gone() {
    let mut a = node_in(&[A, B, C, D]);
    let key = elsewhere(&a);
    let first = forwarded(&handle(&mut a, now(0), put(&key)), &key, 1_800);
    let lost = handle(&mut a, now(1_000), Input::Unreachable(first));
    assert_eq!(lost[0], Effect::Note(Note::Lost(first)));
    let second = forwarded(&lost[1..], &key, 900);
    assert_ne!(first, second);

    let acks = Acks { primaries: 2, fallbacks: 0, durable: 2 };
    let written = Written { context: None, siblings: 2, acks, coordinator: second };
    let message = Message::ForwardResponse { id: OP, result: Ok(written.clone()) };
    assert_eq!(
        handle(&mut a, now(1_200), Input::Message(second, FIRST, message)),
        [
            finished(RequestKind::Forward, true, 1_200),
            Effect::Reply(TOKEN, Reply::Written(written)),
        ]
    );
}

#[test]
fn a_forwarded_write_is_not_sent_on() {
    let mut a = node_in(&[A, B, C, D]);
    let timeout = Duration::from_secs(1);
    let write = ForwardedWrite { key: elsewhere(&a), write: command(), quorum: 2, timeout };
    let id = OpId(5);
    let input = Input::Message(B, FIRST, Message::ForwardRequest { id, write });
    let result = Err(Refusal::NotAReplica);
    let answer = Effect::Send(B, Message::ForwardResponse { id, result });
    assert_eq!(handle(&mut a, now(0), input), [answer]);
}

#[test]
fn the_ring_is_laid_once_and_over_members_that_are_up() {
    let order = |plan| Input::Order(TOKEN, Order::Bootstrap { plan, seal: Seal([0; 16]) });
    let obeyed = |result| Effect::Obeyed(TOKEN, result);
    let mut a = meet(Node::new(config(None)), &[B]);
    let not_up = obeyed(Err(OrderRefused::NotUp(C)));
    assert_eq!(handle(&mut a, now(0), order(plan(&[A, B, C]))), [not_up]);
    assert_eq!(handle(&mut a, now(0), put(&Key::plain("k"))), [refused(Refusal::NoRing)]);
    assert!(!a.is_ready(now(0)));

    let mut a = meet(a, &[C]);
    let laid = handle(&mut a, now(0), order(plan(&[A, B, C])));
    let ring = a.ring().unwrap().clone();
    assert_eq!(laid[0], Effect::Persist(Record::Ring(ring)));
    assert_eq!(laid.last(), Some(&obeyed(Ok(1))));
    assert!(a.is_ready(now(0)));

    assert_eq!(handle(&mut a, now(0), order(plan(&[A, B, C]))), [obeyed(Ok(1))]);
    let second = Plan { operation: "second".into(), ..plan(&[A, B, C]) };
    let exists = OrderRefused::RingExists { operation: "first".into(), epoch: 1 };
    assert_eq!(handle(&mut a, now(0), order(second)), [obeyed(Err(exists))]);
}

#[test]
fn a_node_that_is_told_to_stop_tells_the_others_and_takes_nothing_more() {
    let mut a = node_in(&[A, B, C]);
    handle(&mut a, now(0), get(&Key::plain("k")));
    let out = handle(&mut a, now(1), Input::Order(TOKEN, Order::Stop));
    let told: Vec<_> = out
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(to, Message::Gossip(g)) if g.stage.entries()[0].member.stopping => {
                Some(*to)
            }
            _ => None,
        })
        .collect();
    assert_eq!(told, [B, C]);
    assert_eq!(out.last(), Some(&Effect::Obeyed(TOKEN, Ok(1))));
    assert_eq!(handle(&mut a, now(2), put(&Key::plain("k"))), [refused(Refusal::Stopping)]);
    assert!(!a.is_ready(now(2)));
    assert_eq!(a.in_flight(), 1, "what it has begun it ends");
}

#[test]
fn a_read_ends_at_its_deadline_and_silent_replicas_are_not_asked_again() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    handle(&mut a, now(100), get(&key));
    let holds = ReplicaAnswer::Holds(Versions::default());
    assert_eq!(handle(&mut a, now(101), Input::Replica(Asker::Own(OP), holds)), []);
    assert_eq!(a.deadline(), now(1_000).instant, "gossip comes first");
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
    let request = Request { key, command: Command::Get, quorum: None, timeout };
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
    let (key, timeout) = (Key::plain("k"), Duration::from_secs(1));
    let request = Request { key, command: Command::Get, quorum: Some(4), timeout };
    let too_large = refused(Refusal::QuorumTooLarge { asked: 4, factor: 3 });
    assert_eq!(handle(&mut a, now(0), Input::Request(TOKEN, request)), [too_large]);
}

/// Runs what a node wants of its replica, until it wants nothing more.
fn settle(node: &mut Node, store: &mut MemoryStore, mut effects: Vec<Effect>) {
    loop {
        let (mut jobs, mut records) = (Vec::new(), Vec::new());
        for effect in effects.drain(..) {
            match effect {
                Effect::Replica(job) => jobs.push(job),
                Effect::Persist(record) => records.push(record),
                _ => {}
            }
        }
        if jobs.is_empty() {
            return;
        }
        for (asker, answer) in replica::run(store, jobs, records).unwrap() {
            effects.extend(handle(node, now(0), Input::Replica(asker, answer)));
        }
    }
}

fn held(store: &MemoryStore, key: &Key) -> Versions {
    crate::store::Store::get(store, key).unwrap().unwrap_or_default()
}

#[test]
fn a_retry_makes_no_second_version() {
    let (mut a, mut store) = (node_in(&[A, B, C]), MemoryStore::default());
    let key = Key::plain("k");
    for _ in 0..2 {
        let effects = handle(&mut a, now(0), put(&key));
        settle(&mut a, &mut store, effects);
        assert_eq!(held(&store, &key).siblings(), [version(now(0).wall)]);
    }
}

/// The counters that a process had reserved and not used are lost, and never used twice.
#[test]
fn after_a_restart_counters_go_on_above_the_reserve() {
    let (mut a, mut store) = (node_in(&[A, B, C]), MemoryStore::default());
    let key = Key::plain("k");
    let effects = handle(&mut a, now(0), put(&key));
    settle(&mut a, &mut store, effects);
    assert_eq!(store.records(), [Record::Reserved(RESERVE)]);

    let mut config = Config { reserved: RESERVE, ..config(a.ring().cloned()) };
    config.member.generation = Generation(2);
    let mut a = meet(Node::new(config), &[B, C]);
    let other = RequestId([8; 16]);
    let write = WriteCommand { request: other, ..command() };
    let (command, timeout) = (Command::Write(write), Duration::from_secs(2));
    let request = Request { key: key.clone(), command, quorum: None, timeout };
    let effects = handle(&mut a, now(0), Input::Request(TOKEN, request));
    settle(&mut a, &mut store, effects);
    let counters: Vec<_> = held(&store, &key).siblings().iter().map(|v| v.dot.counter).collect();
    assert_eq!(counters, [1, RESERVE + 1]);
    assert_eq!(store.records().last(), Some(&Record::Reserved(2 * RESERVE)));
}

/// Two nodes are told to lay the ring while they do not hear each other. Both rings are
/// of epoch 1; when the nodes meet again they must agree on one of them.
#[test]
fn two_rings_that_were_laid_apart_become_one() {
    let mut nodes = [A, B].map(|id| {
        let mut config = config(None);
        config.member = member(id);
        Node::new(config)
    });
    for (node, (other, seal)) in nodes.iter_mut().zip([(B, 1), (A, 2)]) {
        handle(node, now(0), told(other, vec![member(other)], RingTag::default()));
        let plan = Plan { factor: 2, ..plan(&[A, B]) };
        let order = Order::Bootstrap { plan, seal: Seal([seal; 16]) };
        handle(node, now(0), Input::Order(TOKEN, order));
    }
    let tag = |node: &Node| node.ring().map(|r| r.tag());
    assert_ne!(tag(&nodes[0]), tag(&nodes[1]));

    let mut sent = vec![(A, handle(&mut nodes[0], now(1_000), Input::Tick))];
    while let Some((from, effects)) = sent.pop() {
        for effect in effects {
            if let Effect::Send(to, message) = effect {
                let receiver = &mut nodes[usize::from(to == B)];
                let said = Input::Message(from, FIRST, message);
                sent.push((to, handle(receiver, now(1_000), said)));
            }
        }
    }
    assert_eq!(tag(&nodes[0]), tag(&nodes[1]));
}

/// A client that waits for one millisecond says nothing about the replicas.
#[test]
fn an_impatient_client_fails_nobody_elses_request() {
    let (mut a, key) = (node_in(&[A, B, C]), Key::plain("k"));
    handle(&mut a, now(0), get(&key));
    let (command, timeout) = (Command::Get, Duration::from_millis(1));
    let hasty = Request { key: key.clone(), command, quorum: None, timeout };
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
fn a_node_whose_disk_was_put_back_to_an_older_state_takes_no_requests() {
    let mut a = node_in(&[A, B, C]);
    let later = Member { generation: Generation(2), ..member(A) };
    let out = handle(&mut a, now(0), told(B, vec![member(B), later], RingTag::MAX));
    assert_eq!(out, [Effect::Note(Note::Superseded)]);
    assert_eq!(handle(&mut a, now(0), put(&Key::plain("k"))), [refused(Refusal::Stopping)]);
    assert!(!a.is_ready(now(0)));
}
