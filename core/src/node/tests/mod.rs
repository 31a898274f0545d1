//! Whole nodes: what comes in, and exactly what goes out. Node A alone, its peers played by
//! the test; [`machine`] gives it a disk, [`cluster`] gives it real peers.

mod cluster;
mod coordinating;
mod entropy;
mod forwarding;
mod handing_off;
mod lives;
mod machine;
mod reaping;
mod reaping_at_a_member;
mod repair;
mod ring;
mod sloppy;
mod strict;

use super::*;
use crate::{
    gossip::{Entry, Gossip, Stage},
    id::{Actor, Dot, Life, RequestId},
    key::Key,
    message::{ForwardedWrite, PeerOperation},
    replica::{Draft, Operation, Task},
    request::{Acks, Command, MAX_TIMEOUT, Refusal, Wanted, WriteCommand, Written},
    ring::{Plan, PreferenceList, RingTag, Seal, Seat},
    store::Place,
    time::Stamp,
    version::{Context, Version, Versions, Write},
};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);
const D: NodeId = NodeId(4);
const E: NodeId = NodeId(5);
const ALL: [NodeId; 5] = [A, B, C, D, E];
const FIRST: Generation = Generation(1);
const TOKEN: Token = Token(7);
const REQUEST: RequestId = RequestId([9; 16]);

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

fn laid(members: &[NodeId]) -> Arc<Ring> {
    Arc::new(Ring::first(plan(members), Seal([0; 16])).unwrap())
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
        reaping: Reaping::default(),
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
    // The first round of gossip and of background work is not what these tests are about.
    handle(&mut node, now(0), Input::Tick);
    node
}

/// Node A of a ring of these members, all of them up.
fn node_in(members: &[NodeId]) -> Node {
    meet(Node::new(config(Some(laid(members)))), &members[1..])
}

/// What the next request will be called.
fn next_op(node: &Node) -> OpId {
    node.next_op
}

/// A key whose preference list is such, and that list.
fn key_where(ring: &Ring, fits: impl Fn(&PreferenceList) -> bool) -> (Key, PreferenceList) {
    let listed = |n: u32| {
        let key = Key::plain(format!("k{n}"));
        let list = ring.preference_list(ring.partition_of(&key));
        (key, list)
    };
    (0..10_000).map(listed).find(|(_, list)| fits(list)).expect("some key has such a list")
}

/// A key of which A is the first primary.
fn key_of_a(ring: &Ring) -> (Key, PreferenceList) {
    key_where(ring, |list| list.primaries()[0] == A)
}

fn command() -> WriteCommand {
    WriteCommand { request: REQUEST, context: Context::default(), value: Some("v".into()) }
}

fn ask(key: &Key, command: Command, wanted: Wanted) -> Input {
    let timeout = Duration::from_secs(2);
    Input::Request(TOKEN, Request { key: key.clone(), command, wanted, timeout })
}

fn put(key: &Key) -> Input {
    ask(key, Command::Write(command()), Wanted::default())
}

fn get(key: &Key) -> Input {
    ask(key, Command::Get, Wanted::default())
}

/// What A stores for [`put`] as its first write.
fn draft(stamp: Stamp) -> Draft {
    Draft {
        node: A,
        incarnation: Incarnation(1),
        counter: 1,
        request: REQUEST,
        stamp,
        value: Some("v".into()),
        context: Context::default(),
    }
}

/// The version that becomes of it.
fn version(stamp: Stamp) -> Version {
    Version { dot: dot(A, 1, 1), request: REQUEST, stamp, value: Some("v".into()) }
}

fn dot(node: NodeId, life: u64, counter: u64) -> Dot {
    Dot { actor: Actor { node, incarnation: Incarnation(1), life: Life(life) }, counter }
}

/// One write at a node; the value is its number.
fn written(node: NodeId, n: u64, value: bool, context: &Context) -> Versions {
    let value = value.then(|| n.to_string().into());
    let request = RequestId(u128::from(n).to_be_bytes());
    let version = Version { dot: dot(node, n, n), request, stamp: Stamp(n), value };
    let mut versions = Versions::default();
    versions.write(Write { version, context: context.clone() });
    versions
}

fn own(id: OpId, key: &Key, place: Place, operation: Operation) -> Effect {
    let task = Task::One { key: key.clone(), place, operation };
    Effect::Replica(Job { asker: Asker::Own(id), task })
}

fn sent(
    to: NodeId,
    id: OpId,
    key: &Key,
    stands_for: Option<NodeId>,
    operation: PeerOperation,
) -> Effect {
    let message = Message::ReplicaRequest { id, key: key.clone(), stands_for, operation };
    Effect::Send(to, message)
}

fn read(to: NodeId, id: OpId, key: &Key, stands_for: Option<NodeId>) -> Effect {
    sent(to, id, key, stands_for, PeerOperation::Read)
}

fn merge(to: NodeId, id: OpId, key: &Key, held: &Versions, stands_for: Option<NodeId>) -> Effect {
    let operation = PeerOperation::Merge { versions: held.clone(), sync: false };
    sent(to, id, key, stands_for, operation)
}

fn answers(by: NodeId, id: OpId, answer: ReplicaAnswer) -> Input {
    Input::Message(by, FIRST, Message::ReplicaResponse { id, answer })
}

fn merged(by: NodeId, id: OpId) -> Input {
    answers(by, id, ReplicaAnswer::Merged { durable: true })
}

fn holds(by: NodeId, id: OpId, versions: &Versions) -> Input {
    answers(by, id, ReplicaAnswer::Holds(versions.clone()))
}

fn own_holds(id: OpId, versions: &Versions) -> Input {
    Input::Replica(Asker::Own(id), ReplicaAnswer::Holds(versions.clone()))
}

fn wrote(id: OpId, versions: &Versions) -> Input {
    let versions = versions.clone();
    let answer = ReplicaAnswer::Wrote { versions, durable: true, truncated: 0 };
    Input::Replica(Asker::Own(id), answer)
}

fn finished(kind: RequestKind, ok: bool, took: u64) -> Effect {
    Effect::Note(Note::Finished { kind, ok, took: Duration::from_millis(took) })
}

fn refused(refusal: Refusal) -> Effect {
    Effect::Reply(TOKEN, Reply::Refused(refusal))
}

/// What the client is told, if it is.
fn replied(effects: &[Effect]) -> Option<&Reply> {
    effects.iter().find_map(|effect| match effect {
        Effect::Reply(_, reply) => Some(reply),
        _ => None,
    })
}
