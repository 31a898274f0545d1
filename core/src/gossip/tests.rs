//! Views that merge, rounds between nodes, and who is up.

use super::*;
use crate::time::Instant;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use std::collections::{BTreeMap, BTreeSet};

fn member(node: u64, generation: u64, heartbeat: u64) -> Member {
    Member {
        node: NodeId(node),
        name: format!("n{node}"),
        address: format!("host{node}:1"),
        client_address: String::new(),
        zone: String::new(),
        version: String::new(),
        generation: Generation(generation),
        heartbeat,
        ring_epoch: 0,
        stopping: false,
    }
}

fn entry(node: u64, generation: u64, heartbeat: u64) -> Entry {
    Entry { changed: 0, ..Entry::new(member(node, generation, heartbeat)) }
}

fn at(seconds: u64) -> Instant {
    Instant(Duration::from_secs(seconds))
}

fn fresh(node: u64) -> Membership {
    Membership::new(member(node, 1, 0), vec![])
}

const ONE: NodeId = NodeId(1);
const FIRST: Generation = Generation(1);

/// Node 0, which has heard node 1 once a second until then.
fn steady(until: u64) -> Membership {
    let mut m = fresh(0);
    for second in 0..=until {
        m.beat(at(second));
        m.merge(&[entry(1, 1, second)], at(second));
        m.hear(ONE, FIRST, at(second));
    }
    m
}

/// Makes a round a second without any news.
fn silence(m: &mut Membership, seconds: std::ops::RangeInclusive<u64>) {
    for second in seconds {
        m.beat(at(second));
    }
}

fn views() -> impl Strategy<Value = Vec<Vec<Entry>>> {
    let entry = (1..5u64, 1..3u64, 0..4u64).prop_map(|(n, g, h)| entry(n, g, h));
    prop::collection::vec(prop::collection::vec(entry, 0..5), 0..6)
}

proptest! {
    #[test]
    fn views_merge_in_any_order_to_the_same(views in views(), by in 0..6usize) {
        let merged = |views: &[Vec<Entry>]| {
            let mut m = fresh(0);
            for v in views {
                m.merge(v, at(0));
            }
            m.entries()
        };
        let mut rotated = views.clone();
        rotated.rotate_left(by % views.len().max(1));
        prop_assert_eq!(merged(&views), merged(&rotated));
        rotated.extend(views.clone());
        prop_assert_eq!(merged(&views), merged(&rotated));
    }
}

/// Nodes that gossip with each other, without disks and requests.
struct Cluster {
    nodes: BTreeMap<NodeId, Membership>,
    rng: Pcg64,
    /// Pairs that do not reach each other.
    split: fn(NodeId, NodeId) -> bool,
    /// Whole entries that were sent.
    entries: usize,
    most: usize,
}

impl Cluster {
    fn new(size: u64, seeds: impl Fn(u64) -> Vec<String>) -> Self {
        let node = |n| (NodeId(n), Membership::new(member(n, 1, 0), seeds(n)));
        let nodes = (0..size).map(node).collect();
        let rng = Pcg64::seed_from_u64(1);
        Cluster { nodes, rng, split: |_, _| false, entries: 0, most: 0 }
    }

    /// Delivers a message, and what is said to it.
    fn say(&mut self, from: NodeId, to: NodeId, stage: &Stage, now: Instant) {
        let entries = stage.entries().len();
        self.entries += entries;
        self.most = self.most.max(entries);
        if (self.split)(from, to) {
            self.nodes.get_mut(&from).unwrap().lose(to, now);
            return;
        }
        let Some(receiver) = self.nodes.get_mut(&to) else { return };
        receiver.merge(stage.entries(), now);
        receiver.merge_pulses(stage.pulses(), now);
        assert!(receiver.hear(from, FIRST, now), "{from} is a stranger to {to}");
        let reply = receiver.reply_to(stage, &mut self.rng);
        let strangers = receiver.strangers();
        if let Some(reply) = reply {
            self.say(to, from, &reply, now);
        }
        for stranger in strangers {
            let digest = self.nodes[&to].digest(&mut self.rng);
            self.say(to, stranger, &digest, now);
        }
    }

