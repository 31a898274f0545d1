//! Whatever bytes come, nothing panics: they are refused, or they are a valid value.

use super::*;
use dynamo_core::{
    id::NodeId,
    limits::Bounds,
    node::{Config, Effect, Input, Node as Dynamo},
    reap::Reaping,
    replica::{Job, Replica},
    store::MemoryStore,
    time::{Instant, Now},
};

/// Whatever reads is a valid value, which is written and read again unchanged.
pub(super) fn survives(garbage: &[u8]) {
    if let Ok(message) = read(garbage) {
        assert_eq!(read(&encode(&message)), Ok(message));
    }
    if let Ok(held) = record::decode_held(garbage) {
        assert_eq!(record::decode_held(&record::encode_held(&held)), Ok(held));
    }
    if let Ok(ring) = record::decode_ring(garbage) {
        assert_eq!(record::decode_ring(&record::encode_ring(&ring)), Ok(ring));
    }
    if let Ok(identity) = record::decode_identity(garbage) {
        let again = record::encode_identity(&identity);
        assert_eq!(record::decode_identity(&again), Ok(identity));
    }
}

/// Behind a header that fits, so that the checksum does not catch it all.
pub(super) fn sealed(body: &[u8]) -> Vec<u8> {
    let format = record::encode_held(&Held::default())[0];
    let sum = crc32c::crc32c(body).to_le_bytes();
    [&[format], &sum[..], body].concat()
}

/// Cuts, overwrites or repeats a few bytes.
fn mutate(mut good: Vec<u8>, mutations: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, how, byte) in mutations {
        if good.is_empty() {
            break;
        }
        let at = at.index(good.len());
        match how % 5 {
            0 => good[at] = *byte,
            1 => good.truncate(at),
            2 => good.insert(at, *byte),
            3 => good.extend_from_within(at..),
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

fn records() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        held().prop_map(|held| record::encode_held(&held)),
        ring().prop_map(|ring| record::encode_ring(&ring)),
        identity().prop_map(|identity| record::encode_identity(&identity)),
    ]
}

fn refuses(damaged: &[u8]) -> bool {
    record::decode_held(damaged).is_err()
        && record::decode_ring(damaged).is_err()
        && record::decode_identity(damaged).is_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn random_bytes_do_no_harm(garbage in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&garbage);
        survives(&sealed(&garbage));
    }

    #[test]
    fn damaged_messages_do_no_harm(message in message(), damage in mutations()) {
        survives(&mutate(encode(&message), &damage));
    }

    #[test]
    fn damaged_records_do_no_harm(stored in records(), damage in mutations()) {
        survives(&mutate(stored.clone(), &damage));
        survives(&sealed(&mutate(stored[5..].to_vec(), &damage)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A disk that lies is found out before anybody is served by it.
    #[test]
    fn every_flipped_bit_of_a_record_is_noticed(mut stored in records()) {
        for bit in 0..8 * stored.len() {
            stored[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(refuses(&stored), "bit {bit}");
            stored[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn every_record_that_is_cut_short_or_too_long_is_noticed(
        stored in records(), more in prop::collection::vec(any::<u8>(), 1..4),
    ) {
        for cut in 0..stored.len() {
            prop_assert!(refuses(&stored[..cut]), "the first {cut} bytes");
        }
        // CRC-32C may take more zeros for nothing only when all before is zero too.
        prop_assert!(refuses(&[stored, more].concat()));
    }

    /// A peer may send whatever reads, true or not: the node goes on.
    #[test]
    fn no_message_makes_a_node_panic(
        messages in prop::collection::vec((message(), any::<u64>()), 1..12), damage in mutations(),
    ) {
        let mut node = node();
        let mut replica = Replica::open(MemoryStore::default(), Bounds::default()).unwrap();
        for (n, (message, ms)) in (0..).zip(messages) {
            let now = Now { instant: Instant(Duration::from_millis(100 * n)), wall: Stamp(ms) };
            let damaged = read(&mutate(encode(&message), &damage));
            for message in [Some(message), damaged.ok()].into_iter().flatten() {
                let from = NodeId(2 + n % 2);
                feed(&mut node, &mut replica, now, Input::Message(from, Generation(1), message));
                feed(&mut node, &mut replica, now, Input::Tick);
            }
        }
    }
}

fn named(node: u64) -> Member {
    let text = String::new();
    Member {
        node: NodeId(node),
        name: text.clone(),
        address: format!("{node}:1"),
        client_address: text.clone(),
        zone: text.clone(),
        version: text,
        generation: Generation(1),
        heartbeat: 0,
        ring_epoch: 0,
        stopping: false,
    }
}

/// One of three, which has met the others.
fn node() -> Dynamo {
    let seats = (1..4).map(|n| Seat { node: NodeId(n), zone: String::new(), weight: 1 });
    let plan = Plan { operation: "op".into(), partitions: 8, factor: 3, seats: seats.collect() };
    let mut node = Dynamo::new(Config {
        member: named(1),
        incarnation: Incarnation(1),
        seeds: vec![],
        read_quorum: 2,
        write_quorum: 2,
        reserved: 0,
        ring: Some(Arc::new(Ring::first(plan, Seal([0; 16])).unwrap())),
        reaping: Reaping::default(),
        seed: 1,
    });
    for other in [2, 3] {
        let stage = Stage::Entries(vec![Entry::new(named(other))]);
        let gossip = Gossip { stage, ring_tag: RingTag::MAX, ring: None };
        let input = Input::Message(NodeId(other), Generation(1), Message::Gossip(gossip));
        node.handle(Now::default(), input, &mut Vec::new());
    }
    node
}

/// Runs what it wants of its replica, too.
fn feed(node: &mut Dynamo, replica: &mut Replica<MemoryStore>, now: Now, input: Input) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        node.handle(now, input, &mut out);
        let job = |effect| match effect {
            Effect::Replica(job) => Some(job),
            _ => None,
        };
        let jobs: Vec<Job> = out.into_iter().filter_map(job).collect();
        let answers = replica.run(jobs, vec![]).unwrap();
        inputs.extend(answers.into_iter().map(|(asker, answer)| Input::Replica(asker, answer)));
    }
}
