//! What anti-entropy relies on: every key that differs is found and no other, for a price
//! that goes with the differences.

use super::*;
use crate::{
    id::{Incarnation, Life, NodeId, RequestId},
    ring::{MAX_PARTITIONS, Partition},
    time::Stamp,
    version::{PastRequest, Version, VersionVector},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, ops::Bound};

/// What one node holds.
#[derive(Clone, Default)]
struct Replica {
    leaves: BTreeMap<u16, BTreeMap<Key, Hash>>,
    tree: Tree,
}

impl Replica {
    fn set(&mut self, key: Key, hash: Hash) {
        let leaf = key.leaf();
        let keys = self.leaves.entry(leaf).or_default();
        let old = match hash {
            Hash::ABSENT => keys.remove(&key),
            _ => keys.insert(key, hash),
        };
        self.tree.replace(leaf, old.unwrap_or_default(), hash);
    }

    fn hash(&self, key: &Key) -> Hash {
        self.leaves.get(&key.leaf()).and_then(|keys| keys.get(key)).copied().unwrap_or_default()
    }

    fn keys(&self) -> impl Iterator<Item = (&Key, &Hash)> {
        self.leaves.values().flatten()
    }

    fn answer(&self, question: &Question) -> Answer {
        if let Some(answer) = self.tree.answer(question).unwrap() {
            return answer;
        }
        let Question::Keys { first, last, after } = question else { unreachable!() };
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let keys = self.leaves.range(first..=last);
        let keys = keys.flat_map(|(_, keys)| keys.range((from, Bound::Unbounded)));
        Answer::Keys(Page::of(keys.map(|(key, hash)| (key.clone(), *hash))))
    }
}

/// What an exchange found and asked.
struct Run {
    found: Vec<Key>,
    asked: Vec<Question>,
    counts: Counts,
}

fn exchange(own: &Replica, peer: &Replica, partitions: Vec<Partition>, q: usize) -> Run {
    let mut exchange = Exchange::new(partitions, q).unwrap();
    let (mut found, mut asked) = (Vec::new(), Vec::new());
    loop {
        match exchange.next() {
            Step::Ask(question) => {
                let answers = (own.answer(&question), peer.answer(&question));
                exchange.answered(answers.0, answers.1).unwrap();
                asked.push(question);
                let most = partitions_and_depths(q);
                assert!(exchange.waiting() <= most, "memory is bounded");
            }
            Step::Differ(keys) => found.extend(keys),
            Step::Done => return Run { found, asked, counts: exchange.counts() },
        }
    }
}

fn partitions_and_depths(q: usize) -> usize {
    q + usize::from(LEAF_DEPTH) * NODES * FAN_OUT
}

fn naive(own: &Replica, peer: &Replica, partitions: &[Partition], q: usize) -> Vec<Key> {
    let mut keys: Vec<_> = own.keys().chain(peer.keys()).map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| partitions.binary_search(&partition_of(key, q)).is_ok());
    keys.retain(|key| own.hash(key) != peer.hash(key));
    keys.into_iter().cloned().collect()
}

fn partition_of(key: &Key, q: usize) -> Partition {
    Partition(u16::try_from(usize::from(key.leaf()) * q / MAX_PARTITIONS).unwrap())
}

fn all(q: usize) -> Vec<Partition> {
    (0..q).map(|p| Partition(u16::try_from(p).unwrap())).collect()
}

fn numbered(n: u64) -> Key {
    Key::plain(format!("key-{n:08}").into_bytes())
}

/// A hash as good as one of versions, different for every key and state.
fn state(key: &Key, n: u64) -> Hash {
    Hash::of(key, &versions(n))
}

fn versions(counter: u64) -> Versions {
    let dot = dot(1, counter);
    Versions::from_parts([(dot, Stamp(0))].into_iter().collect(), vec![], vec![]).unwrap()
}

fn dot(node: u64, counter: u64) -> Dot {
    let actor = Actor { node: NodeId(node), incarnation: Incarnation(1), life: Life(1) };
    Dot { actor, counter }
}

