//! What a replica does with the tasks of a turn: records, tree and list of graves always fit
//! each other, and nothing is signed for that is not held.

mod bounds;
mod damage;
mod laws;

use super::*;
use crate::{
    id::{Incarnation, OpId, RequestId},
    merkle::{Answer, Page},
    store::{From, fragile::Fragile},
    version::Context,
};
use std::{collections::BTreeMap, slice::from_ref};

const N: NodeId = NodeId(1);
const OWNER: NodeId = NodeId(9);
const HINT: Place = Place::Hint(OWNER);

fn fresh(bounds: Bounds) -> Replica<Fragile> {
    Replica::open(Fragile::default(), bounds).unwrap()
}

fn replica() -> Replica<Fragile> {
    fresh(Bounds::default())
}

fn one(key: &Key, place: Place, operation: Operation) -> Task {
    Task::One { key: key.clone(), place, operation }
}

fn run<const M: usize>(replica: &mut Replica<Fragile>, tasks: [Task; M]) -> [ReplicaAnswer; M] {
    let jobs = (0..).zip(tasks).map(|(n, task)| Job { asker: Asker::Own(OpId(n)), task }).collect();
    let answers = replica.run(jobs, vec![]).unwrap();
    for (n, (asker, _)) in (0..).zip(&answers) {
        assert_eq!(*asker, Asker::Own(OpId(n)), "each job is answered once, in order");
    }
    let answers: Vec<_> = answers.into_iter().map(|(_, answer)| answer).collect();
    answers.try_into().unwrap()
}

fn draft(n: u64, value: Option<&'static str>, context: &Context) -> Draft {
    Draft {
        node: N,
        incarnation: Incarnation(1),
        counter: n,
        request: RequestId(u128::from(n).to_be_bytes()),
        stamp: Stamp(n),
        value: value.map(Into::into),
        context: context.clone(),
    }
}

fn write(replica: &mut Replica<Fragile>, place: Place, key: &Key, draft: Draft) -> Versions {
    match run(replica, [one(key, place, Operation::Write(draft))]) {
        [ReplicaAnswer::Wrote { versions, .. }] => versions,
        [other] => panic!("{other:?}"),
    }
}

fn merge(key: &Key, place: Place, versions: &Versions, sync: bool) -> Task {
    one(key, place, Operation::Merge { versions: versions.clone(), sync })
}

fn held(replica: &Replica<Fragile>, place: Place, key: &Key) -> Versions {
    replica.store().get(place, key).unwrap().unwrap_or_default().versions
}

fn grave(key: &Key, versions: &Versions) -> Grave {
    let (key, versions) = (key.clone(), versions.clone());
    Grave { key, versions, owners: vec![OWNER], is_primary: true }
}

/// Tree, stored leaves and marks of graves, counted anew from the records.
fn check(replica: &Replica<Fragile>) {
    let room = Room { records: 10_000, bytes: usize::MAX, last: u16::MAX };
    let page = replica.store().scan(Place::Own, From::Start, room).unwrap();
    let mut leaves: BTreeMap<u16, Hash> = BTreeMap::new();
    let mut graves = Vec::new();
    for (key, held) in &page.records {
        let sum = leaves.entry(key.leaf()).or_default();
        *sum = sum.plus(Hash::of(key, &held.versions));
        if held.versions.is_grave() {
            graves.push(key.clone());
        }
    }
    let leaves: Vec<_> = leaves.into_iter().collect();
    assert_eq!(replica.store().leaves().unwrap(), leaves, "stored leaves");
    assert_eq!(*replica.tree(), Tree::from_leaves(leaves), "the tree");
    let mut marked = replica.store().graves(None, 10_000).unwrap();
    marked.retain(|key| !page.damaged.contains(key));
    assert_eq!(marked, graves, "marks of graves");
}

/// Two in one leaf, and one elsewhere.
fn keys() -> [Key; 3] {
    [Key::new("a", "1"), Key::new("a", "2"), Key::plain("b")]
}

#[test]
fn the_tasks_of_a_turn_see_each_other_and_share_one_batch() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    let first = draft(1, Some("v"), &Context::default());
    let records = vec![Record::Reserved(7)];
    let jobs = [
        one(&key, Place::Own, Operation::Write(first)),
        one(&key, Place::Own, Operation::Read),
        one(&key, HINT, Operation::Read),
    ];
    let jobs = jobs.map(|task| Job { asker: Asker::Own(OpId(1)), task }).to_vec();
    let answers = replica.run(jobs, records.clone()).unwrap();
    let stored = held(&replica, Place::Own, &key);
    assert_eq!(answers[1].1, ReplicaAnswer::Holds(stored));
    assert_eq!(answers[2].1, ReplicaAnswer::Holds(Versions::default()));
    assert_eq!((replica.store().commits, replica.store().syncs), (1, 0));
    assert_eq!(replica.store().records(), records);
}

#[test]
fn nothing_is_written_when_nothing_changes() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    let first = draft(1, Some("v"), &Context::default());
    let versions = write(&mut replica, Place::Own, &key, first.clone());
    let commits = replica.store().commits;
    run(
        &mut replica,
        [
            one(&key, Place::Own, Operation::Read),
            merge(&key, Place::Own, &versions, false),
            one(&key, Place::Own, Operation::Write(Draft { counter: 2, ..first })),
            one(&key, HINT, Operation::Forget(versions.clone())),
        ],
    );
    assert_eq!(replica.store().commits, commits);
    assert_eq!(held(&replica, Place::Own, &key), versions, "a retry makes no version");
}

