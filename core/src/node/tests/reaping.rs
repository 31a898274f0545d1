//! Reaping: deleted keys are forgotten in the end, and never so that they come back.

use super::{
    cluster::{Cluster, Fate, Parcel, texts},
    *,
};
use crate::reap::ReapStep;

/// More than enough for several rounds.
const LONG: u64 = 60_000;

/// Four nodes, one of which is no primary of the key, which was written and deleted.
fn deleted() -> (Cluster, Key) {
    let mut cluster = Cluster::of(4);
    let key = key_of_a(&cluster.ring).0;
    let written = cluster.write(A, &key, Some("v"), Context::default());
    cluster.write(A, &key, None, written.context.unwrap());
    (cluster, key)
}

fn is_gone(cluster: &Cluster, key: &Key) -> bool {
    cluster.machines.keys().all(|n| cluster.holds(*n, key) == Versions::default())
}

fn was_reaped(cluster: &Cluster) -> bool {
    cluster.notes.iter().any(|(_, note)| matches!(note, Note::Reaped { .. }))
}

fn step_of(parcel: &Parcel) -> Option<ReapStep> {
    match &parcel.message {
        Message::ReapRequest { request, .. } => Some(request.step),
        _ => None,
    }
}

/// Runs until all have pledged: what follows happens while it settles.
fn pledged(cluster: &mut Cluster) {
    let asked = |c: &Cluster| {
        let pledges = c.delivered.iter().filter(|p| step_of(p) == Some(ReapStep::Pledge));
        pledges.count() == 3
    };
    assert!(cluster.run_until(LONG, asked), "nobody asked for pledges");
    assert!(!cluster.delivered.iter().any(|p| step_of(p) == Some(ReapStep::Confirm)));
}

/// Whether the round under way ends with reaping. Another one may follow.
fn ends_well(cluster: &Cluster) -> bool {
    let steps = cluster.delivered.iter().filter_map(step_of);
    steps.take_while(|s| *s != ReapStep::Pledge).any(|s| s == ReapStep::Reap)
}

#[test]
fn a_deleted_key_is_forgotten_by_everybody() {
    let (mut cluster, key) = deleted();
    assert!(cluster.run_until(LONG, |c| is_gone(c, &key)));
    assert!(cluster.notes.contains(&(A, Note::Reaped { keys: 1 })));
    assert_eq!(cluster.values(B, &key), [""; 0]);
    cluster.run(LONG);
    assert!(is_gone(&cluster, &key), "and nobody brings it back");
}

#[test]
fn a_deletion_stays_for_as_long_as_it_must() {
    let (mut cluster, key) = deleted();
    cluster.run(4_900);
    assert!(!cluster.delivered.iter().any(|p| step_of(p).is_some()), "it is too young");
    assert!(!is_gone(&cluster, &key));
}

#[test]
fn a_key_with_a_value_is_not_reaped() {
    let mut cluster = Cluster::of(4);
    let key = key_of_a(&cluster.ring).0;
    let written = cluster.write(A, &key, Some("seen"), Context::default());
    cluster.write(A, &key, Some("unseen"), Context::default());
    cluster.write(A, &key, None, written.context.unwrap());
    cluster.run(LONG);
    assert_eq!(cluster.values(B, &key), ["unseen"]);
    assert!(!was_reaped(&cluster));
}

/// It may hold something older, also one that is no primary: as a hint.
#[test]
fn while_a_member_is_down_nothing_is_reaped() {
    for member in [B, C, D] {
        let (mut cluster, key) = deleted();
        cluster.cut(member);
        cluster.run(LONG);
        assert!(!was_reaped(&cluster), "without {member}");
        cluster.heal(member);
        assert!(cluster.run_until(LONG, |c| is_gone(c, &key)), "later, with {member}");
    }
}

/// The value was never brought to the one that was down, its deletion neither.
#[test]
fn a_hint_of_what_was_deleted_keeps_the_deletion() {
    let (mut cluster, key) = deleted();
    let list = cluster.list(&key);
    let (fallback, owner) = (list.fallbacks()[0], list.primaries()[1]);
    let old = written(D, 1_001, true, &Context::default());
    // Behind the node's back: it would deliver it otherwise.
    cluster.machine(fallback).store(Place::Hint(owner), &key, &old);
    cluster.run(LONG);
    assert!(!was_reaped(&cluster));
    assert!(!is_gone(&cluster, &key));
}

#[test]
fn a_write_while_it_settles_is_not_lost() {
    for at in [A, B, C, D] {
        let (mut cluster, key) = deleted();
        pledged(&mut cluster);
        cluster.write(at, &key, Some("new"), Context::default());
        cluster.run(LONG);
        for node in [A, B, C, D] {
            assert_eq!(cluster.values(node, &key), ["new"], "written at {at}");
        }
    }
}