/// Keys that are spread over the ring, and keys that share one of three leaves.
fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        any::<u16>().prop_map(|n| numbered(n.into())),
        (0..3u8, any::<u16>()).prop_map(|(p, s)| Key::new(vec![p], s.to_be_bytes().to_vec())),
    ]
}

/// What both hold of a key: the same twice out of three times; 0 is nothing.
fn states() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![2 => (0..3u64).prop_map(|n| (n, n)), 1 => (0..3u64, 0..3u64)]
}

fn replicas(keys: &[(Key, (u64, u64))]) -> (Replica, Replica) {
    let (mut own, mut peer) = (Replica::default(), Replica::default());
    for (key, (a, b)) in keys {
        let state = |n| if n == 0 { Hash::ABSENT } else { state(key, n) };
        own.set(key.clone(), state(*a));
        peer.set(key.clone(), state(*b));
    }
    (own, peer)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn exactly_the_keys_that_differ_are_found(
        keys in prop::collection::vec((keys(), states()), 0..400),
        bits in 0..=16u32,
        held in any::<u16>(),
    ) {
        let (own, peer) = replicas(&keys);
        let q = 1 << bits;
        for partitions in [all(q), all(q).into_iter().filter(|p| p.0 % 3 != held % 3).collect()] {
            let run = exchange(&own, &peer, partitions.clone(), q);
            prop_assert_eq!(&run.found, &naive(&own, &peer, &partitions, q));
            prop_assert_eq!(run.counts.differ, run.found.len() as u64);
        }
    }

    /// Thousands of keys of one leaf: one side's pages end long before the other's, or
    /// have nothing in common with them.
    #[test]
    fn a_leaf_of_many_pages_is_compared_to_its_end(
        runs in prop::collection::vec((1..1500u32, states()), 1..8),
    ) {
        let states = runs.iter().flat_map(|&(length, state)| (0..length).map(move |_| state));
        let sorts = (0u32..).map(|n| Key::new("one", n.to_be_bytes().to_vec()));
        let keys: Vec<_> = sorts.zip(states).collect();
        let (own, peer) = replicas(&keys);
        let run = exchange(&own, &peer, all(256), 256);
        prop_assert_eq!(run.found, naive(&own, &peer, &all(256), 256));
    }

    #[test]
    fn a_tree_kept_with_every_write_equals_one_built_anew(
        writes in prop::collection::vec((keys(), 0..3u64), 0..300),
    ) {
        let mut replica = Replica::default();
        for (key, n) in writes {
            let hash = if n == 0 { Hash::ABSENT } else { state(&key, n) };
            replica.set(key, hash);
        }
        let mut anew = Tree::default();
        for (key, hash) in replica.keys() {
            anew.replace(key.leaf(), Hash::ABSENT, *hash);
        }
        prop_assert!(replica.tree == anew);
        let stored = (0..=u16::MAX).map(|leaf| (leaf, anew.leaf(leaf)));
        prop_assert!(Tree::from_leaves(stored) == anew);
    }

    #[test]
    fn the_root_of_a_partition_is_the_sum_of_its_keys(
        keys in prop::collection::vec((keys(), 1..3u64), 0..200),
        bits in 0..=16u32,
    ) {
        let keys: Vec<_> = keys.into_iter().map(|(key, n)| (key, (n, n))).collect();
        let (own, _) = replicas(&keys);
        let q = 1 << bits;
        let mut sums = BTreeMap::<Partition, Hash>::new();
        for (key, hash) in own.keys() {
            let sum = sums.entry(partition_of(key, q)).or_default();
            *sum = Hash(sum.0.wrapping_add(hash.0));
        }
        for p in all(q) {
            prop_assert_eq!(own.tree.partition(p, q), sums.get(&p).copied().unwrap_or_default());
        }
    }
}

