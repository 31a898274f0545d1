//! What reaches the peer port and does not belong there is refused, and harms nobody.

use crate::node::{CLUSTER, Node, until};
use axum::{body::Body, http};
use bytes::Bytes;
use dynamo_proto::v1::{
    Batch, BootstrapRequest, Frame, Hello, JoinRequest, Key, MemberStatus, Message, Read,
    ReplicaRequest, frame::Content, message, replica_request::Operation,
};
use futures::{StreamExt, future::poll_fn, stream};
use prost::Message as _;
use std::{convert::Infallible, io::Write, net::TcpStream, time::Duration};
use tempfile::tempdir;
use tokio::time::timeout;
use tonic::{Code, Status, codegen::Service, transport::Endpoint};

const OTHER: &str = "3f2c1a70-6a7e-4f6e-9a53-0d7c3f1b2a11";

/// Gossip takes a second or two.
const LIMIT: Duration = Duration::from_secs(20);

fn hello(cluster: &str, protocol: u32) -> Frame {
    let cluster = uuid::Uuid::parse_str(cluster).unwrap();
    let cluster_id = cluster.as_bytes().to_vec().into();
    Frame { content: Some(Content::Hello(Hello { cluster_id, node: 99, generation: 1, protocol })) }
}

fn batch(messages: Vec<Message>) -> Frame {
    Frame { content: Some(Content::Batch(Batch { messages })) }
}

fn refused(node: &Node, reason: &str) -> f64 {
    node.metric(&format!("dynamo_refused_frames_total{{reason=\"{reason}\"}}"))
}

/// It goes on as if nothing had happened.
async fn assert_well(node: &Node) {
    assert_eq!(node.page("/healthz").0, 200);
    assert_eq!(node.status().await.node_id, node.id);
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
    for reason in ["other_cluster", "protocol", "no_hello"] {
        assert_eq!(refused(&node, reason), 1.0, "{reason}");
    }
    assert_well(&node).await;
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
    assert_eq!(refused(&node, "malformed"), 3.0);
    assert_well(&node).await;
}

#[tokio::test]
async fn noise_is_no_frame_at_all() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    for noise in [&[0xa5; 100_000][..], b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n"] {
        let before = refused(&node, "not_http2");
        let mut stream = TcpStream::connect(&node.peer).unwrap();
        // The node may close the connection before it has read all of it.
        let _ = stream.write_all(noise);
        until("it is refused", || refused(&node, "not_http2") == before + 1.0);
    }
    assert_well(&node).await;
}

/// Only the length of the frame is sent, so nothing else can be what it is refused by.
#[tokio::test]
async fn a_frame_over_the_limit_is_refused_by_its_length() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let framed = |length: u32| [&[0], &length.to_be_bytes()[..]].concat();
    let hello = hello(CLUSTER, 1).encode_to_vec();
    let said = [framed(u32::try_from(hello.len()).unwrap()), hello, framed(1 << 30)].concat();
    let body = stream::iter([Ok::<_, Infallible>(Bytes::from(said))]).chain(stream::pending());
    let request = http::Request::post(format!("http://{}/dynamo.v1.Peer/Exchange", node.peer))
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::new(Body::from_stream(body)));
    let mut channel =
        Endpoint::from_shared(format!("http://{}", node.peer)).unwrap().connect().await.unwrap();
    poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
    let _answer = channel.call(request.unwrap()).await.unwrap();
    until("it is refused", || refused(&node, "too_large") == 1.0);
    assert_well(&node).await;
}

#[tokio::test]
async fn what_a_former_process_of_a_peer_says_is_dropped() {
    let (a, b) = (tempdir().unwrap(), tempdir().unwrap());
    let node = Node::start(a.path(), &[]);
    let former = Node::start(b.path(), &["--seeds", &node.peer]);
    let (id, generation) = (former.id.clone(), former.generation);
    drop(former);
    let _now = Node::start(b.path(), &["--seeds", &node.peer]);
    let knows = async {
        let later = |m: &MemberStatus| m.node_id == id && m.generation > generation;
        while !node.status().await.members.iter().any(later) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, knows).await.expect("it is heard of the later one");
    let read = ReplicaRequest {
        id: 1,
        key: Some(Key { partition: "k".into(), sort: Bytes::new() }),
        stands_for: None,
        operation: Some(Operation::Read(Read {})),
    };
    let read = Message { content: Some(message::Content::ReplicaRequest(read)) };
    let mut first = hello(CLUSTER, 1);
    let Some(Content::Hello(hello)) = &mut first.content else { panic!("it is a hello") };
    (hello.node, hello.generation) = (u64::from_str_radix(&id, 16).unwrap(), generation);
    let said = stream::iter([first, batch(vec![read])]).chain(stream::pending());
    let _answers = node.peer().await.exchange(said).await.unwrap();
    until("it is dropped", || node.metric("dynamo_stale_messages_total") == 1.0);
    assert_well(&node).await;
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
    until("the stranger has called", || refused(&ours, "other_cluster") > 0.0);
    assert_eq!(ours.status().await.members.len(), 1);
    assert_eq!(theirs.status().await.members.len(), 1);
}
