//! Everything reads back what it says, and garbage is refused without harm: here is what
//! messages and records may look like.

mod corpus;
mod damage;
mod reading_back;

use crate::{Malformed, record, v1};
use bytes::Bytes;
use dynamo_core::{
    gossip::{Entry, Gossip, Member, Pulse, Stage},
    id::{Actor, Dot, Generation, Incarnation, Life, NodeId, OpId, RequestId},
    key::Key,
    merkle::{Answer, FAN_OUT, Hash, Node, Page, Question},
    message::{ForwardedWrite, Message, PeerOperation},
    reap::{ReapRequest, ReapStep},
    replica::ReplicaAnswer,
    request::{Acks, Refusal, Wanted, WriteCommand, Written},
    ring::{Partition, Plan, Ring, RingTag, Seal, Seat},
    store::Held,
    time::Stamp,
    version::{Context, Version, VersionVector, Versions, Write},
};
use proptest::prelude::*;
use prost::Message as _;
use std::{sync::Arc, time::Duration};

fn bytes(min: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), min..6).prop_map(Bytes::from)
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    (bytes(1), bytes(0)).prop_map(|(p, s)| Key::new(p, s))
}

fn dot() -> impl Strategy<Value = Dot> {
    let counter = prop_oneof![1..1000u64, Just(u64::MAX)];
    (0..4u64, 0..2u32, 0..3u64, counter).prop_map(|(node, incarnation, life, counter)| {
        let (node, incarnation) = (NodeId(node), Incarnation(incarnation));
        Dot { actor: Actor { node, incarnation, life: Life(life) }, counter }
    })
}

fn vector() -> impl Strategy<Value = VersionVector> {
    prop::collection::vec((dot(), any::<u64>().prop_map(Stamp)), 0..5)
        .prop_map(|dots| dots.into_iter().collect())
}

pub(crate) fn context() -> impl Strategy<Value = Context> {
    let fastest = prop::option::of(any::<u64>().prop_map(NodeId));
    (vector(), versions(), fastest).prop_map(|(seen, other, fastest)| {
        let past = other.context().past().to_vec();
        // Who has seen nothing is sent no context, and nobody needs it.
        let fastest = fastest.filter(|_| !seen.is_empty() || !past.is_empty());
        Context::from_parts(seen, past, fastest).expect("any vector has any past")
    })
}

/// Versions with a history: writes at two coordinators in two lives of the record, some of
/// which saw all before.
fn versions() -> impl Strategy<Value = Versions> {
    let value = prop::option::of(bytes(0));
    let step = (0..2u64, 1..3u64, any::<bool>(), value, any::<u64>());
    prop::collection::vec(step, 0..8).prop_map(|steps| {
        let mut all = Versions::default();
        for (counter, (node, life, seen, value, stamp)) in (1..).zip(steps) {
            let (node, incarnation) = (NodeId(node), Incarnation(1));
            let actor = Actor { node, incarnation, life: Life(life) };
            let version = Version {
                dot: Dot { actor, counter },
                request: RequestId(u128::from(counter).to_be_bytes()),
                stamp: Stamp(stamp),
                value,
            };
            let context = if seen { all.context() } else { Context::default() };
            all.write(Write { version, context });
        }
        all
    })
}

fn ring() -> impl Strategy<Value = Ring> {
    let seat = (1..5u32, prop::sample::select(vec!["", "a", "b"]));
    (prop::collection::vec(seat, 1..6), 3..7u32, any::<[u8; 16]>()).prop_map(|(seats, q, seal)| {
        let seat = |(node, (weight, zone)): (u64, (u32, &str))| Seat {
            node: NodeId(node),
            zone: zone.into(),
            weight,
        };
        let plan = Plan {
            operation: "op".into(),
            partitions: 1 << q,
            factor: seats.len().min(3),
            seats: (1..).zip(seats).map(seat).collect(),
        };
        Ring::first(plan, Seal(seal)).expect("a valid plan")
    })
}