#[test]
fn few_differences_among_a_million_keys_cost_little() {
    let (keys, differ, value) = (1_000_000, 100, 100);
    let mut own = Replica::default();
    for n in 0..keys {
        let key = numbered(n);
        let hash = state(&key, 1);
        own.set(key, hash);
    }
    let mut peer = own.clone();
    let mut changed = Vec::new();
    for n in 0..differ {
        let key = numbered(n * (keys / differ));
        let hash = if n % 2 == 0 { Hash::ABSENT } else { state(&key, 2) };
        peer.set(key.clone(), hash);
        changed.push(key);
    }
    let run = exchange(&own, &peer, all(256), 256);
    changed.sort();
    assert_eq!(run.found, changed);

    let differs = |node: Node| {
        let shift = 4 * (LEAF_DEPTH - node.depth);
        run.found.iter().any(|key| u32::from(key.leaf()) >> shift == u32::from(node.index))
    };
    for question in &run.asked[1..] {
        match question {
            Question::Roots { .. } => panic!("roots are asked for once"),
            Question::Children(nodes) => assert!(nodes.iter().all(|&n| differs(n))),
            Question::Keys { first, last, .. } => {
                assert!((*first..=*last).all(|l| differs(Node { depth: LEAF_DEPTH, index: l })));
            }
        }
    }
    let entry = numbered(0).len() as u64 + 8;
    let bytes = run.counts.keys * entry + run.counts.nodes * 8;
    let data = keys * (numbered(0).len() as u64 + value);
    assert!(bytes * 100 < data, "{bytes} bytes were sent to compare {data}");
}

#[test]
fn equal_replicas_cost_one_question_and_one_root_per_partition() {
    let keys: Vec<_> = (0..1000).map(|n| (numbered(n), (1, 1))).collect();
    let (own, peer) = replicas(&keys);
    for q in [1, 8, 256, MAX_PARTITIONS] {
        let counts = exchange(&own, &peer, all(q), q).counts;
        let expected = Counts { questions: 1, nodes: q as u64, keys: 0, differ: 0 };
        assert_eq!(counts, expected);
    }
    assert_eq!(Exchange::new(vec![], 8).unwrap().next(), Step::Done, "nothing is shared");
}

/// More nodes of one depth differ than one question may name.
#[test]
fn a_replica_that_lost_everything_is_told_everything() {
    let keys: Vec<_> = (0..5000).map(|n| (numbered(n), (1, 0))).collect();
    let (own, peer) = replicas(&keys);
    let run = exchange(&own, &peer, all(256), 256);
    assert_eq!(run.found, naive(&own, &peer, &all(256), 256));
    assert_eq!(run.found.len(), 5000);
}

/// What a node holds of partitions that are not the other's makes their trees differ too.
#[test]
fn what_only_one_of_both_should_hold_is_not_compared() {
    let keys: Vec<_> = (0..1000).map(|n| (numbered(n), (1, 0))).collect();
    let (own, peer) = replicas(&keys);
    let run = exchange(&own, &peer, vec![Partition(5)], 8);
    assert!(!run.found.is_empty());
    assert!(run.found.iter().all(|key| partition_of(key, 8) == Partition(5)));
}

#[test]
fn long_keys_make_short_pages() {
    let long = |n: u32| Key::new("p", [&n.to_be_bytes()[..], &[7; 4 << 10]].concat());
    let page = Page::of((0..).take(LIST).map(|n| (long(n), Hash(1))));
    let bytes: usize = page.keys.iter().map(|(key, _)| key.len() + 8).sum();
    assert!(page.more && bytes <= PAGE_BYTES && bytes > PAGE_BYTES / 2, "{bytes}");

    let huge = Key::new("p", vec![7; 2 * PAGE_BYTES]);
    let page = Page::of([(huge.clone(), Hash(1)), (huge, Hash(1))]);
    assert_eq!((page.keys.len(), page.more), (1, true), "an exchange must get on");
}

