//! Who cannot be reached is stood in for, unless the request asks for primaries; and gets
//! what it has missed when it is back (paper, sections 4.6 and 5).

use crate::running::Running;
use dynamo_client::{Client, Error, GetReply};
use dynamo_e2e::local_ring::{LocalNode, client_of, until};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Everything that is waited for comes much sooner.
const LIMIT: Duration = Duration::from_secs(60);

const KEY: &str = "k";

/// A ring of five, and the nodes of the key: three primaries, then two fallbacks.
async fn five() -> (Running, Vec<usize>) {
    let ring = Running::start(5).await;
    let list = ring.preference_list(KEY).await.unwrap();
    (ring, list)
}

/// Kills nodes and waits until the others have noticed.
async fn kill(ring: &mut Running, nodes: &[usize]) {
    nodes.iter().for_each(|&at| ring.node_mut(at).kill().unwrap());
    ring.wait_until_ready().await.unwrap();
}

async fn bring_back(ring: &mut Running, nodes: &[usize]) {
    nodes.iter().for_each(|&at| ring.node_mut(at).spawn().unwrap());
    ring.wait_until_ready().await.unwrap();
}

/// A client that does not try for long what cannot be.
fn impatient(node: &LocalNode) -> Client {
    Client::connect([node.client_address()]).timeout(Duration::from_secs(1)).build().unwrap()
}

async fn pending_hints(ring: &Running) -> u64 {
    let mut hints = 0;
    for node in ring.nodes().iter().filter(|n| n.is_running()) {
        hints += node.client().status().await.unwrap().pending_hints;
    }
    hints
}

async fn wait_until_hints_are(ring: &Running, what: &str, wanted: impl Fn(u64) -> bool) {
    let look = async || Ok(wanted(pending_hints(ring).await).then_some(()));
    until(what, LIMIT, look).await.unwrap();
}

fn total(ring: &Running, metric: &str) -> f64 {
    let running = ring.nodes().iter().filter(|n| n.is_running());
    running.map(|n| n.metric(metric).unwrap()).sum()
}

#[track_caller]
fn assert_value(reply: &GetReply, value: &str) {
    let values: Vec<_> = reply.siblings.iter().map(|s| &s.value[..]).collect();
    assert_eq!(values, [value.as_bytes()]);
}

/// Checks that a node that is alone in the world has the value itself.
async fn assert_holds(ring: &mut Running, at: usize, value: &str) {
    let others: Vec<_> = (0..ring.nodes().len()).filter(|n| *n != at).collect();
    others.iter().for_each(|&other| ring.node_mut(other).kill().unwrap());
    let got = ring.nodes()[at].client().get(KEY).r(1).await.unwrap();
    assert_value(&got, value);
    assert_eq!((got.primaries, got.fallbacks), (1, 0));
    bring_back(ring, &others).await;
}

