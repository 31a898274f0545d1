//! Three processes: they find each other, keep what they acknowledged, and know each
//! other again after a crash.

use crate::node::{Node, until};
use dynamo_proto::v1::{GetRequest, Key, PutRequest, Reachability, RingRequest};
use std::{fs, time::Duration};
use tempfile::{TempDir, tempdir};
use tonic::Code;

/// Three that have met through one seed, with a ring over all of them.
async fn three() -> (Vec<TempDir>, Vec<Node>) {
    let dirs: Vec<_> = (0..3).map(|_| tempdir().unwrap()).collect();
    let mut nodes = vec![Node::start(dirs[0].path(), &[])];
    for dir in &dirs[1..] {
        nodes.push(Node::start(dir.path(), &["--seeds", &nodes[0].peer]));
    }
    all_up(&nodes).await;
    nodes[1].bootstrap("first", &nodes.iter().collect::<Vec<_>>()).await.unwrap();
    for node in &nodes {
        until("the ring is everywhere", || node.page("/readyz").0 == 200);
    }
    (dirs, nodes)
}

async fn all_up(nodes: &[Node]) {
    for node in nodes {
        let up = || node.metric("dynamo_members_up");
        until("all are up", || up() == 3.0);
    }
}

fn key(name: &str) -> Option<Key> {
    Some(Key { partition: name.to_owned().into(), sort: Default::default() })
}

async fn put(node: &Node, name: &str, w: u32, request: u8) -> Result<(), tonic::Status> {
    let request = PutRequest {
        key: key(name),
        value: name.to_owned().into(),
        request_id: vec![request; 16].into(),
        w,
        timeout_ms: 10_000,
        ..PutRequest::default()
    };
    node.key_value().await.put(request).await.map(drop)
}

async fn get(node: &Node, name: &str) -> Vec<bytes::Bytes> {
    get_from(node, name, 0).await
}

async fn get_from(node: &Node, name: &str, r: u32) -> Vec<bytes::Bytes> {
    let request = GetRequest { key: key(name), r, timeout_ms: 10_000, ..GetRequest::default() };
    let got = node.key_value().await.get(request).await.unwrap().into_inner();
    got.siblings.into_iter().map(|v| v.value).collect()
}

#[tokio::test]
async fn what_one_stores_all_read_and_bootstrap_is_done_once() {
    let (_dirs, nodes) = three().await;
    for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
        put(&nodes[i], name, 0, 1).await.unwrap();
        for node in &nodes {
            assert_eq!(get(node, name).await, [name]);
        }
    }
    let mut digests = Vec::new();
    for node in &nodes {
        let ring = node.admin().await.ring(RingRequest {}).await.unwrap().into_inner();
        digests.push((ring.epoch, ring.digest));
    }
    assert!(digests.windows(2).all(|w| w[0] == w[1]), "{digests:?}");
    let all: Vec<_> = nodes.iter().collect();
    let again = nodes[2].bootstrap("first", &all).await.unwrap();
    assert_eq!((again.epoch, again.digest), digests[0].clone());
    let other = nodes[2].bootstrap("second", &all).await.unwrap_err();
    assert_eq!(other.code(), Code::FailedPrecondition, "{other}");
}

#[tokio::test]
async fn a_node_that_was_killed_returns_as_itself_with_its_data() {
    let (dirs, mut nodes) = three().await;
    put(&nodes[0], "before", 3, 1).await.unwrap();
    nodes[2].kill();
    until("the others have noticed", || nodes[0].metric("dynamo_members_up") == 2.0);
    put(&nodes[0], "while", 0, 2).await.unwrap();
    let refused = put(&nodes[0], "strict", 3, 3).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert_eq!(get(&nodes[1], "before").await, ["before"]);

    // On other ports: an address is only where a node is now.
    let back = Node::start(dirs[2].path(), &["--seeds", &nodes[0].peer]);
    assert_eq!((&back.id, back.generation), (&nodes[2].id, nodes[2].generation + 1));
    assert_ne!(back.peer, nodes[2].peer);
    nodes[2] = back;
    all_up(&nodes).await;
    put(&nodes[0], "after", 3, 4).await.unwrap();
    assert_eq!(get(&nodes[2], "while").await, ["while"]);
    let known = nodes[0].status().await.members;
    let known = known.into_iter().find(|m| m.node_id == nodes[2].id).unwrap();
    assert_eq!(known.reachability(), Reachability::Up);
    assert_eq!((known.generation, known.address), (nodes[2].generation, nodes[2].peer.clone()));
}

#[tokio::test]
async fn a_node_with_a_damaged_store_is_filled_again_by_the_others() {
    let (dirs, mut nodes) = three().await;
    let names: Vec<_> = (0..20).map(|n| format!("k{n}")).collect();
    for (request, name) in (0..).zip(&names) {
        put(&nodes[0], name, 3, request).await.unwrap();
    }
    nodes[2].kill();
    fs::remove_file(dirs[2].path().join("store/CURRENT")).unwrap();
    let back = Node::start(dirs[2].path(), &["--seeds", &nodes[0].peer]);
    assert_eq!(back.id, nodes[2].id);
    nodes[2] = back;
    all_up(&nodes).await;
    until("it has everything again", || nodes[2].metric("dynamo_keys_estimate") >= 20.0);
    // Nobody is left who could answer in its place.
    nodes.drain(..2).for_each(drop);
    for name in &names {
        assert_eq!(get_from(&nodes[0], name, 1).await, [name]);
    }
}

#[tokio::test]
async fn a_node_that_stops_is_not_missed_by_those_who_ask_the_others() {
    let (_dirs, mut nodes) = three().await;
    nodes[1].signal(nix::sys::signal::Signal::SIGTERM);
    for request in 0..20 {
        let name = format!("k{request}");
        put(&nodes[0], &name, 2, request).await.unwrap();
        assert_eq!(get(&nodes[2], &name).await, [name]);
    }
    let (status, took) = nodes[1].ended();
    assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
}