fn member() -> impl Strategy<Value = Member> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, "[a-z0-9.:-]{0,20}", "[a-z]{0,9}", any::<bool>()).prop_map(
        |((node, generation, heartbeat, ring_epoch), text, zone, stopping)| Member {
            node: NodeId(node),
            name: text.clone(),
            address: text.clone(),
            client_address: text.clone(),
            zone,
            version: text,
            generation: Generation(generation),
            heartbeat,
            ring_epoch,
            stopping,
        },
    )
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let suspects = prop::collection::vec(any::<u64>().prop_map(NodeId), 0..3);
    let entry = (member(), any::<u64>(), suspects).prop_map(|(member, changed, suspects)| Entry {
        member,
        changed,
        suspects,
    });
    prop::collection::vec(entry, 1..4)
}

fn pulses() -> impl Strategy<Value = Vec<Pulse>> {
    let pulse = any::<[u64; 4]>().prop_map(|[node, generation, heartbeat, changed]| Pulse {
        node: NodeId(node),
        generation: Generation(generation),
        heartbeat,
        changed,
    });
    prop::collection::vec(pulse, 0..4)
}

fn gossip() -> impl Strategy<Value = Gossip> {
    let ring = prop::option::of(ring().prop_map(Arc::new));
    let tag = any::<(u64, u64)>().prop_map(|(epoch, digest)| RingTag { epoch, digest });
    let wanted = prop::collection::vec(any::<u64>().prop_map(NodeId), 0..4);
    let stage = prop_oneof![
        (entries(), pulses())
            .prop_map(|(own, known)| Stage::Digest { own: Box::new(own[0].clone()), known }),
        (pulses(), entries(), wanted).prop_map(|(pulses, entries, wanted)| Stage::Answer {
            pulses,
            entries,
            wanted
        }),
        entries().prop_map(Stage::Entries),
    ];
    (stage, tag, ring).prop_map(|(stage, ring_tag, ring)| Gossip { stage, ring_tag, ring })
}

fn refusal() -> impl Strategy<Value = Refusal> {
    (0..100usize, 0..100usize, 0..100usize).prop_flat_map(|(a, b, c)| {
        prop::sample::select(vec![
            Refusal::NoRing,
            Refusal::QuorumTooLarge { asked: a, factor: b },
            Refusal::Unavailable { needed: a, up: b, of: c },
            Refusal::PrimariesUnavailable { needed: a, up: b, of: c },
            Refusal::NotStrict { one: a, other: b, factor: c },
            Refusal::TooManySiblings { siblings: a, bytes: b },
            Refusal::TimedOut { needed: a, had: b },
            Refusal::Indeterminate { needed: a, had: b },
            Refusal::Overloaded { limit: a },
            Refusal::Stopping,
            Refusal::Storage,
            Refusal::NotAReplica,
        ])
    })
}

fn written() -> impl Strategy<Value = Written> {
    let acks = [0..9usize, 0..9usize, 0..9usize];
    (prop::option::of(context()), 0..9usize, acks, any::<u64>()).prop_map(
        |(context, siblings, [primaries, fallbacks, durable], coordinator)| Written {
            context,
            siblings,
            acks: Acks { primaries, fallbacks, durable },
            coordinator: NodeId(coordinator),
        },
    )
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (prop::option::of(1..17usize), 0..17usize, any::<bool>())
        .prop_map(|(total, primaries, strict)| Wanted { total, primaries, strict })
}

fn forwarded() -> impl Strategy<Value = ForwardedWrite> {
    let value = prop::option::of(bytes(0));
    (key(), any::<[u8; 16]>(), context(), value, wanted(), any::<u32>()).prop_map(
        |(key, request, context, value, wanted, ms)| ForwardedWrite {
            key,
            write: WriteCommand { request: RequestId(request), context, value },
            wanted,
            timeout: Duration::from_millis(ms.into()),
        },
    )
}

/// Also such as make no sense: that is for the tree to say.
fn question() -> impl Strategy<Value = Question> {
    let partitions = prop::collection::vec(any::<u16>().prop_map(Partition), 0..5);
    let node = (any::<u8>(), any::<u16>()).prop_map(|(depth, index)| Node { depth, index });
    let leaves = (any::<u16>(), any::<u16>(), prop::option::of(key()));
    prop_oneof![
        (partitions, any::<u32>().prop_map(|q| usize::try_from(q).expect("64 bits")))
            .prop_map(|(partitions, q)| Question::Roots { partitions, q }),
        prop::collection::vec(node, 0..5).prop_map(Question::Children),
        leaves.prop_map(|(first, last, after)| Question::Keys { first, last, after }),
    ]
}

