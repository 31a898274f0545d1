//! What every [`Store`] must do. Implementations call [`check`] in their tests.

use super::{Batch, From, Held, Place, Room, Store};
use crate::{
    id::{Actor, Dot, Incarnation, Life, NodeId, RequestId},
    key::Key,
    merkle::Hash,
    time::Stamp,
    version::{Context, Version, Versions, Write},
};
use bytes::Bytes;
use std::collections::BTreeMap;

const HINT: Place = Place::Hint(NodeId(3));
const ROOM: Room = Room { records: 7, bytes: 1 << 20, last: u16::MAX };

/// Runs every check on a fresh, empty store.
///
/// # Panics
/// When the store does not do what it must.
pub fn check<S: Store>(fresh: impl Fn() -> S) {
    holds_what_was_committed(fresh());
    replaces_and_removes(fresh());
    keeps_places_apart(fresh());
    scans_in_stored_order(fresh());
    stops_a_scan_at_its_bytes(fresh());
    marks_graves(fresh());
    keeps_leaves(fresh());
}

fn held(counter: u64, value: &[u8]) -> Held {
    let actor = Actor { node: NodeId(7), incarnation: Incarnation(1), life: Life(1) };
    let version = Version {
        dot: Dot { actor, counter },
        request: RequestId(u128::from(counter).to_be_bytes()),
        stamp: Stamp(counter),
        value: Some(Bytes::copy_from_slice(value)),
    };
    let mut versions = Versions::default();
    versions.write(Write { version, context: Context::default() });
    Held { versions, life: Life(counter) }
}

fn commit<S: Store>(
    store: &mut S,
    place: Place,
    entries: impl IntoIterator<Item = (Key, Option<Held>)>,
) {
    let held = entries.into_iter().map(|(key, held)| ((place, key), held)).collect();
    assert_eq!(store.commit(Batch { held, ..Batch::default() }), Ok(()));
}

fn holds_what_was_committed<S: Store>(mut store: S) {
    let plain = Key::plain("a");
    let sorted = Key::new("a", "b");
    let binary = Key::new(vec![0, 0xff, 0], vec![0]);
    assert_eq!(store.get(Place::Own, &plain), Ok(None));
    for place in [Place::Own, HINT] {
        for (n, key) in (1..).zip([&plain, &sorted, &binary]) {
            commit(&mut store, place, [(key.clone(), Some(held(n, b"\0value")))]);
        }
        for (n, key) in (1..).zip([&plain, &sorted, &binary]) {
            assert_eq!(store.get(place, key), Ok(Some(held(n, b"\0value"))), "{key:?}");
        }
        assert_eq!(store.get(place, &Key::new("a", "c")), Ok(None));
    }
}

fn replaces_and_removes<S: Store>(mut store: S) {
    let key = Key::plain("k");
    for place in [Place::Own, HINT] {
        commit(&mut store, place, [(key.clone(), Some(held(1, b"old")))]);
        commit(&mut store, place, [(key.clone(), Some(held(2, b"")))]);
        assert_eq!(store.get(place, &key), Ok(Some(held(2, b""))));
        commit(&mut store, place, [(key.clone(), None)]);
        assert_eq!(store.get(place, &key), Ok(None));
        commit(&mut store, place, [(key.clone(), None)]);
    }
}

fn keeps_places_apart<S: Store>(mut store: S) {
    let key = Key::plain("k");
    let places = [Place::Own, Place::Hint(NodeId(0)), HINT, Place::Hint(NodeId(u64::MAX))];
    for (n, place) in (1..).zip(places) {
        commit(&mut store, place, [(key.clone(), Some(held(n, b"v")))]);
    }
    for (n, place) in (1..).zip(places) {
        assert_eq!(store.get(place, &key), Ok(Some(held(n, b"v"))));
        let page = store.scan(place, From::Start, ROOM).expect("a healthy store scans");
        assert_eq!((page.records.len(), page.next), (1, None), "{place:?}");
    }
    assert_eq!(store.owners(), Ok(vec![NodeId(0), NodeId(3), NodeId(u64::MAX)]));
    commit(&mut store, HINT, [(key, None)]);
    assert_eq!(store.owners(), Ok(vec![NodeId(0), NodeId(u64::MAX)]));
}

fn scans_in_stored_order<S: Store>(mut store: S) {
    let mut keys: Vec<_> = (0..40u8).map(|i| Key::new(vec![i / 4], vec![i % 4])).collect();
    keys.sort();
    for place in [Place::Own, HINT] {
        commit(&mut store, place, keys.iter().map(|k| (k.clone(), Some(held(1, b"v")))));
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let start = from.as_ref().map_or(From::Start, From::After);
            let page = store.scan(place, start, ROOM).expect("a healthy store scans");
            assert!(page.records.len() <= ROOM.records);
            found.extend(page.records.into_iter().map(|(k, _)| k));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(found, keys);
        for leaf in keys.iter().map(Key::leaf) {
            let room = Room { records: 100, ..ROOM };
            let page = store.scan(place, From::Leaf(leaf), room).expect("a healthy store scans");
            let expected: Vec<_> = keys.iter().filter(|k| k.leaf() >= leaf).collect();
            assert_eq!(page.records.iter().map(|(k, _)| k).collect::<Vec<_>>(), expected);
            let room = Room { last: leaf, ..room };
            let page = store.scan(Place::Own, From::Leaf(leaf), room).expect("it scans");
            assert!(page.records.iter().all(|(k, _)| k.leaf() == leaf) && page.next.is_none());
        }
    }
}

fn stops_a_scan_at_its_bytes<S: Store>(mut store: S) {
    let keys = (0..9u8).map(|i| (Key::plain(vec![i]), Some(held(1, &[0; 1000]))));
    commit(&mut store, Place::Own, keys);
    for (bytes, expected) in [(1, 1), (2500, 3), (1 << 20, 9)] {
        let room = Room { records: 100, bytes, ..ROOM };
        let page = store.scan(Place::Own, From::Start, room).expect("a healthy store scans");
        assert_eq!(page.records.len(), expected);
        assert_eq!(page.next.is_none(), expected == 9);
    }
}

fn marks_graves<S: Store>(mut store: S) {
    let mut keys: Vec<_> = (0..5u8).map(|i| Key::plain(vec![i])).collect();
    keys.sort();
    let mark = |buried| {
        let graves: BTreeMap<_, _> = keys.iter().map(|k| (k.clone(), buried)).collect();
        Batch { graves, ..Batch::default() }
    };
    assert_eq!(store.commit(mark(true)), Ok(()));
    assert_eq!(store.graves(None, 3).as_deref(), Ok(&keys[..3]));
    assert_eq!(store.graves(Some(&keys[2]), 3).as_deref(), Ok(&keys[3..]));
    assert_eq!(store.commit(mark(false)), Ok(()));
    assert_eq!(store.graves(None, 3), Ok(vec![]));
}

fn keeps_leaves<S: Store>(mut store: S) {
    let (low, high) = (0, u16::MAX);
    let set = |leaves: &[(u16, Hash)]| Batch {
        leaves: leaves.iter().copied().collect(),
        ..Batch::default()
    };
    assert_eq!(store.leaves(), Ok(vec![]));
    assert_eq!(store.commit(set(&[(high, Hash(7)), (low, Hash(8))])), Ok(()));
    assert_eq!(store.leaves(), Ok(vec![(low, Hash(8)), (high, Hash(7))]));
    assert_eq!(store.commit(set(&[(high, Hash::ABSENT)])), Ok(()));
    assert_eq!(store.leaves(), Ok(vec![(low, Hash(8))]));
}