/// A store whose commits need not survive says so, unless it is told to sync; then also what
/// was there already is on disk.
#[test]
fn it_syncs_when_asked_and_never_says_durable_otherwise() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    replica.store_mut().lazy = true;
    let [answer] = run(
        &mut replica,
        [one(&key, Place::Own, Operation::Write(draft(1, Some("v"), &Context::default())))],
    );
    let ReplicaAnswer::Wrote { versions, durable: false, .. } = answer else {
        panic!("{answer:?}")
    };
    let not = ReplicaAnswer::Merged { durable: false };
    assert_eq!(run(&mut replica, [merge(&key, Place::Own, &versions, false)]), from_ref(&not));
    assert_eq!(run(&mut replica, [merge(&key, HINT, &versions, false)]), [not]);
    assert_eq!(replica.store().syncs, 0);
    let yes = ReplicaAnswer::Merged { durable: true };
    assert_eq!(run(&mut replica, [merge(&key, Place::Own, &versions, true)]), [yes]);
    assert_eq!(replica.store().syncs, 1, "although nothing changed");
}

#[test]
fn a_write_after_the_record_was_forgotten_is_by_another_actor() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    for (place, n) in [(HINT, 1), (Place::Own, 10)] {
        let first = write(&mut replica, place, &key, draft(n, Some("a"), &Context::default()));
        let second = write(&mut replica, place, &key, draft(n + 1, Some("b"), &first.context()));
        assert_eq!(second.seen().len(), 1, "one life, one actor");
        let [forgot] = run(&mut replica, [one(&key, place, Operation::Forget(second.clone()))]);
        assert_eq!(forgot, ReplicaAnswer::Forgot(true));
        let third = write(&mut replica, place, &key, draft(n + 2, Some("c"), &Context::default()));
        assert!(second.siblings().iter().all(|v| !third.seen().covers(v.dot)));
        let mut all = second.clone();
        all.merge(&third);
        assert_eq!(all.siblings().len(), 2, "neither overwrites the other");
    }
}

#[test]
fn only_exactly_what_is_named_is_forgotten() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    let first = write(&mut replica, HINT, &key, draft(1, Some("a"), &Context::default()));
    let both = write(&mut replica, HINT, &key, draft(2, Some("b"), &Context::default()));
    let [answer] = run(&mut replica, [one(&key, HINT, Operation::Forget(first))]);
    assert_eq!((answer, held(&replica, HINT, &key)), (ReplicaAnswer::Forgot(false), both));
}

#[test]
fn a_write_with_a_counter_that_was_used_before_is_refused() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    let first = draft(5, Some("a"), &Context::default());
    let versions = write(&mut replica, Place::Own, &key, first.clone());
    let again = Draft { counter: 4, request: RequestId([7; 16]), ..first };
    let answer = run(&mut replica, [one(&key, Place::Own, Operation::Write(again))]);
    assert_eq!(answer, [ReplicaAnswer::Failed]);
    assert_eq!(held(&replica, Place::Own, &key), versions);
}

#[test]
fn old_deletions_are_found_and_young_ones_are_not() {
    let (mut replica, keys) = (replica(), keys());
    for (n, key) in (1..).zip(&keys) {
        write(&mut replica, Place::Own, key, draft(n, None, &Context::default()));
    }
    write(&mut replica, HINT, &Key::plain("hint"), draft(4, None, &Context::default()));
    let look = Task::Graves { after: None, before: Stamp(3) };
    let [ReplicaAnswer::Records { records, next: None }] = run(&mut replica, [look]) else {
        panic!("a page")
    };
    let found: BTreeSet<_> = records.into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, keys[..2].iter().cloned().collect());
}

#[test]
fn a_page_of_keys_is_of_the_leaves_that_were_asked_for() {
    let (mut replica, [one, two, other]) = (replica(), keys());
    for (n, key) in (1..).zip([&one, &two, &other]) {
        write(&mut replica, Place::Own, key, draft(n, Some("v"), &Context::default()));
    }
    let (first, last) = (one.leaf(), one.leaf());
    let entry = |key: &Key| (key.clone(), Hash::of(key, &held(&replica, Place::Own, key)));
    let all = Page { keys: vec![entry(&one), entry(&two)], more: false };
    let rest = Page { keys: vec![entry(&two)], more: false };
    let question = |after| Task::Tree(Question::Keys { first, last, after });
    let answers = run(&mut replica, [question(None), question(Some(one))]);
    assert_eq!(answers, [all, rest].map(|page| ReplicaAnswer::Tree(Answer::Keys(page))));
}

/// A scan does not see what its own turn has written.
#[test]
fn hints_of_the_same_turn_are_among_the_hints() {
    let (mut replica, key) = (replica(), Key::plain("k"));
    let hint = one(&key, HINT, Operation::Write(draft(1, Some("v"), &Context::default())));
    let look = Task::Hints { owner: OWNER, after: None, limit: 10 };
    let [_, ReplicaAnswer::Records { records, next: None }] = run(&mut replica, [hint, look])
    else {
        panic!("a page")
    };
    assert_eq!(records, [(key.clone(), held(&replica, HINT, &key))]);
}
