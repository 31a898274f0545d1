//! What is wrong is refused in a line that names the value and the limit, and nothing
//! is stored.

use crate::running::{Running, setup};
use dynamo_client::{Client, Context, Error, Key};
use dynamo_e2e::local_ring::{LocalRing, until};
use dynamo_proto::v1::{self, key_value_client::KeyValueClient};
use std::time::Duration;
use tonic::{Code, transport::Endpoint};

const KEY_LIMIT: usize = 4096;
const VALUE_LIMIT: usize = 1 << 20;

/// Checks that it was refused as wrong in itself, in one line that names these.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, named: &[&str]) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    for named in named {
        assert!(line.contains(named), "{named:?} is not in: {line}");
    }
}

async fn is_absent(client: &Client, key: impl Into<Key>) {
    assert_eq!(client.get(key).await.unwrap().siblings, []);
}

#[tokio::test]
async fn keys_and_values_over_the_limit() {
    let ring = Running::start(3).await;
    let client = ring.nodes()[0].client();

    let largest = Key::new(vec![b'k'; KEY_LIMIT - 1], "s");
    client.put(largest.clone(), vec![0; VALUE_LIMIT]).await.unwrap();
    assert_eq!(client.get(largest).await.unwrap().siblings[0].value.len(), VALUE_LIMIT);

    let too_long = Key::new(vec![b'k'; KEY_LIMIT], "s");
    refused(client.put(too_long.clone(), "v").await, &["4097", "4096"]);
    refused(client.get(too_long.clone()).await, &["4097", "4096"]);
    refused(client.delete(too_long).await, &["4097", "4096"]);
    refused(client.put("k", vec![0; VALUE_LIMIT + 1]).await, &["1048577", "1048576"]);
    // Too large to be read: by its length alone.
    refused(client.put("k", vec![0; 20 << 20]).await, &["1048576", "4096"]);
    is_absent(&client, "k").await;
}

#[tokio::test]
async fn quorums_that_cannot_be() {
    let ring = Running::start(3).await;
    let client = ring.nodes()[0].client();
    refused(client.put("k", "v").w(4).await, &["4", "3"]);
    refused(client.delete("k").w(4).await, &["4", "3"]);
    refused(client.get("k").r(4).await, &["4", "3"]);
    refused(client.put("k", "v").pw(4).await, &["4", "3"]);
    refused(client.get("k").pr(4).await, &["4", "3"]);
    // R is 2 and W is 2 here; a strict request that meets no other kind is none.
    refused(client.put("k", "v").w(1).strict().await, &["R+W>N", "1", "2", "3"]);
    refused(client.delete("k").w(1).strict().await, &["R+W>N", "1", "2", "3"]);
    refused(client.get("k").r(1).strict().await, &["R+W>N", "1", "2", "3"]);
    is_absent(&client, "k").await;
}

#[tokio::test]
async fn what_only_another_client_library_would_send() {
    let ring = Running::start(3).await;
    let address = format!("http://{}", ring.nodes()[0].client_address());
    let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
    let mut raw = KeyValueClient::new(channel);
    let key =
        |partition: &'static str| Some(v1::Key { partition: partition.into(), sort: "s".into() });
    let good = v1::PutRequest {
        key: key("k"),
        value: "v".into(),
        request_id: vec![7; 16].into(),
        ..Default::default()
    };
    for (bad, named) in [
        (v1::PutRequest { key: key(""), ..good.clone() }, "key"),
        (v1::PutRequest { key: None, ..good.clone() }, "key"),
        (v1::PutRequest { request_id: vec![7; 15].into(), ..good.clone() }, "15"),
        (v1::PutRequest { request_id: vec![].into(), ..good.clone() }, "request"),
    ] {
        let status = raw.put(bad).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(named), "{status}");
        let outcome = status.metadata().get("dynamo-outcome").unwrap();
        assert_eq!(outcome, "not-applied");
    }
    is_absent(&ring.nodes()[1].client(), Key::new("k", "s")).await;
    raw.put(good).await.unwrap();
}

#[tokio::test]
async fn contexts_that_are_not_of_this_key_and_cluster() {
    let ring = Running::start(3).await;
    let client = ring.nodes()[0].client();
    client.put("k", "v").await.unwrap();
    client.put("other", "v").await.unwrap();
    let good = client.get("k").await.unwrap().context;
    let bytes = good.as_bytes();
    let mut forged = bytes.to_vec();
    *forged.last_mut().unwrap() ^= 1;

    let elsewhere = Running::start(1).await;
    elsewhere.nodes()[0].client().put("k", "v").await.unwrap();
    let foreign = elsewhere.nodes()[0].client().get("k").await.unwrap().context;

    for bad in [
        Context::from_bytes(bytes.slice(..bytes.len() - 1)),
        Context::from_bytes(bytes.slice(..1)),
        Context::from_bytes(forged),
        Context::from_bytes("a context"),
        client.get("other").await.unwrap().context,
        foreign,
    ] {
        refused(client.put("k", "replaced").context(&bad).await, &["context"]);
        refused(client.delete("k").context(&bad).await, &["context"]);
    }
    assert_eq!(client.get("k").await.unwrap().siblings[0].value, "v");
    // The good one goes through any node.
    ring.nodes()[2].client().put("k", "replaced").context(&good).await.unwrap();
    assert_eq!(client.get("k").await.unwrap().siblings[0].value, "replaced");
}

#[tokio::test]
async fn requests_before_there_is_a_ring() {
    let dir = tempfile::tempdir().unwrap();
    let mut ring = LocalRing::new(setup(dir.path(), 1));
    ring.node_mut(0).spawn().unwrap();
    let client = ring.nodes()[0].client();
    let limit = Duration::from_secs(30);
    until("the node to answer", limit, async || Ok(client.status().await.ok())).await.unwrap();
    let error = client.put("k", "v").await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: Code::FailedPrecondition, .. }), "{error:?}");
    assert!(error.to_string().contains("no ring"), "{error}");
    let error = client.ring().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}