/// A write that reaches one replica only, and that one last.
#[test]
fn a_write_that_only_one_replica_has_is_not_lost() {
    let (mut cluster, key) = deleted();
    let last = cluster.list(&key).primaries()[2];
    pledged(&mut cluster);
    cluster.rule = Box::new(|p| if p.merges().is_some() { Fate::Drop } else { Fate::Deliver });
    let written = cluster.write(last, &key, Some("new"), Context::default());
    assert_eq!(written.coordinator, last);
    cluster.run(20_000);
    cluster.release();
    cluster.run(20_000);
    assert_eq!(texts(cluster.holds(A, &key).siblings()), ["-", "new"]);
}

/// What it has promised it has forgotten.
#[test]
fn a_member_that_restarts_while_it_settles_stops_the_round() {
    for member in [B, C, D] {
        let (mut cluster, key) = deleted();
        pledged(&mut cluster);
        cluster.delivered.clear();
        cluster.restart(member);
        cluster.run(6_000);
        assert!(!ends_well(&cluster), "although {member} was restarted");
        assert!(cluster.run_until(LONG, |c| is_gone(c, &key)), "later");
    }
}

/// Whatever it was about to do before the pause it does after it.
#[test]
fn a_member_that_is_paused_while_it_settles_stops_the_round() {
    for member in [B, C, D] {
        let (mut cluster, key) = deleted();
        pledged(&mut cluster);
        cluster.pause(member);
        cluster.run(8_000);
        cluster.delivered.clear();
        cluster.resume(member);
        cluster.run(6_000);
        assert!(!ends_well(&cluster), "although {member} was paused");
        assert!(cluster.run_until(2 * LONG, |c| is_gone(c, &key)), "later");
    }
}

/// The reaper itself was paused: the members' pledges may be over.
#[test]
fn a_reaper_that_is_paused_reaps_nothing_by_old_pledges() {
    let (mut cluster, key) = deleted();
    pledged(&mut cluster);
    cluster.pause(A);
    cluster.run(LONG);
    let old = written(D, 1_001, true, &Context::default());
    let late = cluster.list(&key).primaries()[1];
    cluster.machine(late).store(Place::Own, &key, &old);
    cluster.delivered.clear();
    cluster.resume(A);
    cluster.run(LONG);
    assert_eq!(texts(cluster.holds(A, &key).siblings()), ["-", "1001"]);
}

/// An old value under way since before the deletion arrives while it settles, at a node that
/// keeps it for another.
#[test]
fn an_old_hint_that_arrives_while_it_settles_does_not_bring_the_key_back() {
    let mut cluster = Cluster::of(4);
    let key = key_of_a(&cluster.ring).0;
    let list = cluster.list(&key);
    let (owner, fallback) = (list.primaries()[1], list.fallbacks()[0]);
    cluster.cut(owner);
    cluster.rule = Box::new(move |p| {
        let late = p.to == fallback && p.merges().is_some();
        if late { Fate::Hold } else { Fate::Deliver }
    });
    let written = cluster.write(A, &key, Some("old"), Context::default());
    cluster.run(500);
    cluster.heal(owner);
    cluster.write(A, &key, None, written.context.unwrap());
    pledged(&mut cluster);
    cluster.release();
    cluster.run(2 * LONG);
    for node in [A, B, C, D] {
        assert_eq!(cluster.values(node, &key), [""; 0], "{node}");
    }
    assert!(is_gone(&cluster, &key));
}

/// Lost on one node it is found there by the others, and reaped again.
#[test]
fn a_member_that_does_not_hear_of_the_end_does_no_harm() {
    let (mut cluster, key) = deleted();
    let deaf = cluster.list(&key).primaries()[2];
    cluster.rule = Box::new(move |p| {
        let end = step_of(p) == Some(ReapStep::Reap) && p.to == deaf;
        if end { Fate::Drop } else { Fate::Deliver }
    });
    assert!(cluster.run_until(LONG, was_reaped));
    cluster.release();
    assert!(!is_gone(&cluster, &key));
    assert!(cluster.run_until(4 * LONG, |c| is_gone(c, &key)));
}

#[test]
fn many_deleted_keys_are_all_forgotten() {
    let mut cluster = Cluster::of(4);
    let keys: Vec<_> = (0..300).map(|n| Key::plain(format!("k{n}"))).collect();
    for (n, key) in (1..).zip(&keys) {
        let grave = written(E, n, false, &Context::default());
        for primary in cluster.list(key).primaries().to_vec() {
            cluster.machine(primary).store(Place::Own, key, &grave);
        }
    }
    let gone = |c: &Cluster| keys.iter().all(|key| is_gone(c, key));
    assert!(cluster.run_until(6 * LONG, gone));
}
