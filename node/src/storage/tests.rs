//! What a user relies on: what was written is there after a restart, damage is never
//! served, and a directory that is not this node's is not touched.

use super::{Opened, RocksStore, directory::ASIDE, open::Refused, options};
use crate::{config::Durability, identity::Loss};
use dynamo_core::{
    id::{Actor, Dot, Generation, Incarnation, Life, NodeId, RequestId},
    key::Key,
    merkle::Hash,
    ring::{Plan, Ring, Seal, Seat},
    store::{Batch, From, Held, Place, Record, Room, Store, StoreError, conformance},
    time::Stamp,
    version::{Context, Version, Versions, Write},
};
use std::{
    cell::RefCell,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::{TempDir, tempdir};
use uuid::Uuid;

const CLUSTER: Uuid = Uuid::from_u128(1);
const HINT: Place = Place::Hint(NodeId(9));
const ROOM: Room = Room { records: 1000, bytes: 1 << 20, last: u16::MAX };

fn try_open(at: &Path, boot: &str, durability: Durability) -> Result<Opened, Refused> {
    super::open(at, CLUSTER, || NodeId(7), boot, durability)
}

fn open(at: &Path) -> Opened {
    try_open(at, "boot", Durability::Sync).unwrap()
}

fn refusal(at: &Path) -> String {
    try_open(at, "boot", Durability::Sync).unwrap_err().to_string()
}

fn held(value: &[u8]) -> Held {
    let actor = Actor { node: NodeId(7), incarnation: Incarnation(1), life: Life(1) };
    let version = Version {
        dot: Dot { actor, counter: 1 },
        request: RequestId([1; 16]),
        stamp: Stamp(1),
        value: Some(value.to_vec().into()),
    };
    let mut versions = Versions::default();
    versions.write(Write { version, context: Context::default() });
    Held { versions, life: Life(1) }
}

fn ring() -> Arc<Ring> {
    let seats = vec![Seat { node: NodeId(7), zone: String::new(), weight: 1 }];
    let plan = Plan { operation: "first".into(), partitions: 8, factor: 1, seats };
    Arc::new(Ring::first(plan, Seal([1; 16])).unwrap())
}

fn put_in(store: &mut RocksStore, place: Place, key: &Key, value: &[u8]) {
    let held = [((place, key.clone()), Some(held(value)))].into();
    store.commit(Batch { held, ..Batch::default() }).unwrap();
}

fn put(store: &mut RocksStore, key: &Key, value: &[u8]) {
    put_in(store, Place::Own, key, value);
}

/// A file of the store, by how its name ends; the largest if there are more.
fn file(at: &Path, ends: &str) -> PathBuf {
    let files = fs::read_dir(at.join("store")).unwrap().map(|e| e.unwrap().path());
    let named = files.filter(|p| p.file_name().unwrap().to_str().unwrap().ends_with(ends));
    named.max_by_key(|p| p.metadata().unwrap().len()).unwrap()
}

/// Changes some bytes in the middle of a file.
fn flip(path: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (mut bytes, middle) = ([0; 64], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut bytes, middle).unwrap();
    bytes.iter_mut().for_each(|b| *b ^= 0xff);
    file.write_all_at(&bytes, middle).unwrap();
}

/// That the same node begins an empty store as its next incarnation, and says why.
fn is_begun_anew(at: &Path, names: &str) -> Opened {
    let opened = open(at);
    let damage = opened.damage.clone().unwrap();
    assert!(damage.contains(names), "{damage}");
    assert_eq!((opened.identity.node, opened.loss), (NodeId(7), Loss::Store));
    assert_eq!((opened.identity.incarnation, opened.identity.reserved), (Incarnation(2), 0));
    assert_eq!(opened.ring, None);
    let page = opened.store.scan(Place::Own, From::Start, ROOM).unwrap();
    assert!(page.records.is_empty() && at.join(ASIDE).exists());
    opened
}

#[test]
fn it_is_a_store() {
    for durability in [Durability::Sync, Durability::Os] {
        let directories = RefCell::new(Vec::<TempDir>::new());
        conformance::check(|| {
            let temp = tempdir().unwrap();
            let store = try_open(temp.path(), "boot", durability).unwrap().store;
            directories.borrow_mut().push(temp);
            store
        });
    }
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let temp = tempdir().unwrap();
    let key = Key::plain("k");
    for durability in [Durability::Sync, Durability::Os] {
        let mut opened = try_open(temp.path(), "boot", durability).unwrap();
        let records = [Place::Own, HINT].map(|p| ((p, key.clone()), Some(held(b"v"))));
        let batch = Batch {
            held: records.into(),
            leaves: [(key.leaf(), Hash(5))].into(),
            graves: [(Key::plain("g"), true)].into(),
            records: vec![Record::Reserved(99), Record::Ring(ring())],
            sync: durability == Durability::Os,
        };
        opened.store.commit(batch).unwrap();
        drop(opened);
        let opened = try_open(temp.path(), "boot", durability).unwrap();
        assert_eq!(opened.store.get(Place::Own, &key), Ok(Some(held(b"v"))));
        assert_eq!(opened.store.get(HINT, &key), Ok(Some(held(b"v"))));
        assert_eq!(opened.store.owners(), Ok(vec![NodeId(9)]));
        assert_eq!(opened.store.leaves(), Ok(vec![(key.leaf(), Hash(5))]));
        assert_eq!(opened.store.graves(None, 9), Ok(vec![Key::plain("g")]));
        assert_eq!((opened.identity.reserved, opened.ring), (99, Some(ring())));
        assert_eq!(opened.store.is_durable(), durability == Durability::Sync);
        assert_eq!((opened.loss, opened.damage), (Loss::Nothing, None));
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
    let loss = |boot, durability| try_open(temp.path(), boot, durability).unwrap().loss;
    assert_eq!(loss("one", Durability::Os), Loss::Nothing, "it is new");
    assert_eq!(loss("one", Durability::Os), Loss::Nothing, "killed, same boot");
    let after_power_loss = try_open(temp.path(), "two", Durability::Os).unwrap();
    assert_eq!(after_power_loss.loss, Loss::Unsynced);
    assert_eq!(after_power_loss.identity.incarnation, Incarnation(2));
    after_power_loss.store.close().unwrap();
    assert_eq!(loss("three", Durability::Sync), Loss::Nothing, "stopped cleanly");
    assert_eq!(loss("four", Durability::Sync), Loss::Nothing, "synced all along");
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
fn without_its_identity_a_store_is_refused_with_what_to_do() {
    let temp = tempdir().unwrap();
    drop(open(temp.path()));
    let identity = temp.path().join("identity");
    let whole = fs::read(&identity).unwrap();
    for torn in [&whole[..whole.len() - 1], b"", b"garbage"] {
        fs::write(&identity, torn).unwrap();
        let line = refusal(temp.path());
        let is_format = torn.first().is_some_and(|format| *format != whole[0]);
        let named = if is_format { "format version" } else { "damaged" };
        assert!(line.contains("identity file") && line.contains(named), "{line}");
    }
    fs::remove_file(&identity).unwrap();
    let line = refusal(temp.path());
    assert!(line.contains("earlier version") && line.contains("empty directory"), "{line}");
    fs::write(&identity, whole).unwrap();
    assert_eq!(open(temp.path()).damage, None, "nothing was set aside");
}

#[test]
fn a_store_of_another_format_is_refused_and_left_alone() {
    let temp = tempdir().unwrap();
    let store = open(temp.path()).store;
    store.db.put_cf(store.family(options::META), b"ring", b"\x63").unwrap();
    drop(store);
    let line = refusal(temp.path());
    assert!(line.contains("format version 99") && line.contains("version of this"), "{line}");
    assert!(!temp.path().join(ASIDE).exists());
}

#[test]
fn a_store_that_is_gone_is_begun_anew_under_the_next_incarnation() {
    let temp = tempdir().unwrap();
    drop(open(temp.path()));
    fs::remove_dir_all(temp.path().join("store")).unwrap();
    let opened = open(temp.path());
    assert_eq!((opened.identity.node, opened.loss), (NodeId(7), Loss::Store));
    assert_eq!(opened.identity.incarnation, Incarnation(2));
    assert_eq!(opened.identity.generation, Generation(2));
}

#[test]
fn a_store_that_does_not_open_for_damage_is_set_aside() {
    let harms: [fn(&Path); 4] = [
        |at| fs::remove_file(file(at, "CURRENT")).unwrap(),
        |at| fs::write(file(at, "CURRENT"), "garbage\n").unwrap(),
        |at| {
            let files = fs::read_dir(at.join("store")).unwrap().map(|e| e.unwrap().path());
            let manifest = |p: &PathBuf| p.to_str().unwrap().contains("MANIFEST");
            files.filter(manifest).for_each(|p| fs::remove_file(p).unwrap());
        },
        // What was acknowledged is in the middle of the log, so it does not pass for its end.
        |at| flip(&file(at, ".log")),
    ];
    for harm in harms {
        let temp = tempdir().unwrap();
        let mut store = open(temp.path()).store;
        for n in 0..100u32 {
            put(&mut store, &Key::plain(n.to_be_bytes().to_vec()), &[0; 100]);
        }
        drop(store);
        harm(temp.path());
        drop(is_begun_anew(temp.path(), ""));
        let opened = open(temp.path());
        assert_eq!((opened.identity.incarnation, opened.loss), (Incarnation(2), Loss::Nothing));
    }
}

#[test]
fn a_node_record_that_is_damaged_is_damage_of_the_store() {
    for name in ["identity", "ring"] {
        let temp = tempdir().unwrap();
        let store = open(temp.path()).store;
        store.db.put_cf(store.family(options::META), name, b"\x02garbage").unwrap();
        drop(store);
        is_begun_anew(temp.path(), name);
    }
}

#[test]
fn a_torn_end_of_the_log_is_no_damage() {
    let temp = tempdir().unwrap();
    let mut store = open(temp.path()).store;
    let (first, last) = (Key::plain("first"), Key::plain("last"));
    put(&mut store, &first, b"v");
    put(&mut store, &last, b"v");
    drop(store);
    let log = OpenOptions::new().write(true).open(file(temp.path(), ".log")).unwrap();
    log.set_len(log.metadata().unwrap().len() - 3).unwrap();
    let opened = open(temp.path());
    assert_eq!((opened.loss, opened.damage), (Loss::Nothing, None));
    assert_eq!(opened.store.get(Place::Own, &first), Ok(Some(held(b"v"))));
    assert_eq!(opened.store.get(Place::Own, &last), Ok(None));
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
    let mut keys: Vec<_> = ["one", "two", "three"].map(Key::plain).into();
    keys.sort();
    for place in [Place::Own, HINT] {
        for key in &keys {
            put_in(&mut store, place, key, b"value");
        }
        let (family, at) = super::scan::location(place, &keys[1]);
        let mut stored = store.db.get_cf(store.family(family), &at).unwrap().unwrap();
        *stored.last_mut().unwrap() ^= 1;
        store.db.put_cf(store.family(family), &at, stored).unwrap();

        let bad = store.get(place, &keys[1]);
        assert!(matches!(bad, Err(StoreError::Damaged { key, .. }) if key == keys[1]));
        assert_eq!(store.get(place, &keys[0]), Ok(Some(held(b"value"))));
        let page = store.scan(place, From::Start, ROOM).unwrap();
        let good: Vec<_> = page.records.into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            (good, page.damaged),
            (vec![keys[0].clone(), keys[2].clone()], vec![keys[1].clone()])
        );
        let room = Room { records: 2, ..ROOM };
        let page = store.scan(place, From::Start, room).unwrap();
        assert_eq!(page.next.as_ref(), Some(&keys[1]), "one that is damaged is a place to go on");

        put_in(&mut store, place, &keys[1], b"brought back");
        assert_eq!(store.get(place, &keys[1]), Ok(Some(held(b"brought back"))));
        assert_eq!(store.broken(), None);
    }
}

#[test]
fn a_store_with_a_damaged_block_is_given_up_by_whoever_scans_it() {
    let temp = tempdir().unwrap();
    let mut store = open(temp.path()).store;
    let keys: Vec<_> = (0..2000u32).map(|n| Key::plain(n.to_be_bytes().to_vec())).collect();
    for key in &keys {
        put(&mut store, key, &key.position().to_be_bytes().repeat(8));
    }
    store.db.flush_cf(store.family(options::DATA)).unwrap();
    drop(store);
    flip(&file(temp.path(), ".sst"));

    let mut store = open(temp.path()).store;
    let right = |key: &Key| held(&key.position().to_be_bytes().repeat(8));
    let damaged = keys.iter().filter(|key| match store.get(Place::Own, key) {
        Ok(found) => {
            assert_eq!(found, Some(right(key)));
            false
        }
        Err(error) => matches!(error, StoreError::Damaged { .. }),
    });
    assert!(damaged.count() > 0, "the flipped bytes were read");
    assert_eq!(store.broken(), None, "reads do not stop the node");

    let room = Room { records: 5000, bytes: 1 << 30, last: u16::MAX };
    assert!(store.scan(Place::Own, From::Start, room).is_err());
    let StoreError::Io(line) = store.broken().cloned().unwrap() else { panic!("no key") };
    assert!(line.contains("the store is damaged") && line.contains("start again"), "{line}");
    put(&mut store, &keys[0], b"written while the node ends");
    drop(store);
    is_begun_anew(temp.path(), "");
}

#[test]
fn its_size_grows_with_what_it_holds() {
    let temp = tempdir().unwrap();
    let mut store = open(temp.path()).store;
    let before = store.size();
    for n in 0..100u32 {
        let key = Key::plain(n.to_be_bytes().to_vec());
        put(&mut store, &key, b"v");
        if n < 10 {
            put_in(&mut store, HINT, &key, b"v");
        }
    }
    let after = store.size();
    assert_eq!((before.keys, before.hints), (0, 0));
    assert_eq!((after.keys, after.hints), (100, 10));
    assert!(after.bytes > before.bytes, "{before:?} {after:?}");
}
