//! What a member agrees to when a reaper asks it. B is the reaper, the node is A.

use super::{machine::Machine, *};
use crate::reap::{GRAVES, ReapRequest, ReapStep};

struct Member {
    a: Machine,
    key: Key,
    owner: NodeId,
    grave: Versions,
    /// What the deletion has overwritten.
    old: Versions,
}

/// A as a primary that holds the deletion, or as a member that is none.
fn member(is_primary: bool) -> Member {
    let mut a = Machine::of_five();
    let ring = a.node.ring().unwrap();
    let (key, list) = key_where(ring, |l| l.primaries().contains(&A) == is_primary);
    let owner = *list.primaries().iter().find(|n| **n != A).unwrap();
    let old = written(D, 1, true, &Context::default());
    let mut grave = old.clone();
    grave.merge(&written(E, 2, false, &old.context()));
    if is_primary {
        a.store(Place::Own, &key, &grave);
    }
    Member { a, key, owner, grave, old }
}

impl Member {
    fn ask(&mut self, ms: u64, step: ReapStep) -> Option<Vec<bool>> {
        let ring = self.a.node.ring().unwrap().tag();
        self.ask_of(ms, step, ring, vec![(self.key.clone(), self.grave.clone())])
    }

    fn ask_of(
        &mut self,
        ms: u64,
        step: ReapStep,
        ring: RingTag,
        graves: Vec<(Key, Versions)>,
    ) -> Option<Vec<bool>> {
        let request = ReapRequest { step, ring, graves };
        let message = Message::ReapRequest { id: OpId(5), request };
        let out = self.a.handle(now(ms), Input::Message(B, FIRST, message));
        match &out[..] {
            [] => None,
            [Effect::Send(B, Message::ReapResponse { id: OpId(5), agreed })] => {
                Some(agreed.clone())
            }
            _ => panic!("{out:?}"),
        }
    }

    fn merge(&mut self, ms: u64, stands_for: Option<NodeId>, versions: &Versions) {
        let operation = PeerOperation::Merge { versions: versions.clone(), sync: false };
        let key = self.key.clone();
        let message = Message::ReplicaRequest { id: OpId(6), key, stands_for, operation };
        self.a.handle(now(ms), Input::Message(C, FIRST, message));
    }

    /// The ticks of the seconds in between: the node was not paused.
    fn live(&mut self, from: u64, to: u64) {
        for second in from / 1_000..=to / 1_000 {
            self.a.hear_all(now(1_000 * second));
            self.a.handle(now(1_000 * second), Input::Tick);
        }
    }
}

const YES: Option<&[bool]> = Some(&[true]);
const NO: Option<&[bool]> = Some(&[false]);
const NOTHING: Option<&[bool]> = Some(&[]);

#[test]
fn it_pledges_confirms_and_buries_what_is_all_that_there_is() {
    let mut m = member(true);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    m.live(1_000, 9_000);
    assert_eq!(m.ask(9_000, ReapStep::Confirm).as_deref(), YES);
    assert_eq!(m.ask(9_000, ReapStep::Reap), None);
    assert_eq!(m.a.held(Place::Own, &m.key), Versions::default());
}

/// A loss of power must not bring back what it said was gone.
#[test]
fn what_it_agrees_to_is_on_disk() {
    let mut m = member(true);
    m.a.replica.store_mut().lazy = true;
    let before = m.a.replica.store().syncs;
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    assert_eq!(m.a.replica.store().syncs, before + 1);
}

#[test]
fn one_that_is_no_primary_agrees_if_it_has_nothing() {
    let mut m = member(false);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    assert_eq!(m.ask(1, ReapStep::Confirm).as_deref(), YES);

    let mut m = member(false);
    m.a.store(Place::Own, &m.key.clone(), &m.grave.clone());
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), NO, "not even the deletion");
}

#[test]
fn it_does_not_agree_when_it_holds_anything_else() {
    let newer = |m: &Member| {
        let mut newer = m.grave.clone();
        newer.merge(&written(C, 3, true, &m.grave.context()));
        newer
    };
    let beside = |m: &Member| {
        let mut both = m.grave.clone();
        both.merge(&written(C, 3, true, &Context::default()));
        both
    };
    let mut m = member(true);
    let held = newer(&m);
    m.a.store(Place::Own, &m.key.clone(), &held);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), NO);

    let mut m = member(true);
    let held = beside(&m);
    m.a.store(Place::Own, &m.key.clone(), &held);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), NO);

    let mut m = member(true);
    m.grave = newer(&m);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), NO, "it holds an older state");
}

#[test]
fn it_does_not_agree_while_it_keeps_a_hint_about_the_key() {
    for is_primary in [true, false] {
        for step in [ReapStep::Pledge, ReapStep::Confirm] {
            let mut m = member(is_primary);
            if step == ReapStep::Confirm {
                assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
            }
            let versions = m.old.clone();
            m.a.store(Place::Hint(m.owner), &m.key.clone(), &versions);
            assert_eq!(m.ask(1, step).as_deref(), NO, "{step:?}");
        }
    }
}

