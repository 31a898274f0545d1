//! A node is its data directory: it comes back as itself, and to its own cluster only.

use crate::running::{Running, setup};
use dynamo_client::StatusResponse;
use dynamo_e2e::local_ring::{LocalNode, LocalRing, until};
use std::{
    fs::{self, File},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(30);

async fn status(node: &LocalNode) -> StatusResponse {
    let client = node.client();
    until("a node to answer", LIMIT, async || Ok(client.status().await.ok())).await.unwrap()
}

#[tokio::test]
async fn a_node_comes_back_with_its_id_its_data_and_a_new_generation() {
    let mut ring = Running::start(3).await;
    let before = status(&ring.nodes()[0]).await;
    let elsewhere = ring.nodes()[1].client();
    elsewhere.put("k", "before").await.unwrap();
    ring.node_mut(0).kill().unwrap();
    elsewhere.put("while away", "v").await.unwrap();
    ring.node_mut(0).spawn().unwrap();
    ring.wait_until_ready().await.unwrap();

    let after = status(&ring.nodes()[0]).await;
    assert_eq!(after.node_id, before.node_id);
    assert_eq!(after.cluster_id, before.cluster_id);
    assert_eq!(after.incarnation, before.incarnation, "its synced data was not lost");
    assert!(after.generation > before.generation);
    // All three together must hold it, the one that came back among them.
    let back = ring.nodes()[0].client();
    assert_eq!(back.get("k").r(3).await.unwrap().siblings[0].value, "before");
    assert_eq!(back.get("while away").await.unwrap().siblings[0].value, "v");
}

#[tokio::test]
async fn the_data_of_another_cluster_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let setup = setup(dir.path(), 1);
    let mut ours = LocalRing::new(setup.clone());
    ours.node_mut(0).spawn().unwrap();
    let before = status(&ours.nodes()[0]).await;
    ours.stop(LIMIT).await;

    let theirs = LocalRing::new(setup);
    let output = dir.path().join("output");
    let mut command = theirs.nodes()[0].command(File::create(&output).unwrap()).unwrap();
    let code = command.status().unwrap().code();
    let said = fs::read_to_string(&output).unwrap();
    assert_eq!(code, Some(1), "{said}");
    let line = said.lines().find(|line| line.starts_with("dynamo-node: ")).unwrap();
    for named in [&before.node_id, &before.cluster_id, &theirs.cluster().to_string()] {
        assert!(line.contains(named.as_str()), "{line}");
    }

    ours.node_mut(0).spawn().unwrap();
    assert_eq!(status(&ours.nodes()[0]).await.node_id, before.node_id);
}

#[tokio::test]
async fn a_second_node_on_the_same_data_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = LocalRing::new(setup(dir.path(), 1));
    ring.node_mut(0).spawn().unwrap();
    status(&ring.nodes()[0]).await;

    let output = dir.path().join("output");
    let mut command = ring.nodes()[0].command(File::create(&output).unwrap()).unwrap();
    let code = command.status().unwrap().code();
    let said = fs::read_to_string(&output).unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.lines().any(|line| line.starts_with("dynamo-node: ")), "{said}");
    status(&ring.nodes()[0]).await;
}