    fn round(&mut self, second: u64) {
        let now = at(second);
        for node in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.nodes.get_mut(&node).unwrap().beat(now);
            for partner in self.nodes[&node].partners(now, &mut self.rng) {
                let to = match partner {
                    Partner::Member(to) => to,
                    Partner::Seed(address) => {
                        NodeId(address[4..6].trim_end_matches(':').parse().unwrap())
                    }
                };
                let digest = self.nodes[&node].digest(&mut self.rng);
                self.say(node, to, &digest, now);
            }
        }
    }

    fn all_up(&self, second: u64) -> bool {
        let up = |m: &Membership, n| m.is_up(n, at(second));
        self.nodes.values().all(|m| self.nodes.keys().all(|&n| up(m, n)))
    }
}

fn first_node(_: u64) -> Vec<String> {
    vec!["host0:1".into()]
}

#[test]
fn nodes_meet_through_a_seed_and_then_say_little_but_pulses() {
    let mut c = Cluster::new(20, first_node);
    (0..10).for_each(|second| c.round(second));
    assert!(c.all_up(9));
    c.entries = 0;
    (10..20).for_each(|second| c.round(second));
    assert_eq!(c.entries, 200, "that of whoever opens a round alone");
    let newest = c.nodes.values().filter_map(|m| m.get(NodeId(7))).map(|m| m.heartbeat);
    assert!(newest.clone().min() >= newest.max().map(|h| h - 6), "news reaches all");
}

#[test]
fn what_changes_reaches_all_with_its_entry() {
    let mut c = Cluster::new(20, first_node);
    (0..10).for_each(|second| c.round(second));
    c.nodes.get_mut(&NodeId(7)).unwrap().hold_ring(5);
    (10..20).for_each(|second| c.round(second));
    assert!(c.nodes.values().all(|m| m.get(NodeId(7)).is_some_and(|m| m.ring_epoch == 5)));
}

#[test]
fn no_message_holds_more_entries_than_it_may_and_all_arrive() {
    let mut c = Cluster::new(2, first_node);
    let many: Vec<_> = (100..1_100).map(|n| entry(n, 1, 1)).collect();
    c.nodes.get_mut(&NodeId(0)).unwrap().merge(&many, at(0));
    // None of the many is there: they are ghosts, and nobody thinks otherwise.
    (0..6).for_each(|second| c.round(second));
    let told = &c.nodes[&NodeId(1)];
    assert_eq!(told.others().count(), 1_001);
    assert_eq!(c.most, MAX_ENTRIES);
    assert!(many.iter().all(|e| !told.is_up(e.member.node, at(5))));
}

/// One side has the only seed, the other has none.
#[test]
fn a_split_heals_although_one_side_knows_no_seed() {
    let mut c = Cluster::new(6, |n| if n < 3 { vec!["host0:1".into()] } else { vec![] });
    // Somebody who is told of them finds them.
    let others: Vec<_> = (3..6).map(|n| entry(n, 1, 0)).collect();
    c.nodes.get_mut(&NodeId(0)).unwrap().merge(&others, at(0));
    (0..10).for_each(|second| c.round(second));
    assert!(c.all_up(9));
    c.split = |a, b| (a.0 < 3) != (b.0 < 3);
    (10..60).for_each(|second| c.round(second));
    for (node, m) in &c.nodes {
        for other in c.nodes.keys() {
            assert_eq!(m.is_up(*other, at(59)), !(c.split)(*node, *other), "{node} of {other}");
        }
    }
    c.split = |_, _| false;
    (60..75).for_each(|second| c.round(second));
    assert!(c.all_up(74));
}

#[test]
fn two_say_so() {
    let mut c = Cluster::new(5, first_node);
    (0..20).for_each(|second| c.round(second));
    let gone = NodeId(4);
    let down = |c: &Cluster, second| -> BTreeSet<_> {
        c.nodes.values().flat_map(|m| m.down_for_cluster(at(second))).collect()
    };
    // One alone does not reach it: that is its own trouble.
    c.split = |a, b| (a.0, b.0) == (1, 4);
    (20..40).for_each(|second| {
        c.round(second);
        assert_eq!(down(&c, second), BTreeSet::new());
    });
    assert!(c.nodes.values().all(|m| !m.entry(ONE).unwrap().suspects.is_empty()));
    c.nodes.remove(&gone);
    (40..55).for_each(|second| c.round(second));
    assert_eq!(down(&c, 54), [gone].into());
    assert!(c.nodes.values().all(|m| m.down_for_cluster(at(54)) == [gone]));
}

