//! How a node ends, and how much it takes while it has nothing to do.

use crate::running::{Running, setup};
use dynamo_e2e::local_ring::{LocalRing, client_of, until};
use std::{
    fs::{self, File},
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Within this a node has to end when it is asked to.
const ENDING: Duration = Duration::from_secs(5);

const LIMIT: Duration = Duration::from_secs(30);

/// What an idle node may hold in memory.
const IDLE_KIB: u64 = 60 << 10;

#[tokio::test]
async fn a_node_that_is_asked_to_end_does_so_in_time_under_load() {
    let mut ring = Running::start(3).await;
    let mut load = JoinSet::new();
    for writer in 0..16 {
        // The node that is about to end is everybody's first choice.
        let client = client_of(ring.nodes()).unwrap();
        load.spawn(async move {
            for i in 0.. {
                client.put(format!("{writer}-{i}"), vec![b'x'; 1024]).await?;
            }
            Ok::<(), dynamo_client::Error>(())
        });
    }
    let under_load = ring.nodes()[0].client();
    until("the load to run", LIMIT, async || {
        let reply = under_load.get("15-10").await?;
        Ok((!reply.siblings.is_empty()).then_some(()))
    })
    .await
    .unwrap();
    let node = ring.node_mut(0);
    let began = Instant::now();
    node.terminate();
    let status = node.wait(ENDING).await.unwrap();
    assert!(status.success(), "{status} after {:?}:\n{}", began.elapsed(), node.log_tail());
    // Clients turned to the others and lost nothing.
    assert!(load.try_join_next().is_none(), "no writer has failed");
    load.shutdown().await;
}

#[tokio::test]
async fn an_idle_node_is_small() {
    let ring = Running::start(3).await;
    for node in ring.nodes() {
        let kib = node.resident_kib().unwrap();
        println!("{}: {kib} KiB resident", node.name());
        assert!(kib < IDLE_KIB, "{} holds {kib} KiB, the limit is {IDLE_KIB}", node.name());
    }
}

#[tokio::test]
async fn a_node_does_not_outlive_what_started_it() {
    let dir = tempfile::tempdir().unwrap();
    let ring = LocalRing::new(setup(dir.path(), 1));
    let output = dir.path().join("output");
    let mut command = ring.nodes()[0].command(File::create(&output).unwrap()).unwrap();
    let mut child = command.spawn().unwrap();
    let client = ring.nodes()[0].client();
    until("the node to answer", LIMIT, async || Ok(client.status().await.ok())).await.unwrap();
    // What the kernel does to the pipe of a process that was killed.
    drop(child.stdin.take());
    let ended = until("the node to end", ENDING, async || Ok(child.try_wait()?)).await;
    // Also if it did not end: no test leaves a process behind.
    let _ = child.kill();
    let said = fs::read_to_string(&output).unwrap();
    assert!(ended.unwrap().success(), "{said}");
}
