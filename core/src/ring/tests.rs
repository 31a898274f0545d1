//! What placement promises: balance, distinct nodes, distinct zones, agreement.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn seat(node: u64, zone: &str, weight: u32) -> Seat {
    Seat { node: NodeId(node), zone: zone.into(), weight }
}

fn plan(seats: Vec<Seat>, partitions: usize, factor: usize) -> Plan {
    Plan { operation: "test".into(), partitions, factor, seats }
}

fn ring(seats: Vec<Seat>, partitions: usize, factor: usize) -> Ring {
    Ring::first(plan(seats, partitions, factor), Seal([0; 16])).unwrap()
}

fn all_partitions(ring: &Ring) -> impl Iterator<Item = Partition> + use<> {
    (0..ring.partitions()).map(|p| Partition(u16::try_from(p).unwrap()))
}

/// 3 to 40 members with weights 1 to 4 in up to 4 zones (or none), with N and Q.
fn rings() -> impl Strategy<Value = Ring> {
    let member = (1..=4u32, 0..5usize);
    (prop::collection::vec(member, 3..40), 1..=3usize, 6..12u32).prop_map(|(members, n, q)| {
        let zones = ["", "a", "b", "c", "d"];
        let seats = (1..).zip(members).map(|(id, (w, z))| seat(id, zones[z], w)).collect();
        ring(seats, 1 << q, n)
    })
}

/// How many partitions each node is a primary of.
fn replicas(ring: &Ring) -> BTreeMap<NodeId, usize> {
    let mut count = BTreeMap::new();
    for p in all_partitions(ring) {
        for &node in ring.primaries(p) {
            *count.entry(node).or_default() += 1;
        }
    }
    count
}

proptest! {
    #[test]
    fn every_member_owns_its_share_within_one_partition(ring in rings()) {
        let total: u32 = ring.seats().iter().map(|s| s.weight).sum();
        for s in ring.seats() {
            let share = ring.partitions() as f64 * f64::from(s.weight) / f64::from(total);
            let owned = ring.owned_by(s.node) as f64;
            prop_assert!((owned - share).abs() <= 1.0, "{owned} of {share}");
        }
    }

    #[test]
    fn a_preference_list_holds_every_node_once(ring in rings()) {
        for p in all_partitions(&ring) {
            let list = ring.preference_list(p);
            prop_assert_eq!(list.primaries().len(), ring.factor());
            let nodes: BTreeSet<_> = list.primaries().iter().chain(list.fallbacks()).collect();
            prop_assert_eq!(nodes.len(), ring.seats().len());
            prop_assert_eq!(list.primaries().len() + list.fallbacks().len(), nodes.len());
        }
    }

    #[test]
    fn replicas_are_in_as_many_zones_as_there_are(ring in rings()) {
        let zone = |n: &NodeId| {
            let s = ring.seats().iter().find(|s| s.node == *n).unwrap();
            if s.zone.is_empty() { s.node.to_string() } else { s.zone.clone() }
        };
        let zones: BTreeSet<_> = ring.seats().iter().map(|s| zone(&s.node)).collect();
        for p in all_partitions(&ring) {
            let spread: BTreeSet<_> = ring.primaries(p).iter().map(zone).collect();
            prop_assert_eq!(spread.len(), ring.factor().min(zones.len()));
        }
    }

    #[test]
    fn the_table_of_primaries_is_the_head_of_every_list(ring in rings()) {
        for p in all_partitions(&ring) {
            let list = ring.preference_list(p);
            prop_assert_eq!(ring.primaries(p), list.primaries());
        }
    }

    #[test]
    fn the_owner_is_the_first_primary(ring in rings()) {
        for p in all_partitions(&ring) {
            let owner = ring.seats()[usize::from(ring.owners()[usize::from(p.0)])].node;
            prop_assert_eq!(ring.primaries(p)[0], owner);
        }
    }

    #[test]
    fn the_order_in_which_members_are_given_does_not_matter(ring in rings(), by in 0..40usize) {
        let mut seats = ring.seats().to_vec();
        let by = by % seats.len();
        seats.rotate_left(by);
        let again = Ring::first(plan(seats, ring.partitions(), ring.factor()), *ring.seal());
        prop_assert_eq!(again, Ok(ring));
    }

    #[test]
    fn parts_read_back(ring in rings()) {
        let plan = plan(ring.seats().to_vec(), ring.partitions(), ring.factor());
        let again = Ring::from_parts(1, plan, ring.owners().to_vec(), *ring.seal());
        prop_assert_eq!(again, Ok(ring));
    }
}

