//! What clients can rely on, asked of one node that is a ring of its own.

use crate::node::{Node, until};
use dynamo_proto::v1::{
    BootstrapRequest, DeleteRequest, GetRequest, GetResponse, JoinRequest, Key, PutRequest,
    RingRequest, StatusRequest, admin_client::AdminClient, key_value_client::KeyValueClient,
};
use tempfile::{TempDir, tempdir};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

/// One node that owns everything, so that any quorum is one.
async fn ring_of_one(more: &[&str]) -> (TempDir, Node) {
    let dir = tempdir().unwrap();
    let quorums = ["--read-quorum", "1", "--write-quorum", "1"];
    let node = Node::start(dir.path(), &[&quorums, more].concat());
    node.bootstrap("first", &[&node]).await.unwrap();
    (dir, node)
}

fn key(name: &str) -> Option<Key> {
    Some(Key { partition: name.to_owned().into(), sort: Default::default() })
}

fn put(name: &str, value: &str, request: u8) -> PutRequest {
    PutRequest {
        key: key(name),
        value: value.to_owned().into(),
        request_id: vec![request; 16].into(),
        ..PutRequest::default()
    }
}

async fn get(client: &mut KeyValueClient<Channel>, name: &str) -> GetResponse {
    let request = GetRequest { key: key(name), ..GetRequest::default() };
    client.get(request).await.unwrap().into_inner()
}

fn values(got: &GetResponse) -> Vec<String> {
    let text = |v: &[u8]| String::from_utf8(v.to_vec()).unwrap();
    got.siblings.iter().map(|v| text(&v.value)).collect()
}

fn assert_refused(status: &Status, code: Code, named: &str) {
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(named), "{status}");
    assert!(!status.message().contains('\n'), "{status}");
}

fn outcome(status: &Status) -> &str {
    status.metadata().get("dynamo-outcome").map_or("", |o| o.to_str().unwrap())
}

#[tokio::test]
async fn a_value_is_put_read_replaced_and_deleted() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    let stored = client.put(put("k", "one", 1)).await.unwrap().into_inner();
    let acks = stored.acknowledgements.unwrap();
    assert_eq!((acks.primaries, acks.durable, stored.siblings), (1, 1, 1));
    assert_eq!(stored.coordinator, node.id);
    let again = PutRequest { context: stored.context, ..put("k", "two", 2) };
    client.put(again).await.unwrap();
    let got = get(&mut client, "k").await;
    assert_eq!((values(&got), got.primaries, got.fallbacks), (vec!["two".to_owned()], 1, 0));
    let delete = DeleteRequest {
        key: key("k"),
        context: got.context,
        request_id: vec![3; 16].into(),
        ..DeleteRequest::default()
    };
    client.delete(delete).await.unwrap();
    let gone = get(&mut client, "k").await;
    assert!(gone.siblings.is_empty() && !gone.context.is_empty());
    assert!(get(&mut client, "never").await.context.is_empty());
}

#[tokio::test]
async fn writes_that_did_not_see_each_other_are_siblings_until_one_has_seen_both() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    client.put(put("k", "one", 1)).await.unwrap();
    let blind = client.put(put("k", "two", 2)).await.unwrap().into_inner();
    assert!(blind.context.is_empty() && blind.siblings == 2);
    client.put(put("k", "two", 2)).await.unwrap();
    let got = get(&mut client, "k").await;
    assert_eq!(values(&got), ["one", "two"], "a retry is no third");
    let both = PutRequest { context: got.context, ..put("k", "both", 3) };
    client.put(both).await.unwrap();
    assert_eq!(values(&get(&mut client, "k").await), ["both"]);
}

#[tokio::test]
async fn contexts_that_were_not_given_for_the_key_are_refused_and_nothing_is_stored() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    let context = client.put(put("other", "v", 1)).await.unwrap().into_inner().context;
    let cut = context.slice(..context.len() - 1);
    for bad in [context, cut, "made up".into()] {
        let refused = client.put(PutRequest { context: bad, ..put("k", "v", 2) }).await;
        let refused = refused.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, "get the key again");
        assert_eq!(outcome(&refused), "not-applied");
    }
    assert!(get(&mut client, "k").await.siblings.is_empty());
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_with_both_numbers() {
    let (_dir, node) = ring_of_one(&["--key-limit", "4", "--value-limit", "3"]).await;
    let mut client = node.key_value().await;
    client.put(put("four", "abc", 1)).await.unwrap();
    for (bad, named) in [
        (put("fives", "v", 2), "the key has 5 bytes; the limit is 4"),
        (put("k", "four", 2), "the value has 4 bytes; the limit is 3"),
        (put("", "v", 2), "the key is empty"),
        (PutRequest { key: None, ..put("k", "v", 2) }, "the key is empty"),
        (PutRequest { request_id: vec![1; 15].into(), ..put("k", "v", 2) }, "15 bytes, not 16"),
        (PutRequest { w: 2, ..put("k", "v", 2) }, "a quorum of 2"),
        (PutRequest { pw: 2, ..put("k", "v", 2) }, "a quorum of 2"),
        (put("k", &"x".repeat(5 << 20), 2), "the limit is 3 for a value and 4 for a key"),
    ] {
        let refused = client.put(bad).await.unwrap_err();
        assert_refused(&refused, Code::InvalidArgument, named);
        assert_eq!(outcome(&refused), "not-applied");
    }
    let r = GetRequest { key: key("k"), r: 2, ..GetRequest::default() };
    assert_refused(&client.get(r).await.unwrap_err(), Code::InvalidArgument, "a quorum of 2");
    let long = GetRequest { key: key(&"k".repeat(5 << 20)), ..GetRequest::default() };
    assert_refused(&client.get(long).await.unwrap_err(), Code::InvalidArgument, "4 for a key");
    assert!(get(&mut client, "k").await.siblings.is_empty());
    assert_eq!(node.metric(r#"dynamo_requests_total{kind="put",outcome="invalid"}"#), 8.0);
}

#[tokio::test]
async fn a_key_gets_only_so_many_siblings_and_a_merge_makes_room() {
    const MOST: u8 = 64;
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    for request in 0..MOST {
        client.put(put("k", "v", request)).await.unwrap();
    }
    let refused = client.put(put("k", "v", MOST)).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "65 conflicting versions");
    assert_eq!(outcome(&refused), "not-applied");
    let got = get(&mut client, "k").await;
    assert_eq!(got.siblings.len(), usize::from(MOST));
    let merged = PutRequest { context: got.context, ..put("k", "merged", MOST) };
    client.put(merged).await.unwrap();
    client.put(put("k", "v", MOST + 1)).await.unwrap();
    assert_eq!(values(&get(&mut client, "k").await), ["merged", "v"]);
}

#[tokio::test]
async fn strict_requests_are_served_by_primaries() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    let write = PutRequest { pw: 1, strict: true, ..put("k", "v", 1) };
    let acks = client.put(write).await.unwrap().into_inner().acknowledgements.unwrap();
    assert_eq!((acks.primaries, acks.fallbacks), (1, 0));
    let read = GetRequest { key: key("k"), pr: 1, strict: true, ..GetRequest::default() };
    let got = client.get(read).await.unwrap().into_inner();
    assert_eq!((values(&got), got.primaries), (vec!["v".to_owned()], 1));
}