#[tokio::test]
async fn two_primaries_that_are_down_are_stood_in_for_and_get_the_write_when_they_are_back() {
    let (mut ring, list) = five().await;
    let (gone, left) = list.split_at(2);
    kill(&mut ring, gone).await;
    for &at in left {
        let written = ring.nodes()[at].client().put(KEY, "old").w(3).await.unwrap();
        let acks = written.acknowledgements;
        assert_eq!((acks.primaries, acks.fallbacks, acks.durable), (1, 2, 3));
        let seen = ring.nodes()[at].client().get(KEY).r(3).await.unwrap();
        assert_eq!((seen.primaries, seen.fallbacks), (1, 2));
        let client = ring.nodes()[at].client();
        client.put(KEY, "new").context(&seen.context).await.unwrap();
        assert_value(&client.get(KEY).await.unwrap(), "new");
    }
    wait_until_hints_are(&ring, "hints", |hints| hints > 0).await;
    assert!(total(&ring, "dynamo_hints_stored_total") > 0.0);
    assert!(total(&ring, r#"dynamo_fallback_answers_total{kind="put"}"#) > 0.0);

    bring_back(&mut ring, gone).await;
    wait_until_hints_are(&ring, "the hints to be handed over", |hints| hints == 0).await;
    assert!(total(&ring, "dynamo_hints_delivered_total") > 0.0);
    for &at in gone {
        assert_holds(&mut ring, at, "new").await;
    }
}

#[tokio::test]
async fn with_all_primaries_down_a_write_for_one_is_taken_and_not_lost() {
    let (mut ring, list) = five().await;
    let (gone, left) = list.split_at(3);
    kill(&mut ring, gone).await;
    let written = ring.nodes()[left[0]].client().put(KEY, "v").w(1).await.unwrap();
    let acks = written.acknowledgements;
    assert!(acks.primaries == 0 && acks.fallbacks >= 1, "{acks:?}");
    let got = ring.nodes()[left[1]].client().get(KEY).r(2).await.unwrap();
    assert_value(&got, "v");
    assert_eq!((got.primaries, got.fallbacks), (0, 2));
    wait_until_hints_are(&ring, "hints", |hints| hints > 0).await;

    // Also if those that keep it die before they could hand it over.
    left.iter().for_each(|&at| ring.node_mut(at).kill().unwrap());
    let all: Vec<_> = (0..5).collect();
    bring_back(&mut ring, &all).await;
    wait_until_hints_are(&ring, "the hints to be handed over", |hints| hints == 0).await;
    let got = ring.nodes()[left[0]].client().get(KEY).r(3).strict().await.unwrap();
    assert_value(&got, "v");
    assert_eq!((got.primaries, got.fallbacks), (3, 0));
}

#[tokio::test]
async fn who_asks_for_primaries_is_refused_rather_than_served_by_others() {
    let (mut ring, list) = five().await;
    ring.nodes()[0].client().put(KEY, "v").w(3).await.unwrap();
    let (gone, left) = list.split_at(2);
    kill(&mut ring, gone).await;
    for &at in left {
        let client = impatient(&ring.nodes()[at]);
        for (error, named) in [
            (client.put(KEY, "w").pw(2).await.unwrap_err(), "1 of the key's 3 primaries"),
            (client.put(KEY, "w").strict().await.unwrap_err(), "1"),
            (client.delete(KEY).pw(2).await.unwrap_err(), "1 of the key's 3 primaries"),
            (client.get(KEY).pr(2).await.unwrap_err(), "1 of the key's 3 primaries"),
            (client.get(KEY).strict().await.unwrap_err(), "1"),
        ] {
            assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
            assert!(error.to_string().contains(named), "{error}");
        }
        let got = client.get(KEY).pr(1).await.unwrap();
        assert_eq!(got.primaries, 1);
        assert_value(&got, "v");
    }
    assert_eq!(pending_hints(&ring).await, 0, "what was refused is nowhere");
}

#[tokio::test]
async fn a_replica_that_missed_writes_is_brought_up_to_date_by_reads() {
    const KEYS: usize = 400;
    // With three nodes nobody can stand in, so there are no hints that could do it.
    let mut ring = Running::start(3).await;
    kill(&mut ring, &[2]).await;
    let client = client_of(&ring.nodes()[..2]).unwrap();
    for i in 0..KEYS {
        client.put(format!("k{i}"), "v").await.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for reader in 0..8 {
        let (client, done) = (client.clone(), done.clone());
        readers.spawn(async move {
            for i in (0..KEYS).cycle().skip(reader * KEYS / 8) {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                client.get(format!("k{i}")).await.unwrap();
            }
        });
    }
    ring.node_mut(2).spawn().unwrap();
    let repaired = async || {
        let repairs = total(&ring, "dynamo_read_repairs_total");
        Ok((repairs > 0.0).then_some(()))
    };
    // It may not listen yet when its metrics are asked for: only the others repair it.
    let back = async || Ok(ring.nodes()[2].client().status().await.ok());
    until("it to be back", LIMIT, back).await.unwrap();
    until("reads to repair it", LIMIT, repaired).await.unwrap();
    let all = async || {
        let status = ring.nodes()[2].client().status().await?;
        Ok((status.keys_estimate >= KEYS as u64).then_some(()))
    };
    until("it to hold all keys", LIMIT, all).await.unwrap();
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
}
