//! What a user relies on: what was written is there after a restart, and a directory
//! that is not this node's, or not whole, is not touched.

use super::{Opened, RocksStore, open::Refused, options};
use crate::config::Durability;
use dynamo_core::{
    id::{Actor, Dot, Generation, Incarnation, NodeId, RequestId},
    key::Key,
    ring::{Plan, Ring, Seal, Seat},
    store::{Batch, Record, Store, StoreError, conformance},
    time::Stamp,
    version::{Context, Version, Versions, Write},
};
use std::{cell::RefCell, fs, path::Path, sync::Arc};
use tempfile::{TempDir, tempdir};
use uuid::Uuid;

const CLUSTER: Uuid = Uuid::from_u128(1);

fn try_open(at: &Path, boot: &str, durability: Durability) -> Result<Opened, Refused> {
    super::open(at, CLUSTER, || NodeId(7), boot, durability)
}

fn open(at: &Path) -> Opened {
    try_open(at, "boot", Durability::Sync).unwrap()
}

fn refusal(at: &Path) -> String {
    try_open(at, "boot", Durability::Sync).unwrap_err().to_string()
}

fn versions(value: &'static str) -> Versions {
    let actor = Actor { node: NodeId(7), incarnation: Incarnation(1) };
    let version = Version {
        dot: Dot { actor, counter: 1 },
        request: RequestId([1; 16]),
        stamp: Stamp(1),
        value: Some(value.into()),
    };
    let mut versions = Versions::default();
    versions.write(Write { version, context: Context::default() });
    versions
}

fn ring() -> Arc<Ring> {
    let seats = vec![Seat { node: NodeId(7), zone: String::new(), weight: 1 }];
    let plan = Plan { operation: "first".into(), partitions: 8, factor: 1, seats };
    Arc::new(Ring::first(plan, Seal([1; 16])).unwrap())
}

fn put(store: &mut RocksStore, key: &Key, value: &'static str, records: Vec<Record>) {
    let versions = [(key.clone(), versions(value))].into();
    store.commit(Batch { versions, records }).unwrap();
}

#[test]
fn it_is_a_store() {
    let directories = RefCell::new(Vec::<TempDir>::new());
    conformance::check(|| {
        let temp = tempdir().unwrap();
        let store = open(temp.path()).store;
        directories.borrow_mut().push(temp);
        store
    });
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let temp = tempdir().unwrap();
    let key = Key::plain("k");
    for durability in [Durability::Sync, Durability::Os] {
        let mut opened = try_open(temp.path(), "boot", durability).unwrap();
        let records = vec![Record::Reserved(99), Record::Ring(ring())];
        put(&mut opened.store, &key, "v", records);
        drop(opened);
        let opened = try_open(temp.path(), "boot", durability).unwrap();
        assert_eq!(opened.store.get(&key), Ok(Some(versions("v"))));
        assert_eq!((opened.identity.reserved, opened.ring), (99, Some(ring())));
        assert_eq!(opened.store.is_durable(), durability == Durability::Sync);
    }
}

#[test]
fn every_start_is_a_new_generation_on_disk() {
    let temp = tempdir().unwrap();
    for generation in 1..4 {
        let identity = open(temp.path()).identity;
        assert_eq!((identity.node, identity.generation), (NodeId(7), Generation(generation)));
    }
}

#[test]
fn only_a_loss_of_power_without_syncs_makes_a_new_incarnation() {
    let temp = tempdir().unwrap();
    let at = temp.path();
    assert!(!try_open(at, "one", Durability::Os).unwrap().new_incarnation, "it is new");
    assert!(!try_open(at, "one", Durability::Os).unwrap().new_incarnation, "killed, same boot");
    let after_power_loss = try_open(at, "two", Durability::Os).unwrap();
    assert!(after_power_loss.new_incarnation);
    assert_eq!(after_power_loss.identity.incarnation, Incarnation(2));
    after_power_loss.store.close().unwrap();
    assert!(!try_open(at, "three", Durability::Sync).unwrap().new_incarnation, "stopped cleanly");
    assert!(!try_open(at, "four", Durability::Sync).unwrap().new_incarnation, "synced all along");
}

#[test]
fn another_clusters_directory_is_refused_and_left_as_it_was() {
    let temp = tempdir().unwrap();
    drop(open(temp.path()));
    let other = Uuid::from_u128(2);
    let refused = super::open(temp.path(), other, || NodeId(8), "boot", Durability::Sync);
    let line = refused.unwrap_err().to_string();
    assert!(line.contains(&CLUSTER.to_string()) && line.contains(&other.to_string()), "{line}");
    assert_eq!(open(temp.path()).identity.generation, Generation(2));
}

#[test]
fn damage_is_refused_with_what_to_do() {
    let with_meta = |change: fn(&RocksStore)| {
        let temp = tempdir().unwrap();
        change(&open(temp.path()).store);
        refusal(temp.path())
    };
    let garbage = |store: &RocksStore| {
        store.db.put_cf(store.family(options::META), b"identity", b"\x01garbage").unwrap();
    };
    let future = |store: &RocksStore| {
        store.db.put_cf(store.family(options::META), b"identity", b"\x63").unwrap();
    };
    let gone = |store: &RocksStore| {
        store.db.delete_cf(store.family(options::META), b"identity").unwrap();
    };
    for line in [with_meta(garbage), with_meta(future), with_meta(gone)] {
        assert!(line.contains("damaged") && line.contains("empty directory"), "{line}");
    }
    assert!(with_meta(future).contains("format version 99"));
}

#[test]
fn missing_and_broken_files_are_damage() {
    for (file, content) in [("CURRENT", None), ("CURRENT", Some("garbage\n")), ("MANIFEST", None)] {
        let temp = tempdir().unwrap();
        drop(open(temp.path()));
        for entry in fs::read_dir(temp.path().join("store")).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with(file) {
                match content {
                    Some(content) => fs::write(path, content).unwrap(),
                    None => fs::remove_file(path).unwrap(),
                }
            }
        }
        let line = refusal(temp.path());
        assert!(line.contains("damaged") && line.contains("restore"), "{file}: {line}");
    }
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let temp = tempdir().unwrap();
    let held = open(temp.path());
    assert!(refusal(temp.path()).contains("another process"));
    drop(held);
    open(temp.path());
}

#[test]
fn a_damaged_record_is_never_served_and_harms_no_other() {
    let temp = tempdir().unwrap();
    let mut store = open(temp.path()).store;
    let (good, bad) = (Key::plain("good"), Key::plain("bad"));
    put(&mut store, &good, "v", vec![]);
    store.db.put_cf(store.family(options::DATA), bad.encode(), b"\x01\xff\xff").unwrap();
    assert!(matches!(store.get(&bad), Err(StoreError::Damaged { key, .. }) if key == bad));
    assert_eq!(store.get(&good), Ok(Some(versions("v"))));
}

#[test]
fn its_size_grows_with_what_it_holds() {
    let temp = tempdir().unwrap();
    let mut store = open(temp.path()).store;
    let before = store.size();
    for n in 0..100u32 {
        put(&mut store, &Key::plain(n.to_be_bytes().to_vec()), "v", vec![]);
    }
    let after = store.size();
    assert!(before.keys == 0 && after.keys == 100, "{before:?} {after:?}");
    assert!(after.bytes > before.bytes, "{before:?} {after:?}");
}