#[test]
fn who_is_cut_off_from_all_speaks_for_nobody_but_of_two_one_is_enough() {
    let mut c = Cluster::new(4, first_node);
    (0..20).for_each(|second| c.round(second));
    let mut alone = c.nodes[&NodeId(0)].clone();
    silence(&mut alone, 20..=60);
    assert!(!alone.is_up(ONE, at(60)));
    assert_eq!(alone.down_for_cluster(at(60)), []);

    let mut m = steady(20);
    silence(&mut m, 21..=40);
    assert_eq!(m.down_for_cluster(at(40)), [ONE]);
}

#[test]
fn many_suspects_are_named_together_not_by_each() {
    let mut m = fresh(500);
    m.merge(&(0..1_000).filter(|&n| n != 500).map(|n| entry(n, 1, 0)).collect::<Vec<_>>(), at(0));
    silence(&mut m, 0..=20);
    let suspects = &m.all().next().unwrap().suspects;
    assert_eq!(suspects.len(), MAX_SUSPECTS);
    assert_eq!(suspects[0], NodeId(501));
}

#[test]
fn a_member_is_down_when_sending_fails_and_up_when_it_speaks() {
    let mut m = steady(0);
    assert!(m.is_up(ONE, at(1)));
    m.lose(ONE, at(1));
    assert!(!m.is_up(ONE, at(1)));
    m.merge(&[entry(1, 1, 1)], at(1));
    assert!(!m.is_up(ONE, at(1)), "hearsay does not make it reachable");
    assert!(m.hear(ONE, FIRST, at(1)));
    assert!(m.is_up(ONE, at(1)));
}

#[test]
fn a_lost_member_of_which_there_is_news_is_tried_again_after_a_while() {
    let mut m = steady(0);
    assert!(m.lose(ONE, at(1)));
    assert!(!m.lose(ONE, at(2)), "it is lost already");
    silence(&mut m, 1..=11);
    m.merge(&[entry(1, 1, 1)], at(11));
    assert!(!m.is_up(ONE, at(11)));
    assert!(m.is_up(ONE, at(12)));
}

#[test]
fn a_node_learns_that_a_later_process_of_it_was_heard() {
    let mut m = Membership::new(member(0, 3, 5), vec![]);
    m.merge(&[entry(0, 3, 5), entry(0, 2, 9)], at(0));
    m.merge_pulses(&[entry(0, 3, 5).pulse()], at(0));
    assert!(!m.is_superseded());
    let mut told = m.clone();
    told.merge(&[entry(0, 4, 0)], at(0));
    assert!(told.is_superseded());
    m.merge_pulses(&[entry(0, 4, 0).pulse()], at(0));
    assert!(m.is_superseded());
}

#[test]
fn a_member_without_news_is_down_and_old_news_is_no_news() {
    let mut m = steady(60);
    silence(&mut m, 61..=64);
    assert!(m.is_up(ONE, at(64)));
    silence(&mut m, 65..=67);
    m.merge(&[entry(1, 1, 60)], at(67));
    m.merge_pulses(&[entry(1, 1, 59).pulse()], at(67));
    assert!(!m.is_up(ONE, at(67)));
    m.merge_pulses(&[entry(1, 1, 61).pulse()], at(67));
    assert!(m.is_up(ONE, at(67)));
}

#[test]
fn a_node_that_was_paused_declares_nobody_dead() {
    let mut m = steady(60);
    assert!(m.is_up(ONE, at(3_600)));
    m.beat(at(3_600));
    assert!(m.is_up(ONE, at(3_600)));
    silence(&mut m, 3_601..=3_606);
    assert!(!m.is_up(ONE, at(3_606)), "now it has listened, and heard nothing");
}

