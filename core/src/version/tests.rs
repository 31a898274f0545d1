//! The laws of versions, and what they mean to the people who write them.

use super::*;
use crate::id::{Actor, Incarnation, Life, NodeId};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn dot(node: u64, counter: u64) -> Dot {
    Dot { actor: Actor { node: NodeId(node), incarnation: Incarnation(1), life: Life(1) }, counter }
}

fn request(n: u64) -> RequestId {
    RequestId(u128::from(n).to_be_bytes())
}

fn write(node: u64, counter: u64, n: u64, context: &Context) -> Write {
    let value = Some(Bytes::from(format!("v{n}")));
    let version = Version { dot: dot(node, counter), request: request(n), stamp: Stamp(n), value };
    Write { version, context: context.clone() }
}

fn merged(a: &Versions, b: &Versions) -> Versions {
    let mut m = a.clone();
    m.merge(b);
    m
}

fn values(v: &Versions) -> Vec<String> {
    let text = |v: &Version| String::from_utf8_lossy(v.value.as_deref().unwrap_or(b"-")).into();
    v.siblings().iter().map(text).collect()
}

#[test]
fn a_put_with_the_context_of_a_read_replaces_what_was_read() {
    let mut v = Versions::default();
    v.write(write(1, 1, 1, &Context::default()));
    let context = v.context();
    v.write(write(1, 2, 2, &context));
    assert_eq!(values(&v), ["v2"]);
}

#[test]
fn a_blind_put_becomes_a_sibling() {
    let mut v = Versions::default();
    v.write(write(1, 1, 1, &Context::default()));
    v.write(write(1, 2, 2, &Context::default()));
    assert_eq!(values(&v), ["v1", "v2"]);
}

/// Two clients read, then both write through one node, again and again. With one
/// counter for both an update would be lost; with one clock each the siblings would
/// pile up for ever. There are two writers, so there are two siblings.
#[test]
fn interleaved_writers_through_one_node_do_not_explode() {
    let mut v = Versions::default();
    for round in 0..100 {
        let read = v.context();
        v.write(write(1, 2 * round + 1, 2 * round + 1, &read));
        assert_eq!(v.siblings().len(), 1, "the first writer saw all there was");
        v.write(write(1, 2 * round + 2, 2 * round + 2, &read));
        assert_eq!(v.siblings().len(), 2, "neither writer saw the other");
    }
}

#[test]
fn a_retry_through_the_same_node_changes_nothing() {
    let mut v = Versions::default();
    v.write(write(1, 1, 7, &Context::default()));
    let once = v.clone();
    assert_eq!(v.write(write(1, 2, 7, &Context::default())), Applied::Before);
    assert_eq!(v, once);
}

#[test]
fn a_retry_through_another_node_is_the_same_write() {
    let (mut a, mut b) = (Versions::default(), Versions::default());
    a.write(write(1, 1, 7, &Context::default()));
    b.write(write(2, 1, 7, &Context::default()));
    assert_eq!(values(&merged(&a, &b)), ["v7"]);
}

/// The first try reached one node only; the retry went through another, and the
/// client has moved on since. The first try must not come back as a conflict.
#[test]
fn a_first_try_that_arrives_after_the_retry_was_overwritten_stays_overwritten() {
    let mut first = Versions::default();
    first.write(write(1, 1, 7, &Context::default()));
    let mut retry = Versions::default();
    retry.write(write(2, 1, 7, &Context::default()));
    let context = retry.context();
    retry.write(write(2, 2, 8, &context));
    assert_eq!(values(&merged(&first, &retry)), ["v8"]);
}