#[test]
fn senseless_and_oversize_questions_are_refused() {
    let tree = Tree::default();
    let roots = |partitions: &[u16], q| Question::Roots {
        partitions: partitions.iter().map(|&p| Partition(p)).collect(),
        q,
    };
    let node = |depth, index| Node { depth, index };
    let nodes = |n: usize| (0..n).map(|i| node(3, u16::try_from(i).unwrap())).collect();
    let refused = |question: Question| tree.answer(&question).unwrap_err();

    assert_eq!(refused(roots(&[0], 0)), BadQuestion::Partitions(0));
    assert_eq!(refused(roots(&[0], 12)), BadQuestion::Partitions(12));
    assert_eq!(refused(roots(&[0], 1 << 17)), BadQuestion::Partitions(1 << 17));
    assert_eq!(refused(roots(&[7, 8], 8)), BadQuestion::NoPartition(8, 8));
    assert_eq!(refused(roots(&[], 8)), BadQuestion::Empty);
    assert_eq!(refused(roots(&[1, 1], 8)), BadQuestion::Unsorted);
    assert_eq!(refused(Question::Children(vec![])), BadQuestion::Empty);
    assert_eq!(refused(Question::Children(nodes(NODES + 1))), BadQuestion::TooMany(NODES + 1));
    for bad in [node(0, 1), node(2, 256), node(LEAF_DEPTH, 0), node(255, 0)] {
        assert_eq!(refused(Question::Children(vec![bad])), BadQuestion::NoChildren(bad));
    }
    let twice = vec![node(1, 2), node(1, 2)];
    assert_eq!(refused(Question::Children(twice)), BadQuestion::Unsorted);
    let key = numbered(1);
    let (leaf, after) = (key.leaf() ^ 1, key.leaf());
    let keys = Question::Keys { first: leaf, last: leaf, after: Some(key) };
    assert_eq!(refused(keys), BadQuestion::Elsewhere { first: leaf, last: leaf, after });

    assert!(tree.answer(&roots(&[7], 8)).is_ok());
    assert!(tree.answer(&Question::Children(nodes(NODES))).is_ok());
}

#[test]
fn answers_to_something_else_are_refused_and_change_nothing() {
    let mut one = Exchange::new(all(MAX_PARTITIONS), MAX_PARTITIONS).unwrap();
    let key = |n: u32| Key::new("p", n.to_be_bytes().to_vec());
    let leaf = key(0).leaf();
    let mut tree = Tree::default();
    let Step::Ask(question) = one.next() else { panic!() };
    let empty = tree.answer(&question).unwrap().unwrap();
    tree.set_leaf(leaf, Hash(1));
    let full = tree.answer(&question).unwrap().unwrap();

    let page = |keys: &[Key], more| {
        Answer::Keys(Page { keys: keys.iter().map(|k| (k.clone(), Hash(1))).collect(), more })
    };
    let unfit = |e: &mut Exchange, fit: &Answer, bad: Answer| {
        let own = e.answered(bad.clone(), fit.clone()).unwrap_err();
        assert!(matches!(own, BadAnswer::Unfit { side: Side::Own, .. }), "{own}");
        let peer = e.answered(fit.clone(), bad).unwrap_err();
        assert!(matches!(peer, BadAnswer::Unfit { side: Side::Peer, .. }), "{peer}");
    };
    unfit(&mut one, &empty, page(&[], false));
    unfit(&mut one, &empty, Answer::Roots(vec![Hash(1)]));
    assert_eq!(one.next(), Step::Ask(question), "it is asked again");
    one.answered(empty, full).unwrap();

    assert_eq!(one.next(), Step::Ask(Question::Keys { first: leaf, last: leaf, after: None }));
    one.answered(page(&[], false), page(&[key(3)], true)).unwrap();
    assert_eq!(one.next(), Step::Differ(vec![key(3)]));
    let none = page(&[], false);
    let rest = Step::Ask(Question::Keys { first: leaf, last: leaf, after: Some(key(3)) });
    assert_eq!(one.next(), rest);
    unfit(&mut one, &none, page(&[], true));
    unfit(&mut one, &none, page(&[key(3)], false));
    unfit(&mut one, &none, page(&[key(5), key(4)], false));
    unfit(&mut one, &none, page(&[numbered(1)], false));
    unfit(&mut one, &none, page(&(4..).take(LIST + 1).map(key).collect::<Vec<_>>(), false));
    unfit(&mut one, &none, Answer::Keys(Page { keys: vec![(key(4), Hash::ABSENT)], more: false }));
    assert_eq!(one.next(), rest);
    one.answered(page(&[], false), page(&[], false)).unwrap();
    assert_eq!(one.next(), Step::Done);
    assert_eq!(one.answered(page(&[], false), page(&[], false)), Err(BadAnswer::Unasked));
}

