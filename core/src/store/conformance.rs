//! What every [`Store`] must do. Implementations call [`check`] in their tests.

use super::{Batch, Store};
use crate::{
    id::{Actor, Dot, Incarnation, NodeId, RequestId},
    key::Key,
    time::Stamp,
    version::{Context, Version, Versions, Write},
};
use bytes::Bytes;

/// Runs every check on a fresh, empty store.
///
/// # Panics
/// When the store does not do what it must.
pub fn check<S: Store>(fresh: impl Fn() -> S) {
    holds_what_was_committed(fresh());
    replaces_what_was_held(fresh());
    scans_in_stored_order(fresh());
}

fn versions(counter: u64, value: &[u8]) -> Versions {
    let actor = Actor { node: NodeId(7), incarnation: Incarnation(1) };
    let version = Version {
        dot: Dot { actor, counter },
        request: RequestId(u128::from(counter).to_be_bytes()),
        stamp: Stamp(counter),
        value: Some(Bytes::copy_from_slice(value)),
    };
    let mut v = Versions::default();
    v.write(Write { version, context: Context::default() });
    v
}

fn commit<S: Store>(store: &mut S, entries: impl IntoIterator<Item = (Key, Versions)>) {
    let batch = Batch { versions: entries.into_iter().collect(), records: vec![] };
    assert_eq!(store.commit(batch), Ok(()));
}

fn holds_what_was_committed<S: Store>(mut store: S) {
    let plain = Key::plain("a");
    let sorted = Key::new("a", "b");
    let binary = Key::new(vec![0, 0xff, 0], vec![0]);
    assert_eq!(store.get(&plain), Ok(None));
    for (n, key) in (1..).zip([&plain, &sorted, &binary]) {
        commit(&mut store, [(key.clone(), versions(n, b"\0value"))]);
    }
    for (n, key) in (1..).zip([&plain, &sorted, &binary]) {
        assert_eq!(store.get(key), Ok(Some(versions(n, b"\0value"))), "{key:?}");
    }
    assert_eq!(store.get(&Key::new("a", "c")), Ok(None));
}

fn replaces_what_was_held<S: Store>(mut store: S) {
    let key = Key::plain("k");
    commit(&mut store, [(key.clone(), versions(1, b"old"))]);
    commit(&mut store, [(key.clone(), versions(2, b""))]);
    assert_eq!(store.get(&key), Ok(Some(versions(2, b""))));
}

fn scans_in_stored_order<S: Store>(mut store: S) {
    let mut keys: Vec<_> = (0..40u8).map(|i| Key::new(vec![i / 4], vec![i % 4])).collect();
    commit(&mut store, keys.iter().map(|k| (k.clone(), versions(1, b"v"))));
    keys.sort();
    let mut found = Vec::new();
    loop {
        let page = store.scan(found.last(), 7).expect("a healthy store scans");
        assert!(page.len() <= 7);
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|(k, _)| k));
    }
    assert_eq!(found, keys);
}