/// The client deletes two minutes after its retry; the first try was cut off all the
/// time. However late it surfaces, the deleted value stays deleted.
#[test]
fn a_first_try_that_surfaces_after_the_deletion_stays_deleted() {
    let at = |mut w: Write, seconds: u64| {
        w.version.stamp = Stamp(seconds * 1_000);
        w
    };
    let (mut cut_off, mut held) = (Versions::default(), Versions::default());
    cut_off.write(at(write(1, 1, 7, &Context::default()), 100));
    held.write(at(write(2, 1, 7, &Context::default()), 101));
    let context = held.context();
    let mut deletion = at(write(2, 2, 8, &context), 221);
    deletion.version.value = None;
    held.write(deletion);
    assert_eq!(values(&merged(&cut_off, &held)), ["-"]);
}

/// A disk that was put back to an older state would sign for writes that it has lost.
#[test]
fn a_dot_that_was_used_before_makes_no_version() {
    let mut v = Versions::default();
    v.write(write(1, 1, 1, &Context::default()));
    let before = v.clone();
    assert_eq!(v.write(write(1, 1, 2, &Context::default())), Applied::Reused);
    let elsewhere = [(dot(1, 9), Stamp(1))].into_iter().collect();
    let seen_elsewhere = Context::from_parts(elsewhere, vec![], None).unwrap();
    assert_eq!(v.write(write(1, 5, 3, &seen_elsewhere)), Applied::Reused);
    assert_eq!(v, before);
}

/// The first try reached one node, where a reader met it. His own write went through
/// another node, which had never heard of it; so does the retry.
#[test]
fn a_retry_of_what_a_writer_had_read_elsewhere_changes_nothing() {
    let mut first = Versions::default();
    first.write(write(1, 1, 7, &Context::default()));
    let mut elsewhere = Versions::default();
    elsewhere.write(write(2, 1, 8, &first.context()));
    assert_eq!(elsewhere.write(write(2, 2, 7, &Context::default())), Applied::Before);
    assert_eq!(values(&elsewhere), ["v8"]);
}

/// The client has met its own first try meanwhile. Where that is not known the write
/// must still be stored before it is acknowledged.
#[test]
fn a_retry_that_has_seen_itself_is_stored_once() {
    let mut first = Versions::default();
    first.write(write(1, 1, 7, &Context::default()));
    let mut elsewhere = Versions::default();
    assert_eq!(elsewhere.write(write(2, 1, 7, &first.context())), Applied::New);
    assert_eq!(values(&elsewhere), ["v7"]);
    assert_eq!(values(&merged(&first, &elsewhere)), ["v7"]);
}

#[test]
fn the_past_is_bounded() {
    let mut v = Versions::default();
    for n in 1..100 {
        let context = v.context();
        v.write(write(1, n, n, &context));
        assert!(v.past().len() <= PAST_REQUESTS);
    }
}

#[test]
fn parts_that_break_an_invariant_are_refused() {
    let mut v = Versions::default();
    v.write(write(1, 1, 1, &Context::default()));
    v.write(write(1, 2, 2, &Context::default()));
    let (seen, siblings, past) = (v.seen().clone(), v.siblings().to_vec(), v.past().to_vec());
    assert_eq!(Versions::from_parts(seen.clone(), siblings.clone(), past.clone()), Ok(v));
    let reversed = siblings.iter().rev().cloned().collect();
    assert!(Versions::from_parts(seen.clone(), reversed, past.clone()).is_err());
    assert!(Versions::from_parts(VersionVector::default(), siblings.clone(), past).is_err());
    let past = vec![PastRequest { request: request(1), stamp: Stamp(1) }];
    assert!(Versions::from_parts(seen.clone(), siblings.clone(), past).is_err());
    let mut twice = siblings;
    twice[1].request = twice[0].request;
    assert!(Versions::from_parts(seen, twice, vec![]).is_err());
}