/// A fresh node is told of the dead as well as of the living.
#[test]
fn a_stranger_is_up_when_it_speaks_or_its_heartbeat_grows() {
    let two = NodeId(2);
    let ghost = NodeId(3);
    let mut m = fresh(0);
    m.beat(at(0));
    m.merge(&[entry(1, 1, 9), entry(2, 1, 9), entry(3, 1, 9)], at(0));
    assert!([ONE, two, ghost].iter().all(|&n| !m.is_up(n, at(0))));
    assert_eq!(m.strangers(), [ONE, two, ghost], "they are greeted at once");
    assert_eq!(m.strangers(), [], "and once");
    m.hear(ONE, FIRST, at(0));
    m.merge_pulses(&[entry(2, 1, 10).pulse(), entry(3, 1, 9).pulse()], at(1));
    assert!(m.is_up(ONE, at(1)) && m.is_up(two, at(1)));
    assert!(!m.is_up(ghost, at(1)));
    m.beat(at(1));
    assert_eq!(m.own.suspects, [], "it is too early to say that it is dead");
}

/// A thousand nodes that start together must not greet each a thousand.
#[test]
fn few_are_greeted_and_only_at_the_start() {
    let all: Vec<_> = (1..1_000).map(|n| entry(n, 1, 0)).collect();
    let mut m = fresh(0);
    let mut greeted = 0;
    for part in all.chunks(100) {
        m.merge(part, at(0));
        greeted += m.strangers().len();
    }
    assert_eq!(greeted, 32);
    let mut settled = fresh(0);
    silence(&mut settled, 0..=9);
    settled.merge(&all, at(9));
    assert_eq!(settled.strangers(), []);
}

#[test]
fn a_pulse_is_no_use_without_the_entry_in_its_last_form() {
    let mut m = steady(5);
    let changed = |generation, heartbeat, changed| Pulse {
        node: ONE,
        generation: Generation(generation),
        heartbeat,
        changed,
    };
    let told = [changed(1, 9, 6), changed(2, 1, 0), Pulse { node: NodeId(2), ..changed(1, 1, 0) }];
    for pulse in told {
        m.merge_pulses(&[pulse], at(6));
        assert_eq!(m.get(ONE).map(Member::age), Some((FIRST, 5)));
        assert_eq!(m.get(NodeId(2)), None);
        let digest = Stage::Digest { own: Box::new(entry(3, 1, 0)), known: vec![pulse] };
        let answer = m.reply_to(&digest, &mut Pcg64::seed_from_u64(1)).unwrap();
        let Stage::Answer { wanted, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(wanted, [pulse.node], "so it is asked for");
    }
    m.merge_pulses(&[changed(1, 9, 5)], at(6));
    assert_eq!(m.get(ONE).map(Member::age), Some((FIRST, 9)));
}

#[test]
fn a_process_that_was_succeeded_is_not_heard() {
    let mut m = fresh(0);
    m.merge(&[entry(1, 2, 0)], at(0));
    assert!(!m.hear(ONE, Generation(1), at(1)));
    assert!(m.hear(ONE, Generation(2), at(1)));
    assert!(!m.hear(NodeId(9), Generation(1), at(1)));
}

#[test]
fn seeds_are_asked_until_their_addresses_are_members_and_again_when_these_are_down() {
    let mut rng = Pcg64::seed_from_u64(1);
    let seed = || Partner::Seed("host1:1".into());
    let seeds = vec!["host0:1".into(), "host1:1".into()];
    let mut m = Membership::new(member(0, 1, 0), seeds);
    assert_eq!(m.partners(at(0), &mut rng), [seed()]);
    m.merge(&[entry(1, 1, 0)], at(0));
    m.hear(ONE, FIRST, at(0));
    assert_eq!(m.partners(at(0), &mut rng), [Partner::Member(ONE)]);
    silence(&mut m, 0..=1_000);
    let later = m.partners(at(1_000), &mut rng);
    assert_eq!(later, [Partner::Member(ONE), seed()]);
}

/// The name of a headless service is no member's address.
#[test]
fn a_seed_that_is_nobodys_address_is_asked_for_ever_but_seldom() {
    let mut rng = Pcg64::seed_from_u64(1);
    let mut m = Membership::new(member(0, 1, 0), vec!["peers:1".into()]);
    let mut asked = 0;
    for second in 0..1_000 {
        m.merge(&[entry(1, 1, second)], at(second));
        m.hear(ONE, FIRST, at(second));
        m.beat(at(second));
        asked += m.partners(at(second), &mut rng).len() - 1;
    }
    assert!((100..200).contains(&asked), "{asked} times");
}
