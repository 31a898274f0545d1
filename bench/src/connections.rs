//! Connections to nodes as they are: no retries, so that what a node refuses is seen.

use anyhow::{Context, Result};
use dynamo_proto::v1::key_value_client::KeyValueClient;
use tonic::transport::{Channel, Endpoint};

/// How long a request may take. Longer than users would wait: a late answer is to be counted
/// as what it is, and only one that never comes is an error.
pub(crate) const TIMEOUT_MS: u32 = 20_000;

/// One for each server (HOST:PORT of its client port).
pub(crate) async fn open(servers: &[String]) -> Result<Vec<KeyValueClient<Channel>>> {
    let mut clients = Vec::new();
    for server in servers {
        let endpoint = Endpoint::from_shared(format!("http://{server}"))?.tcp_nodelay(true);
        let channel = endpoint.connect().await;
        let channel = channel.with_context(|| format!("cannot connect to {server}"))?;
        clients.push(KeyValueClient::new(channel));
    }
    Ok(clients)
}