/// What can happen to three replicas of a key.
#[derive(Clone, Debug)]
enum Step {
    /// Replica `at` coordinates a write of a client that has read at replica `read`, or
    /// nothing.
    Write { at: usize, read: Option<usize> },
    /// Replica `at` coordinates an earlier write again.
    Retry { at: usize, earlier: usize },
    /// Replica `to` merges what `from` has.
    Merge { from: usize, to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = 0..3usize;
    prop::collection::vec(
        prop_oneof![
            3 => (at.clone(), prop::option::of(at.clone()))
                .prop_map(|(at, read)| Step::Write { at, read }),
            1 => (at.clone(), 0..20usize).prop_map(|(at, earlier)| Step::Retry { at, earlier }),
            3 => (at.clone(), at).prop_map(|(from, to)| Step::Merge { from, to }),
        ],
        0..PAST_REQUESTS,
    )
}

/// What the clients of a run know.
#[derive(Default)]
struct History {
    written: Vec<RequestId>,
    /// Requests whose versions a later writer had read.
    seen_by_a_writer: BTreeSet<RequestId>,
}

fn run(steps: &[Step]) -> [Versions; 3] {
    run_recorded(steps).0
}

/// Runs the steps. Every state reached is one a real replica could be in.
fn run_recorded(steps: &[Step]) -> ([Versions; 3], History) {
    let mut replicas = <[Versions; 3]>::default();
    let mut history = History::default();
    let mut writes: Vec<Write> = Vec::new();
    for (n, step) in (1..).zip(steps) {
        match *step {
            Step::Write { at, read } => {
                let mut context = Context::default();
                if let Some(read) = read {
                    context = replicas[read].context();
                    let read = replicas[read].siblings().iter().map(|v| v.request);
                    history.seen_by_a_writer.extend(read);
                }
                let w = write(at as u64, n, n, &context);
                history.written.push(w.version.request);
                writes.push(w.clone());
                replicas[at].write(w);
            }
            Step::Retry { at, earlier } => {
                if let Some(w) = writes.get(earlier) {
                    let mut again = w.clone();
                    again.version.dot = dot(at as u64, n);
                    replicas[at].write(again);
                }
            }
            Step::Merge { from, to } => {
                let other = replicas[from].clone();
                replicas[to].merge(&other);
            }
        }
    }
    (replicas, history)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn merge_is_commutative_and_idempotent(s in steps()) {
        let [a, b, _] = run(&s);
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(&merged(&a, &a), &a);
        let ab = merged(&a, &b);
        prop_assert_eq!(&merged(&ab, &b), &ab);
        prop_assert!(!ab.clone().merge(&b));
    }

    #[test]
    fn merge_is_associative_without_retries(s in steps()) {
        let writes_only: Vec<_> =
            s.into_iter().filter(|s| !matches!(s, Step::Retry { .. })).collect();
        let [a, b, c] = run(&writes_only);
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    /// With retries, replicas that have all exchanged what they have are equal, in
    /// whatever order they did it.
    #[test]
    fn replicas_that_have_exchanged_everything_are_equal(s in steps()) {
        let mut replicas = run(&s);
        for _ in 0..2 {
            for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 1), (1, 2)] {
                let other = replicas[from].clone();
                replicas[to].merge(&other);
            }
        }
        prop_assert_eq!(&replicas[0], &replicas[1]);
        prop_assert_eq!(&replicas[1], &replicas[2]);
    }

    #[test]
    fn the_invariants_hold(s in steps()) {
        for v in run(&s) {
            let again = Versions::from_parts(v.seen.clone(), v.siblings.clone(), v.past.clone());
            prop_assert_eq!(again, Ok(v));
        }
    }

    /// The heart of it: a write is gone from everywhere only if some version saw it.
    #[test]
    fn every_write_survives_or_was_seen(s in steps()) {
        let (replicas, history) = run_recorded(&s);
        let all = replicas.iter().fold(Versions::default(), |m, v| merged(&m, v));
        for r in history.written {
            let alive = all.siblings().iter().any(|v| v.request == r);
            prop_assert!(alive || history.seen_by_a_writer.contains(&r), "{r:?} was lost: {all:?}");
        }
    }
}
