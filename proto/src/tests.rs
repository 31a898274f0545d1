//! Everything reads back what it says, and garbage is refused without harm.

use crate::{Malformed, record, v1};
use bytes::Bytes;
use dynamo_core::{
    gossip::{Entry, Gossip, Member, Pulse, Stage},
    id::{Actor, Dot, Generation, Incarnation, Life, NodeId, OpId, RequestId},
    key::Key,
    message::{ForwardedWrite, Message, PeerOperation},
    replica::ReplicaAnswer,
    request::{Acks, Refusal, WriteCommand, Written},
    ring::{Plan, Ring, RingTag, Seal, Seat},
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
    (0..4u64, 0..2u32, 1..1000u64).prop_map(|(node, incarnation, counter)| {
        let actor =
            Actor { node: NodeId(node), incarnation: Incarnation(incarnation), life: Life(1) };
        Dot { actor, counter }
    })
}

fn vector() -> impl Strategy<Value = VersionVector> {
    prop::collection::vec((dot(), any::<u64>().prop_map(Stamp)), 0..5)
        .prop_map(|dots| dots.into_iter().collect())
}

pub(crate) fn context() -> impl Strategy<Value = Context> {
    (vector(), versions()).prop_map(|(seen, other)| {
        let past = other.context().past().to_vec();
        Context::from_parts(seen, past, None).expect("any vector has any past")
    })
}

