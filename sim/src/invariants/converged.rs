//! When it is quiet all replicas become equal: hints are drained, every primary holds the
//! same of every key, Merkle trees say what is held, and tombstones that may go are gone
//! (requirements.md, F8).

use super::Violation;
use crate::machine::Machine;
use dynamo_core::{
    key::Key,
    merkle::{Hash, Tree},
    ring::Ring,
    store::Place,
};
use std::collections::BTreeSet;

const NAME: &str = "replicas become equal when it is quiet";

pub(crate) fn check(machines: &[Machine], ring: &Ring, reaped: bool) -> Result<(), Violation> {
    for machine in machines {
        if let Some((owner, key)) = machine.disk().hints().next() {
            return broken(machine, &format!("has a hint for {owner} of {key:?}"));
        }
        if reaped && machine.disk().grave_count() > 0 {
            return broken(machine, &format!("has {} tombstones", machine.disk().grave_count()));
        }
        check_tree(machine)?;
    }
    let keys: BTreeSet<Key> = machines.iter().flat_map(|m| m.disk().keys()).collect();
    keys.iter().try_for_each(|key| check_key(machines, ring, key))
}

fn check_key(machines: &[Machine], ring: &Ring, key: &Key) -> Result<(), Violation> {
    let primaries = ring.primaries(ring.partition_of(key));
    let holders = machines.iter().filter(|m| primaries.contains(&m.node));
    let mut held = holders.map(|m| (m, m.disk().holds(Place::Own, key)));
    let Some((_, first)) = held.next() else { return Ok(()) };
    match held.find(|(_, other)| !other.is_same_state(&first)) {
        Some((machine, other)) => {
            broken(machine, &format!("holds {other:?} of {key:?}, another {first:?}"))
        }
        None => Ok(()),
    }
}

/// The tree counts what is on the disk.
fn check_tree(machine: &Machine) -> Result<(), Violation> {
    let mut tree = Tree::default();
    for key in machine.disk().keys() {
        let held = machine.disk().holds(Place::Own, &key);
        tree.replace(key.leaf(), Hash::ABSENT, Hash::of(&key, &held));
    }
    match tree == *machine.replica.tree() {
        true => Ok(()),
        false => broken(machine, "has a Merkle tree of something else than it holds"),
    }
}

fn broken(machine: &Machine, how: &str) -> Result<(), Violation> {
    Err(Violation::new(NAME, format!("{} {how}", machine.name)))
}
