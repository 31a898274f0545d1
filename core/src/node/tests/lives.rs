//! Lives of records: who has forgotten what it made must not sign for it.

use super::{
    cluster::{Cluster, Fate, texts},
    *,
};

/// A fallback writes, hands its hint off and forgets it, and writes again without having seen
/// the first. Its second version comes after the first by its counter, but knows nothing of
/// it: both must stay.
#[test]
fn what_a_fallback_made_before_it_handed_off_is_not_overwritten_by_what_it_makes_after() {
    let mut cluster = Cluster::of(5);
    let (key, list) = key_of_a(&cluster.ring);
    let (away, fallback) = (list.primaries()[2], list.fallbacks()[0]);
    for value in ["first", "second"] {
        cluster.cut(away);
        let written = cluster.write(fallback, &key, Some(value), Context::default());
        assert_eq!(written.coordinator, fallback);
        cluster.run(500);
        assert_eq!(texts(cluster.hint(fallback, away, &key).siblings()), [value]);
        cluster.heal(away);
        assert_eq!(cluster.hint(fallback, away, &key), Versions::default());
    }
    for &primary in list.primaries() {
        assert_eq!(texts(cluster.holds(primary, &key).siblings()), ["first", "second"]);
    }
    assert_eq!(cluster.values(fallback, &key), ["first", "second"]);
}

/// The same with nobody but the fallback and the owner to have heard of it.
#[test]
fn nor_at_an_owner_that_heard_of_them_by_hints_alone() {
    let mut cluster = Cluster::of(5);
    let (key, list) = key_of_a(&cluster.ring);
    let (away, fallback) = (list.primaries()[2], list.fallbacks()[0]);
    // Hints are synced; what a coordinator sends, and what repairs, is not.
    let hints_only = |p: &cluster::Parcel| match (p.merges(), &p.message) {
        (Some(false), _) | (_, Message::TreeRequest { .. }) => Fate::Drop,
        _ => Fate::Deliver,
    };
    cluster.rule = Box::new(hints_only);
    for value in ["first", "second"] {
        cluster.cut(away);
        cluster.write(fallback, &key, Some(value), Context::default());
        cluster.heal(away);
    }
    assert_eq!(texts(cluster.holds(away, &key).siblings()), ["first", "second"]);
}

#[test]
fn a_key_that_was_reaped_begins_anew() {
    let mut cluster = Cluster::of(3);
    let (key, _) = key_of_a(&cluster.ring);
    let written = cluster.write(A, &key, Some("before"), Context::default());
    let old = cluster.read(A, &key);
    cluster.write(A, &key, None, written.context.unwrap());
    let is_gone = |c: &Cluster| [A, B, C].iter().all(|n| c.holds(*n, &key) == Versions::default());
    assert!(cluster.run_until(60_000, is_gone));
    cluster.write(A, &key, Some("after"), Context::default());
    let new = cluster.read(A, &key);
    assert_eq!(texts(&new.siblings), ["after"]);
    assert_ne!(new.siblings[0].dot.actor, old.siblings[0].dot.actor);
    assert!(!new.context.seen().covers(old.siblings[0].dot));
}

/// It must not be taken for an empty one either: a version made over it would know nothing of
/// what was there.
#[test]
fn nothing_is_written_over_a_record_that_cannot_be_read() {
    let mut cluster = Cluster::of(3);
    let (key, _) = key_of_a(&cluster.ring);
    cluster.rule = Box::new(|p| if p.merges().is_some() { Fate::Drop } else { Fate::Deliver });
    cluster.write(A, &key, Some("only here"), Context::default());
    assert!(cluster.machine(A).replica.store_mut().damage(Place::Own, &key));
    let write = WriteCommand { request: RequestId([4; 16]), ..command() };
    let reply = cluster.request(A, &key, Command::Write(write), Wanted::default());
    assert_eq!(reply, Reply::Refused(Refusal::Storage));
}

/// What A had made and lost is known to B, and A's next version must not cover it unseen.
#[test]
fn a_record_that_was_damaged_and_repaired_is_another() {
    let mut cluster = Cluster::of(3);
    let (key, _) = key_of_a(&cluster.ring);
    cluster.write(A, &key, Some("old"), Context::default());
    cluster.run(5_000);
    let old = cluster.read(A, &key).siblings[0].dot;
    // A second version that only A has, and loses.
    cluster.rule = Box::new(|p| if p.merges().is_some() { Fate::Drop } else { Fate::Deliver });
    cluster.write(A, &key, Some("lost"), Context::default());
    assert!(cluster.machine(A).replica.store_mut().damage(Place::Own, &key));
    cluster.release();
    let restored = |c: &Cluster| c.holds_readably(A, &key);
    assert!(cluster.run_until(60_000, restored));
    assert_eq!(texts(cluster.holds(A, &key).siblings()), ["old"]);
    cluster.write(A, &key, Some("new"), Context::default());
    let held = cluster.holds(A, &key);
    assert_eq!(texts(held.siblings()), ["new", "old"]);
    let new = held.siblings().iter().find(|v| v.dot != old).unwrap().dot;
    assert_ne!(new.actor, old.actor);
    assert_eq!(held.seen().counter(old.actor), old.counter, "not what was lost in between");
}
