//! Writes each of many keys once, as fast as the ring takes them.

use crate::{
    connections::{self, TIMEOUT_MS},
    values::{Values, key},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use dynamo_proto::v1::{PutRequest, key_value_client::KeyValueClient};
use rand::RngExt;
use std::sync::Arc;
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// Writes in flight.
const AT_ONCE: usize = 64;

/// Writes the keys with these numbers through all servers in turn, and returns the
/// context of each write, in their order. The first error ends it.
pub(crate) async fn fill(
    servers: &[String],
    kind: &'static str,
    numbers: Arc<[u64]>,
    values: &Values,
) -> Result<Vec<Bytes>> {
    let clients = connections::open(servers).await?;
    let mut workers = JoinSet::new();
    for first in 0..AT_ONCE {
        let client = clients[first % clients.len()].clone();
        let (numbers, values) = (numbers.clone(), values.clone());
        workers.spawn(async move {
            let mut contexts = Vec::new();
            for at in (first..numbers.len()).step_by(AT_ONCE) {
                contexts.push((at, put(client.clone(), kind, numbers[at], &values).await?));
            }
            Ok::<_, anyhow::Error>(contexts)
        });
    }
    let mut all = vec![Bytes::new(); numbers.len()];
    while let Some(contexts) = workers.join_next().await {
        contexts??.into_iter().for_each(|(at, context)| all[at] = context);
    }
    Ok(all)
}

async fn put(
    mut client: KeyValueClient<Channel>,
    kind: &str,
    number: u64,
    values: &Values,
) -> Result<Bytes> {
    let request = PutRequest {
        key: Some(key(kind, number)),
        value: values.of(number),
        request_id: request_id(),
        timeout_ms: TIMEOUT_MS,
        ..Default::default()
    };
    let written = client.put(request).await;
    Ok(written.with_context(|| format!("writing {kind}/{number}"))?.into_inner().context)
}

/// What no other write has.
pub(crate) fn request_id() -> Bytes {
    Bytes::copy_from_slice(&rand::rng().random::<[u8; 16]>())
}