/// Versions with a history: writes at two coordinators, some of which saw all before.
fn versions() -> impl Strategy<Value = Versions> {
    let value = prop::option::of(bytes(0));
    let step = (0..2u64, any::<bool>(), value, 0..100_000u64);
    prop::collection::vec(step, 0..8).prop_map(|steps| {
        let mut all = Versions::default();
        for (counter, (node, seen, value, stamp)) in (1..).zip(steps) {
            let actor = Actor { node: NodeId(node), incarnation: Incarnation(1), life: Life(1) };
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
    (prop::option::of(context()), 0..9usize, 0..9usize, 0..9usize, any::<u64>()).prop_map(
        |(context, siblings, primaries, durable, coordinator)| Written {
            context,
            siblings,
            acks: Acks { primaries, fallbacks: 0, durable },
            coordinator: NodeId(coordinator),
        },
    )
}

fn forwarded() -> impl Strategy<Value = ForwardedWrite> {
    let value = prop::option::of(bytes(0));
    (key(), any::<[u8; 16]>(), context(), value, 0..17usize, any::<u32>()).prop_map(
        |(key, request, context, value, quorum, ms)| ForwardedWrite {
            key,
            write: WriteCommand { request: RequestId(request), context, value },
            quorum,
            timeout: Duration::from_millis(ms.into()),
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let id = || any::<u64>().prop_map(OpId);
    let operation =
        prop_oneof![Just(PeerOperation::Read), versions().prop_map(PeerOperation::Merge)];
    let answer = prop_oneof![
        versions().prop_map(ReplicaAnswer::Holds),
        any::<bool>().prop_map(|durable| ReplicaAnswer::Merged { durable }),
        Just(ReplicaAnswer::Failed),
    ];
    let result = prop_oneof![written().prop_map(Ok), refusal().prop_map(Err)];
    prop_oneof![
        (id(), key(), operation).prop_map(|(id, key, operation)| Message::ReplicaRequest {
            id,
            key,
            operation
        }),
        (id(), answer).prop_map(|(id, answer)| Message::ReplicaResponse { id, answer }),
        (id(), forwarded()).prop_map(|(id, write)| Message::ForwardRequest { id, write }),
        (id(), result).prop_map(|(id, result)| Message::ForwardResponse { id, result }),
        gossip().prop_map(Message::Gossip),
    ]
}

fn read(encoded: &[u8]) -> Result<Message, Malformed> {
    v1::Message::decode(encoded)?.try_into()
}

fn identity() -> record::Identity {
    record::Identity {
        cluster: [3; 16],
        node: NodeId(5),
        incarnation: Incarnation(1),
        generation: Generation(2),
        reserved: 65_536,
        boot_id: "0d8b".into(),
        clean: true,
    }
}

/// Whatever reads is a valid value, which is written and read again unchanged.
fn survives(garbage: &[u8]) {
    if let Ok(message) = read(garbage) {
        let again = v1::Message::from(message.clone()).encode_to_vec();
        assert_eq!(read(&again), Ok(message));
    }
    if let Ok(versions) = record::decode_versions(garbage) {
        let again = record::encode_versions(&versions);
        assert_eq!(record::decode_versions(&again), Ok(versions));
    }
    if let Ok(ring) = record::decode_ring(garbage) {
        assert_eq!(record::decode_ring(&record::encode_ring(&ring)), Ok(ring));
    }
    if let Ok(identity) = record::decode_identity(garbage) {
        let again = record::encode_identity(&identity);
        assert_eq!(record::decode_identity(&again), Ok(identity));
    }
}

/// Cuts, overwrites or repeats a few bytes.
fn mutate(mut good: Vec<u8>, mutations: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, how, byte) in mutations {
        if good.is_empty() {
            break;
        }
        let at = at.index(good.len());
        match how % 4 {
            0 => good[at] = *byte,
            1 => good.truncate(at),
            2 => good.insert(at, *byte),
            _ => {
                good.remove(at);
            }
        }
    }
    good
}

fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn messages_read_back(message in message()) {
        let encoded = v1::Message::from(message.clone()).encode_to_vec();
        prop_assert_eq!(read(&encoded), Ok(message));
    }

    #[test]
    fn records_read_back(versions in versions(), ring in ring()) {
        let stored = record::encode_versions(&versions);
        prop_assert_eq!(record::decode_versions(&stored), Ok(versions));
        prop_assert_eq!(record::decode_ring(&record::encode_ring(&ring)), Ok(ring));
    }

    #[test]
    fn random_bytes_do_no_harm(mut garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&garbage);
        garbage.insert(0, 1);
        survives(&garbage);
    }

    #[test]
    fn damaged_messages_do_no_harm(message in message(), damage in mutations()) {
        survives(&mutate(v1::Message::from(message).encode_to_vec(), &damage));
    }

    #[test]
    fn damaged_records_do_no_harm(
        versions in versions(), ring in ring(), damage in mutations(),
    ) {
        survives(&mutate(record::encode_versions(&versions), &damage));
        survives(&mutate(record::encode_ring(&ring), &damage));
        survives(&mutate(record::encode_identity(&identity()), &damage));
    }
}

#[test]
fn identities_read_back() {
    let stored = record::encode_identity(&identity());
    assert_eq!(record::decode_identity(&stored), Ok(identity()));
}

#[test]
fn a_record_of_a_later_format_is_named_as_such() {
    let mut stored = record::encode_versions(&Versions::default());
    stored[0] = 2;
    let refused = record::decode_versions(&stored).unwrap_err();
    let says = "format version 2; this software reads version 1 only";
    assert_eq!(refused.to_string(), says);
    assert_eq!(record::decode_versions(&[]), Err(Malformed::Missing("the record")));
}

#[test]
fn what_cannot_be_is_refused() {
    let dot = |counter| Some(v1::Dot { node: 1, incarnation: 1, counter });
    let entry = |counter| v1::ClockEntry { upto: dot(counter), stamp: 0 };
    let refused = |seen| Context::try_from(v1::Context { seen, past: vec![] }).unwrap_err();
    assert!(matches!(refused(vec![entry(0)]), Malformed::Value(_)));
    assert!(matches!(refused(vec![entry(1), entry(2)]), Malformed::Value(_)), "an actor twice");
    let absent = v1::ClockEntry { upto: None, stamp: 0 };
    assert_eq!(refused(vec![absent]), Malformed::Missing("the dot of a clock entry"));
    assert!(Key::try_from(v1::Key { partition: Bytes::new(), sort: "s".into() }).is_err());
    let uncovered = v1::Version {
        dot: dot(1),
        request_id: Bytes::from_static(&[0; 16]),
        stamp: 0,
        value: None,
    };
    let versions = v1::Versions { siblings: vec![uncovered], ..Default::default() };
    assert!(matches!(Versions::try_from(versions), Err(Malformed::Versions(_))));
    let uneven = v1::Pulses { nodes: vec![1], generations: vec![1], ..Default::default() };
    let answer = v1::Answer { pulses: Some(uneven), ..Default::default() };
    let stage = Some(v1::gossip::Stage::Answer(answer));
    let gossip = v1::Gossip { stage, ..Default::default() };
    assert!(matches!(Gossip::try_from(gossip), Err(Malformed::Value(_))));
    let short = v1::PastRequest { request_id: Bytes::from_static(b"short"), stamp: 0 };
    let versions = v1::Versions { past: vec![short], ..Default::default() };
    let length = Malformed::Length { what: "the request id", size: 5, expected: 16 };
    assert_eq!(Versions::try_from(versions), Err(length));
}