#[test]
fn another_ring_has_other_members() {
    for (epoch, digest) in [(0, 1), (1, 0)] {
        let mut m = member(true);
        let RingTag { epoch: e, digest: d } = m.a.node.ring().unwrap().tag();
        let other = RingTag { epoch: e + epoch, digest: d.wrapping_add(digest) };
        let graves = vec![(m.key.clone(), m.grave.clone())];
        let pledge = m.ask_of(0, ReapStep::Pledge, other, graves.clone());
        assert_eq!(pledge.as_deref(), NOTHING);
        assert_eq!(m.ask(1, ReapStep::Pledge).as_deref(), YES);
        assert_eq!(m.ask_of(2, ReapStep::Confirm, other, graves).as_deref(), NOTHING);
    }
}

#[test]
fn it_confirms_only_what_it_has_pledged() {
    let mut m = member(true);
    assert_eq!(m.ask(0, ReapStep::Confirm).as_deref(), NOTHING);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    m.ask(1, ReapStep::Release);
    assert_eq!(m.ask(2, ReapStep::Confirm).as_deref(), NOTHING);
}

#[test]
fn a_write_after_the_pledge_is_seen() {
    let mut m = member(true);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    m.a.handle(now(1), put(&m.key));
    assert_eq!(m.ask(2, ReapStep::Confirm).as_deref(), NO);
}

#[test]
fn another_process_knows_of_no_pledge() {
    let mut m = member(true);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    let mut config = config(m.a.node.ring().cloned());
    config.member.generation = Generation(2);
    m.a.node = meet(Node::new(config), &[B, C, D, E]);
    assert_eq!(m.ask(1, ReapStep::Confirm).as_deref(), NOTHING);
}

/// It may have read something before the pause that it is about to write now.
#[test]
fn who_was_paused_for_long_has_kept_no_pledge() {
    let mut m = member(true);
    assert_eq!(m.ask(1_000, ReapStep::Pledge).as_deref(), YES);
    assert_eq!(m.ask(61_000, ReapStep::Confirm).as_deref(), NOTHING);
}

#[test]
fn a_pledge_does_not_last_for_ever() {
    let mut m = member(true);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    m.live(1_000, 200_000);
    assert_eq!(m.ask(200_000, ReapStep::Confirm).as_deref(), NOTHING);
}

/// A hint that was under way: kept as it is it would bring the key back one day.
#[test]
fn what_is_older_than_a_pledged_deletion_is_taken_for_overwritten() {
    for is_primary in [true, false] {
        let mut m = member(is_primary);
        assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
        let old = m.old.clone();
        m.merge(1, Some(m.owner), &old);
        assert_eq!(m.a.held(Place::Hint(m.owner), &m.key).siblings(), m.grave.siblings());
        m.merge(2, None, &old);
        assert_eq!(m.a.held(Place::Own, &m.key).siblings(), m.grave.siblings());
    }
}

#[test]
fn what_a_pledged_deletion_has_not_seen_is_kept_as_it_is() {
    let mut m = member(false);
    assert_eq!(m.ask(0, ReapStep::Pledge).as_deref(), YES);
    let other = written(C, 3, true, &Context::default());
    m.merge(1, Some(m.owner), &other);
    assert_eq!(m.a.held(Place::Hint(m.owner), &m.key), other);
}

/// Between the confirmation and the end something else came in.
#[test]
fn only_the_very_deletion_is_buried() {
    let mut m = member(true);
    let other = written(C, 3, true, &Context::default());
    m.a.store(Place::Own, &m.key.clone(), &other);
    let before = m.a.held(Place::Own, &m.key);
    m.ask(0, ReapStep::Reap);
    assert_eq!(m.a.held(Place::Own, &m.key), before);
}

#[test]
fn too_many_keys_at_a_time_are_refused() {
    let mut m = member(true);
    let ring = m.a.node.ring().unwrap().tag();
    let graves = vec![(m.key.clone(), m.grave.clone()); GRAVES + 1];
    assert_eq!(m.ask_of(0, ReapStep::Pledge, ring, graves).as_deref(), NOTHING);
}

#[test]
fn each_key_is_answered_for_itself() {
    let mut m = member(true);
    let ring = m.a.node.ring().unwrap().clone();
    let (other, _) = key_where(&ring, |l| l.primaries().contains(&A));
    let other = Key::new(other.partition().clone(), "another");
    let graves = vec![(other, m.grave.clone()), (m.key.clone(), m.grave.clone())];
    let agreed = m.ask_of(0, ReapStep::Pledge, ring.tag(), graves);
    assert_eq!(agreed.as_deref(), Some(&[false, true][..]));
}
