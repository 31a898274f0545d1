//! What a replica does with the tasks of a turn: records, tree and list of graves always fit
//! each other, and nothing is signed for that is not held.

use super::*;
use crate::{
    id::{Incarnation, OpId, RequestId},
    merkle::{Answer, Page},
    store::{From, fragile::Fragile},
    version::Context,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

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
    let room = Room { records: 10_000, bytes: usize::MAX };
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

/// What may happen to one of few keys.
#[derive(Clone, Debug)]
enum Step {
    Write {
        deletes: bool,
        seen: bool,
    },
    /// A peer has another version, which has seen all here or nothing.
    Merge {
        deletes: bool,
        seen: bool,
    },
    Forget,
    Bury,
    /// Found by whatever reads it next.
    Damage,
}

fn step() -> impl Strategy<Value = Step> {
    let flags = || any::<(bool, bool)>();
    prop_oneof![
        3 => flags().prop_map(|(deletes, seen)| Step::Write { deletes, seen }),
        3 => flags().prop_map(|(deletes, seen)| Step::Merge { deletes, seen }),
        1 => Just(Step::Forget),
        1 => Just(Step::Bury),
        1 => Just(Step::Damage),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Vec<(usize, bool, Step)>>> {
    prop::collection::vec(prop::collection::vec((0..3usize, any::<bool>(), step()), 1..5), 1..12)
}

/// Two in one leaf, and one elsewhere.
fn keys() -> [Key; 3] {
    [Key::new("a", "1"), Key::new("a", "2"), Key::plain("b")]
}

/// A step as a task, in the state of before its turn. `None` for damage, which is done.
fn task(
    replica: &mut Replica<Fragile>,
    n: u64,
    place: Place,
    key: &Key,
    step: &Step,
) -> Option<Task> {
    let now = replica.store().get(place, key).ok().flatten().unwrap_or_default().versions;
    let context = |seen: bool| if seen { now.context() } else { Context::default() };
    let value = |deletes: bool| (!deletes).then_some("v");
    Some(match *step {
        Step::Write { deletes, seen } => {
            one(key, place, Operation::Write(draft(n, value(deletes), &context(seen))))
        }
        Step::Merge { deletes, seen } => {
            let draft = Draft { node: NodeId(2), ..draft(n, value(deletes), &context(seen)) };
            let mut theirs = Held::default();
            theirs.write(draft, usize::MAX);
            merge(key, place, &theirs.versions, false)
        }
        Step::Forget => one(key, place, Operation::Forget(now)),
        Step::Bury => Task::Bury(vec![grave(key, &now)]),
        Step::Damage => {
            replica.store_mut().damage(place, key);
            return None;
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn tree_and_graves_follow_the_records(turns in turns()) {
        let (mut replica, keys, mut n) = (replica(), keys(), 0);
        for turn in turns {
            let mut jobs = Vec::new();
            for (key, own, step) in turn {
                n += 1;
                let place = if own { Place::Own } else { HINT };
                let task = task(&mut replica, n, place, &keys[key], &step);
                jobs.extend(task.map(|task| Job { asker: Asker::Own(OpId(n)), task }));
            }
            let (asked, commits) = (jobs.len(), replica.store().commits);
            prop_assert_eq!(replica.run(jobs, vec![]).unwrap().len(), asked);
            prop_assert!(replica.store().commits <= commits + 1, "one batch at most");
            run(&mut replica, [Task::Scrub { from: 0 }]);
            check(&replica);
        }
        let again = Replica::open(replica.store().clone(), Bounds::default()).unwrap();
        prop_assert_eq!(again.tree(), replica.tree());
    }

    /// A version that was made while another was not held must not cover it: nobody who has
    /// both may lose the earlier.
    #[test]
    fn no_version_covers_one_that_its_maker_did_not_hold(turns in turns()) {
        let (mut replica, keys, mut n) = (replica(), keys(), 0);
        let mut made: BTreeMap<usize, Vec<(Dot, Versions)>> = BTreeMap::new();
        for (key, own, step) in turns.into_iter().flatten() {
            n += 1;
            let place = if own { Place::Own } else { HINT };
            let before = replica.store().get(place, &keys[key]).ok().flatten().unwrap_or_default();
            let Some(task) = task(&mut replica, n, place, &keys[key], &step) else { continue };
            let [answer] = run(&mut replica, [task]);
            let ReplicaAnswer::Wrote { versions: after, .. } = answer else { continue };
            let Some(new) = after.siblings().iter().find(|v| v.dot.counter == n) else { continue };
            let earlier = made.entry(key).or_default();
            for (dot, _) in earlier.iter() {
                let covers = after.seen().covers(*dot);
                prop_assert!(!covers || before.versions.seen().covers(*dot), "{:?} covers {:?}", new.dot, dot);
            }
            earlier.push((new.dot, after.clone()));
        }
    }
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
            one(&key, HINT, Operation::Forget(Versions::default())),
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
    assert_eq!(run(&mut replica, [merge(&key, Place::Own, &versions, false)]), [not.clone()]);
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

/// The client is told to read and merge; what is there stays.
#[test]
fn too_many_siblings_are_refused_and_change_nothing() {
    let bounds = Bounds { siblings: 2, ..Bounds::default() };
    let (mut replica, key) = (fresh(bounds), Key::plain("k"));
    for n in 1..=2 {
        write(&mut replica, Place::Own, &key, draft(n, Some("v"), &Context::default()));
    }
    let before = held(&replica, Place::Own, &key);
    let third = one(&key, Place::Own, Operation::Write(draft(3, Some("v"), &Context::default())));
    let [answer] = run(&mut replica, [third]);
    assert!(matches!(answer, ReplicaAnswer::TooManySiblings { siblings: 3, .. }), "{answer:?}");
    assert_eq!(held(&replica, Place::Own, &key), before);
    check(&replica);

    let mut other = fresh(Bounds::default());
    let theirs = write(&mut other, Place::Own, &key, draft(9, Some("w"), &Context::default()));
    run(&mut replica, [merge(&key, Place::Own, &theirs, false)]);
    assert_eq!(held(&replica, Place::Own, &key).siblings().len(), 3, "replicas are not bound");
    let seen = held(&replica, Place::Own, &key).context();
    let merged = write(&mut replica, Place::Own, &key, draft(10, Some("all"), &seen));
    assert_eq!(merged.siblings().len(), 1, "the way out is open");
}

#[test]
fn siblings_of_too_many_bytes_are_refused() {
    let bounds = Bounds { sibling_bytes: 300, ..Bounds::default() };
    let (mut replica, key) = (fresh(bounds), Key::plain("k"));
    let large = Draft { value: Some(vec![0; 200].into()), ..draft(1, None, &Context::default()) };
    write(&mut replica, Place::Own, &key, large.clone());
    let second = Draft { counter: 2, request: RequestId([2; 16]), ..large };
    let [answer] = run(&mut replica, [one(&key, Place::Own, Operation::Write(second))]);
    assert!(matches!(answer, ReplicaAnswer::TooManySiblings { siblings: 2, .. }), "{answer:?}");
}

/// A key whose clock has entries of `others` actors, oldest first.
fn crowded(others: u64) -> Versions {
    let mut held = Versions::default();
    for n in 1..=others {
        let draft = Draft { node: NodeId(100 + n), ..draft(n, Some("v"), &held.context()) };
        let mut theirs = Held { versions: held, ..Held::default() };
        theirs.write(draft, usize::MAX);
        held = theirs.versions;
    }
    held
}

#[test]
fn a_long_clock_is_cut_at_its_oldest_and_says_so() {
    let bounds = Bounds { clock: 4, ..Bounds::default() };
    let (mut replica, key) = (fresh(bounds), Key::plain("k"));
    let others = crowded(6);
    run(&mut replica, [merge(&key, Place::Own, &others, false)]);
    assert_eq!(held(&replica, Place::Own, &key), others, "a merge cuts nothing");
    let write = one(&key, Place::Own, Operation::Write(draft(50, Some("v"), &others.context())));
    let [ReplicaAnswer::Wrote { versions, truncated: 3, .. }] = run(&mut replica, [write]) else {
        panic!("seven entries become four")
    };
    let left: Vec<_> = versions.seen().iter().map(|(dot, _)| dot.actor.node.0).collect();
    assert_eq!(left, [1, 104, 105, 106]);
    check(&replica);
}

/// Cut for the sake of others it would say that it has not seen what it is.
#[test]
fn entries_of_siblings_are_never_cut() {
    let bounds = Bounds { clock: 2, ..Bounds::default() };
    let (mut replica, key) = (fresh(bounds), Key::plain("k"));
    for node in 101..=105 {
        let mut theirs = Held::default();
        let n = node - 100;
        theirs.write(Draft { node: NodeId(node), ..draft(n, Some("v"), &Context::default()) }, 9);
        run(&mut replica, [merge(&key, Place::Own, &theirs.versions, false)]);
    }
    let after = write(&mut replica, Place::Own, &key, draft(50, Some("v"), &Context::default()));
    assert_eq!(after.siblings().len(), 6);
    assert!(after.siblings().iter().all(|v| after.seen().covers(v.dot)));
}

/// What a deletion has seen is what keeps the key deleted.
#[test]
fn the_clock_of_a_deletion_is_not_cut() {
    let bounds = Bounds { clock: 2, ..Bounds::default() };
    let (mut replica, key) = (fresh(bounds), Key::plain("k"));
    let others = crowded(6);
    run(&mut replica, [merge(&key, Place::Own, &others, false)]);
    let after = write(&mut replica, Place::Own, &key, draft(50, None, &others.context()));
    assert_eq!(after.seen().len(), 7);
}

#[test]
fn a_damaged_record_fails_its_own_job_and_no_other() {
    let (mut replica, [bad, good, _]) = (replica(), keys());
    for (n, key) in [(1, &bad), (2, &good)] {
        write(&mut replica, Place::Own, key, draft(n, Some("v"), &Context::default()));
    }
    assert!(replica.store_mut().damage(Place::Own, &bad));
    let write = draft(3, Some("w"), &Context::default());
    let answers = run(
        &mut replica,
        [
            one(&bad, Place::Own, Operation::Read),
            one(&bad, Place::Own, Operation::Write(write)),
            one(&bad, Place::Own, Operation::Forget(Versions::default())),
            one(&good, Place::Own, Operation::Read),
        ],
    );
    let failed = ReplicaAnswer::Failed;
    assert_eq!(answers[..3], [failed.clone(), failed.clone(), failed]);
    assert_eq!(answers[3], ReplicaAnswer::Holds(held(&replica, Place::Own, &good)));
    check(&replica);
}

#[test]
fn what_peers_hold_replaces_a_damaged_record() {
    for deleted in [false, true] {
        let (mut replica, key) = (replica(), Key::plain("k"));
        let value = (!deleted).then_some("v");
        let lost = write(&mut replica, Place::Own, &key, draft(1, value, &Context::default()));
        replica.store_mut().damage(Place::Own, &key);
        let mut peer = fresh(Bounds::default());
        let theirs = Draft { node: NodeId(2), ..draft(2, Some("w"), &Context::default()) };
        let theirs = write(&mut peer, Place::Own, &key, theirs);
        let answer = run(&mut replica, [merge(&key, Place::Own, &theirs, false)]);
        assert_eq!(answer, [ReplicaAnswer::Merged { durable: true }]);
        assert_eq!(held(&replica, Place::Own, &key), theirs);
        check(&replica);
        let next = write(&mut replica, Place::Own, &key, draft(3, Some("x"), &Context::default()));
        let actor = lost.siblings()[0].dot.actor;
        assert_eq!(next.seen().counter(actor), 0, "it does not sign for what it lost");
    }
}

#[test]
fn a_scrub_finds_what_nobody_reads() {
    let (mut replica, keys) = (replica(), keys());
    for (n, key) in (1..).zip(&keys) {
        write(&mut replica, Place::Own, key, draft(n, Some("v"), &Context::default()));
    }
    let none = ReplicaAnswer::Scrubbed { wrong: 0, next: None };
    assert_eq!(run(&mut replica, [Task::Scrub { from: 0 }]), [none.clone()]);
    replica.store_mut().damage(Place::Own, &keys[0]);
    let found = ReplicaAnswer::Scrubbed { wrong: 1, next: None };
    assert_eq!(run(&mut replica, [Task::Scrub { from: 0 }]), [found]);
    check(&replica);
    assert_eq!(run(&mut replica, [Task::Scrub { from: 0 }]), [none], "it is told once");
}

#[test]
fn a_scrub_of_many_leaves_goes_through_all_of_them() {
    let mut replica = replica();
    let keys: Vec<_> = (0..100).map(|n| Key::plain(format!("k{n}"))).collect();
    for (n, key) in (1..).zip(&keys) {
        write(&mut replica, Place::Own, key, draft(n, Some("v"), &Context::default()));
    }
    for key in &keys {
        replica.store_mut().damage(Place::Own, key);
    }
    let leaves: BTreeSet<_> = keys.iter().map(Key::leaf).collect();
    let (mut found, mut from) = (0, Some(0));
    while let Some(leaf) = from {
        let [answer] = run(&mut replica, [Task::Scrub { from: leaf }]);
        let ReplicaAnswer::Scrubbed { wrong, next } = answer else { panic!("{answer:?}") };
        assert!(next.is_none_or(|next| next > leaf), "it must get on");
        found += wrong;
        from = next;
    }
    assert_eq!(found, leaves.len());
    assert_eq!(replica.tree(), &Tree::default());
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
