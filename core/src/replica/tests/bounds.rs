//! Limits on siblings, which bind clients only, and on clocks.

use super::*;

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
