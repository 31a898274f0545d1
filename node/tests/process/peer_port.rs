//! What reaches the peer port and does not belong there is refused, and harms nobody.

use crate::node::{CLUSTER, Node, until};
use dynamo_proto::v1::{
    Batch, BootstrapRequest, Frame, Hello, JoinRequest, Message, frame::Content,
};
use futures::{StreamExt, stream};
use std::{io::Write, net::TcpStream};
use tempfile::tempdir;
use tonic::{Code, Status};

const OTHER: &str = "3f2c1a70-6a7e-4f6e-9a53-0d7c3f1b2a11";

fn hello(cluster: &str, protocol: u32) -> Frame {
    let cluster = uuid::Uuid::parse_str(cluster).unwrap();
    let cluster_id = cluster.as_bytes().to_vec().into();
    Frame { content: Some(Content::Hello(Hello { cluster_id, node: 99, generation: 1, protocol })) }
}

fn batch(messages: Vec<Message>) -> Frame {
    Frame { content: Some(Content::Batch(Batch { messages })) }
}

/// Says these frames and returns the first error that comes back.
async fn error_after(node: &Node, frames: Vec<Frame>) -> Status {
    let frames = stream::iter(frames).chain(stream::pending());
    match node.peer().await.exchange(frames).await {
        Err(status) => status,
        Ok(answers) => {
            let mut answers = answers.into_inner();
            loop {
                match answers.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the stream ended without an error"),
                    Err(status) => break status,
                }
            }
        }
    }
}

#[tokio::test]
async fn who_does_not_belong_here_is_told_why() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let other = error_after(&node, vec![hello(OTHER, 1)]).await;
    assert_eq!(other.code(), Code::FailedPrecondition);
    assert!(other.message().contains(OTHER) && other.message().contains(CLUSTER), "{other}");
    let newer = error_after(&node, vec![hello(CLUSTER, 2)]).await;
    assert_eq!(newer.code(), Code::FailedPrecondition, "{newer}");
    let rude = error_after(&node, vec![batch(vec![])]).await;
    assert_eq!(rude.code(), Code::InvalidArgument, "{rude}");
}

#[tokio::test]
async fn frames_without_sense_end_their_stream_and_not_the_node() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    for bad in [batch(vec![Message { content: None }]), hello(CLUSTER, 1), Frame { content: None }]
    {
        let refused = error_after(&node, vec![hello(CLUSTER, 1), bad]).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    assert_eq!(node.metric("dynamo_refused_frames_total"), 3.0);
    let mut noise = TcpStream::connect(&node.peer).unwrap();
    // The node may close the connection before it has read all of it.
    let _ = noise.write_all(&[0xa5; 100_000]);
    assert_eq!(node.page("/healthz").0, 200);
    assert_eq!(node.status().await.node_id, node.id);
}

#[tokio::test]
async fn orders_for_another_cluster_or_without_sense_are_refused() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let mut admin = node.admin().await;
    let other = BootstrapRequest { cluster_id: OTHER.into(), ..BootstrapRequest::default() };
    let refused = admin.bootstrap(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains(OTHER) && refused.message().contains(CLUSTER), "{refused}");
    let seeds = vec!["nowhere".to_owned()];
    let join = JoinRequest { cluster_id: CLUSTER.into(), seeds };
    assert_eq!(admin.join(join).await.unwrap_err().code(), Code::InvalidArgument);
    let none = node.bootstrap("first", &[]).await.unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument, "{none}");
    let elsewhere = tempdir().unwrap();
    let unknown = Node::start(elsewhere.path(), &[]);
    let refused = node.bootstrap("first", &[&node, &unknown]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.message().contains(&unknown.id), "{refused}");
}

#[tokio::test]
async fn a_seed_that_leads_to_another_cluster_brings_nobody_in() {
    let (a, b) = (tempdir().unwrap(), tempdir().unwrap());
    let ours = Node::start(a.path(), &[]);
    let theirs = Node::start(b.path(), &["--cluster-id", OTHER, "--seeds", &ours.peer]);
    until("the stranger has called", || ours.metric("dynamo_refused_frames_total") > 0.0);
    assert_eq!(ours.status().await.members.len(), 1);
    assert_eq!(theirs.status().await.members.len(), 1);
}