mod hash {
    use super::*;

    fn request(n: u8) -> RequestId {
        RequestId([n; 16])
    }

    fn seen(dots: &[(Dot, u64)]) -> VersionVector {
        dots.iter().map(|&(dot, stamp)| (dot, Stamp(stamp))).collect()
    }

    fn version(dot: Dot, stamp: u64) -> Version {
        Version { dot, request: request(1), stamp: Stamp(stamp), value: Some("v".into()) }
    }

    fn past(requests: &[(u8, u64)]) -> Vec<PastRequest> {
        let past = |&(n, stamp)| PastRequest { request: request(n), stamp: Stamp(stamp) };
        requests.iter().map(past).collect()
    }

    fn of(seen: VersionVector, siblings: Vec<Version>, past: Vec<PastRequest>) -> Hash {
        Hash::of(&Key::new("a", "b"), &Versions::from_parts(seen, siblings, past).unwrap())
    }

    #[test]
    fn it_tells_all_that_merging_goes_by() {
        let (a, b) = (dot(1, 1), dot(2, 1));
        let other_incarnation = Actor { incarnation: Incarnation(2), ..a.actor };
        let other_life = Actor { life: Life(2), ..a.actor };
        let mut hashes = vec![
            Hash::ABSENT,
            of(seen(&[(a, 0)]), vec![], vec![]),
            of(seen(&[(b, 0)]), vec![], vec![]),
            of(seen(&[(dot(1, 2), 0)]), vec![], vec![]),
            of(seen(&[(Dot { actor: other_incarnation, counter: 1 }, 0)]), vec![], vec![]),
            of(seen(&[(Dot { actor: other_life, counter: 1 }, 0)]), vec![], vec![]),
            of(seen(&[(a, 0), (b, 0)]), vec![], vec![]),
            of(seen(&[(a, 0), (b, 0)]), vec![version(a, 0)], vec![]),
            of(seen(&[(a, 0), (b, 0)]), vec![version(b, 0)], vec![]),
            of(seen(&[(a, 0)]), vec![version(a, 0)], vec![]),
            of(seen(&[(a, 0)]), vec![version(a, 0)], past(&[(2, 0)])),
            of(seen(&[(a, 0)]), vec![version(a, 0)], past(&[(3, 0)])),
            of(seen(&[(a, 0)]), vec![version(a, 0)], past(&[(2, 0), (3, 0)])),
        ];
        let all = hashes.len();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), all);
        let (whole, parted) = (Key::plain("ab"), Key::new("a", "b"));
        assert_ne!(Hash::of(&whole, &versions(1)), Hash::of(&parted, &versions(1)));
    }

    #[test]
    fn replicas_that_need_nothing_from_each_other_have_the_same() {
        let a = dot(1, 1);
        let left = of(seen(&[(a, 0)]), vec![version(a, 0)], past(&[(2, 9), (3, 8)]));
        let right = of(seen(&[(a, 5)]), vec![version(a, 0)], past(&[(3, 7), (2, 6)]));
        assert_eq!(left, right, "stamps and the order they give do not count");
        assert_eq!(Hash::of(&numbered(1), &Versions::default()), Hash::ABSENT);
    }

    /// Trees are stored, and compared between releases. Computed by hand from the comment of
    /// `Hash::of`, not by it.
    #[test]
    fn it_stays_what_it_is() {
        let hash = of(seen(&[(dot(1, 1), 0)]), vec![version(dot(1, 1), 0)], past(&[(2, 0)]));
        assert_eq!(hash, Hash(0xd414_7d9d_7c54_ffe8));
    }
}