fn tree_answer() -> impl Strategy<Value = Answer> {
    let hash = || any::<u64>().prop_map(Hash);
    let children = prop::collection::vec(any::<[u64; FAN_OUT]>(), 0..3);
    let keys = prop::collection::vec((key(), hash()), 0..4);
    prop_oneof![
        prop::collection::vec(hash(), 0..5).prop_map(Answer::Roots),
        children.prop_map(|all| Answer::Children(all.into_iter().map(|n| n.map(Hash)).collect())),
        (keys, any::<bool>()).prop_map(|(keys, more)| Answer::Keys(Page { keys, more })),
    ]
}

fn reap_request() -> impl Strategy<Value = ReapRequest> {
    use ReapStep::{Confirm, Pledge, Reap, Release};
    let step = prop::sample::select(vec![Pledge, Confirm, Reap, Release]);
    let ring = any::<(u64, u64)>().prop_map(|(epoch, digest)| RingTag { epoch, digest });
    let graves = prop::collection::vec((key(), versions()), 0..3);
    (step, ring, graves).prop_map(|(step, ring, graves)| ReapRequest { step, ring, graves })
}

fn message() -> impl Strategy<Value = Message> {
    let id = || any::<u64>().prop_map(OpId);
    let stands_for = prop::option::of(any::<u64>().prop_map(NodeId));
    let operation = prop_oneof![
        Just(PeerOperation::Read),
        (versions(), any::<bool>())
            .prop_map(|(versions, sync)| PeerOperation::Merge { versions, sync }),
    ];
    let answer = prop_oneof![
        versions().prop_map(ReplicaAnswer::Holds),
        any::<bool>().prop_map(|durable| ReplicaAnswer::Merged { durable }),
        Just(ReplicaAnswer::Failed),
    ];
    let result = prop_oneof![written().prop_map(Ok), refusal().prop_map(Err)];
    let agreed = prop::collection::vec(any::<bool>(), 0..5);
    prop_oneof![
        (id(), key(), stands_for, operation).prop_map(|(id, key, stands_for, operation)| {
            Message::ReplicaRequest { id, key, stands_for, operation }
        }),
        (id(), answer).prop_map(|(id, answer)| Message::ReplicaResponse { id, answer }),
        (id(), forwarded()).prop_map(|(id, write)| Message::ForwardRequest { id, write }),
        (id(), result).prop_map(|(id, result)| Message::ForwardResponse { id, result }),
        (id(), question()).prop_map(|(id, question)| Message::TreeRequest { id, question }),
        (id(), tree_answer()).prop_map(|(id, answer)| Message::TreeResponse { id, answer }),
        (id(), reap_request()).prop_map(|(id, request)| Message::ReapRequest { id, request }),
        (id(), agreed).prop_map(|(id, agreed)| Message::ReapResponse { id, agreed }),
        gossip().prop_map(Message::Gossip),
    ]
}

fn held() -> impl Strategy<Value = Held> {
    (versions(), any::<u64>()).prop_map(|(versions, life)| Held { versions, life: Life(life) })
}

fn identity() -> impl Strategy<Value = record::Identity> {
    let numbers = (any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>());
    (any::<[u8; 16]>(), numbers, "[0-9a-f-]{0,36}", any::<bool>()).prop_map(
        |(cluster, (node, incarnation, generation, reserved), boot_id, clean)| record::Identity {
            cluster,
            node: NodeId(node),
            incarnation: Incarnation(incarnation),
            generation: Generation(generation),
            reserved,
            boot_id,
            clean,
        },
    )
}

fn encode(message: &Message) -> Vec<u8> {
    v1::Message::from(message.clone()).encode_to_vec()
}

fn read(encoded: &[u8]) -> Result<Message, Malformed> {
    v1::Message::decode(encoded)?.try_into()
}