#[tokio::test]
async fn without_a_ring_nothing_is_served_but_the_node_says_so() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let mut client = node.key_value().await;
    let refused = client.put(put("k", "v", 1)).await.unwrap_err();
    assert_refused(&refused, Code::FailedPrecondition, "Bootstrap");
    assert_eq!(outcome(&refused), "not-applied");
    let forged = PutRequest { context: "context".into(), ..put("k", "v", 1) };
    assert_refused(&client.put(forged).await.unwrap_err(), Code::FailedPrecondition, "Bootstrap");
    let ring = node.admin().await.ring(RingRequest {}).await.unwrap_err();
    assert_refused(&ring, Code::FailedPrecondition, "Bootstrap");
    assert_eq!(node.page("/healthz").0, 200);
    let (code, why) = node.page("/readyz");
    assert!(code == 503 && why.contains("Bootstrap"), "{why}");
    node.bootstrap("first", &[&node]).await.unwrap();
    until("it is ready", || node.page("/readyz").0 == 200);
}

#[tokio::test]
async fn the_client_port_shows_the_cluster_and_changes_nothing() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut admin = AdminClient::connect(format!("http://{}", node.client)).await.unwrap();
    let status = admin.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.node_id, status.ring_epoch), (node.id.clone(), 1));
    let ring = admin.ring(RingRequest {}).await.unwrap().into_inner();
    assert_eq!((ring.partitions, ring.owners.len(), ring.members.len()), (16, 16, 1));
    let bootstrap = admin.bootstrap(BootstrapRequest::default()).await.unwrap_err();
    assert_refused(&bootstrap, Code::PermissionDenied, &node.peer);
    let join = admin.join(JoinRequest::default()).await.unwrap_err();
    assert_refused(&join, Code::PermissionDenied, &node.peer);
}

#[tokio::test]
async fn health_and_reflection_are_where_grpc_tools_look() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    const STORE: &str = "dynamo.v1.KeyValue";
    const SERVING: i32 = 1;
    const NOT_SERVING: i32 = 2;
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &["--read-quorum", "1", "--write-quorum", "1"]);
    let channel =
        Endpoint::from_shared(format!("http://{}", node.client)).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let check = |service: &str| HealthCheckRequest { service: service.into() };
    for service in ["", STORE] {
        let before = health.check(check(service)).await.unwrap().into_inner();
        assert_eq!(before.status, NOT_SERVING, "{service}");
    }
    let mut watched = health.watch(check(STORE)).await.unwrap().into_inner();
    node.bootstrap("first", &[&node]).await.unwrap();
    while watched.message().await.unwrap().expect("it is watched").status != SERVING {}
    assert_eq!(health.check(check("")).await.unwrap().into_inner().status, SERVING);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let list = futures::stream::iter([list]);
    let mut answers = reflection.server_reflection_info(list).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = services.service.into_iter().map(|s| s.name).collect();
    for service in [STORE, "dynamo.v1.Admin", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|n| n == service), "{names:?}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_outcome() {
    let (_dir, node) = ring_of_one(&[]).await;
    let mut client = node.key_value().await;
    client.put(put("k", "v", 1)).await.unwrap();
    get(&mut client, "k").await;
    client.put(put("", "v", 1)).await.unwrap_err();
    assert_eq!(node.metric(r#"dynamo_requests_total{kind="put",outcome="ok"}"#), 1.0);
    assert_eq!(node.metric(r#"dynamo_requests_total{kind="put",outcome="invalid"}"#), 1.0);
    assert_eq!(node.metric(r#"dynamo_request_seconds_count{kind="get"}"#), 1.0);
    assert_eq!(node.metric("dynamo_partitions_owned"), 16.0);
    assert!(node.metric("process_resident_memory_bytes") > 1e6);
}
