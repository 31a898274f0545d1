//! Records that cannot be read: not served, not signed for, counted out, and replaced.

use super::*;

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
    assert_eq!(run(&mut replica, [Task::Scrub { from: 0 }]), from_ref(&none));
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
