//! Any node takes any request, and what was acknowledged stays, whoever dies.

use crate::running::Running;
use bytes::Bytes;
use dynamo_client::{Client, Context, RequestId};
use dynamo_e2e::local_ring::client_of;
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinSet;

async fn only_value(client: &Client, key: &str) -> Bytes {
    let reply = client.get(key.to_owned()).await.unwrap();
    assert_eq!(reply.siblings.len(), 1, "{key} has one version");
    reply.siblings[0].value.clone()
}

#[tokio::test]
async fn what_one_node_wrote_every_node_reads() {
    let ring = Running::start(5).await;
    let values = ["", "text", "\0", "\u{e9}\n"];
    for node in ring.nodes() {
        for (i, value) in values.iter().enumerate() {
            node.client().put(format!("{} {i}", node.name()), *value).await.unwrap();
        }
    }
    for reader in ring.nodes() {
        for writer in ring.nodes() {
            for (i, value) in values.iter().enumerate() {
                let key = format!("{} {i}", writer.name());
                assert_eq!(only_value(&reader.client(), &key).await, *value);
            }
        }
    }
}

#[tokio::test]
async fn a_read_write_cycle_replaces_and_blind_writes_make_siblings() {
    let ring = Running::start(3).await;
    let (one, two) = (ring.nodes()[0].client(), ring.nodes()[1].client());
    one.put("k", "first").await.unwrap();
    let blind = two.put("k", "second").await.unwrap();
    assert_eq!(blind.context, None, "it did not see the first");
    let both = one.get("k").await.unwrap();
    assert_eq!(both.siblings.len(), 2);

    let merged = two.put("k", "merged").context(&both.context).await.unwrap();
    assert_eq!(only_value(&one, "k").await, "merged");
    two.delete("k").context(&merged.context.unwrap()).await.unwrap();
    let gone = one.get("k").await.unwrap();
    assert_eq!(gone.siblings, []);
    one.put("k", "again").context(&gone.context).await.unwrap();
    assert_eq!(only_value(&two, "k").await, "again");
}

#[tokio::test]
async fn no_acknowledged_write_is_lost_when_a_node_is_killed_in_mid_load() {
    let mut ring = Running::start(5).await;
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let client = client_of(ring.nodes()).unwrap();
        writers.spawn(async move {
            let mut acknowledged = BTreeMap::new();
            for i in 0..60 {
                let (key, value) = (format!("{writer}-{i}"), format!("{writer} wrote {i}"));
                if client.put(key.clone(), value.clone()).await.is_ok() {
                    acknowledged.insert(key, value);
                }
            }
            acknowledged
        });
    }
    // Some writers are done, some are not.
    let mut acknowledged = writers.join_next().await.unwrap().unwrap();
    ring.node_mut(0).kill().unwrap();
    while let Some(more) = writers.join_next().await {
        acknowledged.extend(more.unwrap());
    }
    assert!(acknowledged.len() > 400, "a dead node stops nobody: {} of 480", acknowledged.len());
    for survivor in &ring.nodes()[1..] {
        for (key, value) in &acknowledged {
            assert_eq!(only_value(&survivor.client(), key).await, *value, "{key}");
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_all_nodes_are_killed_at_once() {
    let mut ring = Running::start(3).await;
    let client = client_of(ring.nodes()).unwrap();
    for i in 0..100 {
        client.put(format!("k{i}"), format!("v{i}")).await.unwrap();
    }
    for at in 0..3 {
        ring.node_mut(at).kill().unwrap();
    }
    for at in 0..3 {
        ring.node_mut(at).spawn().unwrap();
    }
    ring.wait_until_ready().await.unwrap();
    for i in 0..100 {
        assert_eq!(only_value(&client, &format!("k{i}")).await, format!("v{i}"));
    }
}

#[tokio::test]
async fn a_retry_through_another_node_is_the_same_write() {
    let ring = Running::start(5).await;
    let client = |at: usize| ring.nodes()[at].client();
    for i in 0..20 {
        let (key, id) = (format!("k{i}"), RequestId::random());
        let put = |at| client(at).put(key.clone(), "v").request_id(id).into_future();
        let (first, second) = tokio::join!(put(i % 5), put((i + 1) % 5));
        first.unwrap();
        second.unwrap();
        put((i + 2) % 5).await.unwrap();
        assert_eq!(only_value(&client(i % 5), &key).await, "v");

        // Also after somebody has replaced it: the late retry does not come back.
        let seen: Context = client(0).get(key.clone()).await.unwrap().context;
        client(1).put(key.clone(), "newer").context(&seen).await.unwrap();
        put((i + 3) % 5).await.unwrap();
        assert_eq!(only_value(&client(i % 5), &key).await, "newer");
    }
}

#[tokio::test]
async fn too_few_replicas_is_said_at_once_and_nothing_is_in_doubt() {
    let mut ring = Running::start(3).await;
    ring.node_mut(0).kill().unwrap();
    ring.node_mut(1).kill().unwrap();
    let alone = ring.nodes()[2].client_address();
    let client = Client::connect([alone]).timeout(Duration::from_secs(2)).build().unwrap();
    let error = dynamo_e2e::local_ring::until("the lost quorum to be noticed", LIMIT, async || {
        let error = client.put("k", "v").await.unwrap_err();
        Ok((!error.is_indeterminate()).then_some(error))
    })
    .await
    .unwrap();
    let line = error.to_string();
    // What is up, what every key has, and what is needed.
    assert!(['1', '3', '2'].iter().all(|n| line.contains(*n)), "{line}");
}

/// How long it may take until a node knows that the others are gone.
const LIMIT: Duration = Duration::from_secs(30);