/// With extreme weights one member owns everything; the others still hold replicas, and
/// the ring still reads back from the wire and the disk.
#[test]
fn members_that_own_nothing_are_still_preferred_last() {
    let ring = ring(vec![seat(1, "", 1_000), seat(2, "", 1), seat(3, "", 1)], 256, 3);
    assert_eq!(ring.owned_by(NodeId(1)), 256);
    assert_eq!(ring.primaries(Partition(7)), [NodeId(1), NodeId(2), NodeId(3)]);
    let plan = plan(ring.seats().to_vec(), 256, 3);
    assert_eq!(Ring::from_parts(1, plan, ring.owners().to_vec(), *ring.seal()), Ok(ring));
}

/// Two rings of one epoch, laid at the same time: everybody must prefer the same one,
/// and tell them apart by their tags.
#[test]
fn rings_are_ordered_as_their_tags() {
    let plan = || plan((1..=3).map(|n| seat(n, "", 1)).collect(), 8, 2);
    let a = Ring::first(plan(), Seal([1; 16])).unwrap();
    let b = Ring::first(plan(), Seal([2; 16])).unwrap();
    assert_ne!(a.tag(), b.tag());
    assert_eq!(a.cmp(&b), a.tag().cmp(&b.tag()));
}

/// Equal nodes without zones hold equal numbers of replicas, within 10 % (row P4).
#[test]
fn equal_nodes_hold_equal_numbers_of_replicas() {
    for nodes in [3, 5, 7, 10, 25] {
        let ring = ring((1..=nodes).map(|n| seat(n, "", 1)).collect(), 256, 3);
        let mean = 256.0 * 3.0 / nodes as f64;
        for (node, held) in replicas(&ring) {
            let off = (held as f64 - mean).abs();
            assert!(off <= (mean * 0.1).max(1.0), "{node} of {nodes} holds {held} of {mean}");
        }
    }
}

#[test]
fn a_key_lives_in_the_partition_of_its_first_bits() {
    assert_eq!(partition_of(0, 256), Partition(0));
    assert_eq!(partition_of(u128::MAX, 256), Partition(255));
    assert_eq!(partition_of(1 << 120, 256), Partition(1));
    assert_eq!(partition_of(u128::MAX, 1), Partition(0));
    assert_eq!(partition_of(u128::MAX, MAX_PARTITIONS), Partition(u16::MAX));
}

#[test]
fn plans_that_make_no_ring_are_refused() {
    let three = || (1..=3).map(|n| seat(n, "", 1)).collect::<Vec<_>>();
    let refused = |p: Plan| Ring::first(p, Seal([0; 16])).unwrap_err();
    assert_eq!(refused(plan(three(), 100, 3)), BadRing::Partitions(100));
    assert_eq!(refused(plan(three(), 0, 3)), BadRing::Partitions(0));
    assert_eq!(
        refused(plan(three(), 2, 2)),
        BadRing::TooFewPartitions { members: 3, partitions: 2 }
    );
    assert_eq!(refused(plan(three(), 8, 4)), BadRing::Factor { factor: 4, members: 3 });
    assert_eq!(refused(plan(three(), 8, 0)), BadRing::Factor { factor: 0, members: 3 });
    assert_eq!(refused(plan(vec![], 8, 1)), BadRing::Members(0));
    assert_eq!(
        refused(plan(vec![seat(1, "", 1), seat(1, "a", 1)], 8, 1)),
        BadRing::Twice(NodeId(1))
    );
    assert_eq!(
        refused(plan(vec![seat(1, "", 0)], 8, 1)),
        BadRing::Weight { node: NodeId(1), weight: 0 }
    );
    let long = Plan { operation: "x".repeat(65), ..plan(three(), 8, 1) };
    assert!(matches!(refused(long), BadRing::TooLong { size: 65, limit: 64, .. }));
}
