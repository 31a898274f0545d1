//! Whether all replicas came to hold all that was acknowledged.

use super::clients::writes_in;
use crate::history::{History, WriteId};
use anyhow::{Context as _, Result, bail, ensure};
use dynamo_client::Client;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Between two looks at a key that is not as it must be.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Waits until every key is as it must be, wherever it is read. Nobody writes any more.
pub(super) async fn wait(
    history: &History,
    addresses: &[String],
    replicas: u32,
    limit: Duration,
) -> Result<()> {
    let clients = addresses.iter().map(|a| Client::connect([a]).build());
    let clients = clients.collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    for key in history.keys() {
        while let Err(why) = look(history, key, &clients, replicas).await {
            if began.elapsed() > limit {
                bail!("{} s after the end of the load: {why:#}", limit.as_secs());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    Ok(())
}

/// A node answers a read of one replica from its own data if it is one.
async fn look(history: &History, key: &str, clients: &[Client], replicas: u32) -> Result<()> {
    let first = clients.first().context("no address to read at")?;
    let all = read(first, key, replicas).await?;
    if let Err(violation) = history.end_read(history.begin_read(key), &all) {
        bail!("{violation} from {replicas} replicas");
    }
    for (at, client) in clients.iter().enumerate() {
        let one = read(client, key, 1).await?;
        ensure!(
            one == all,
            "key {key}: all replicas hold {all:?}; one, read through address {at}, {one:?}"
        );
    }
    Ok(())
}

async fn read(client: &Client, key: &str, r: u32) -> Result<BTreeSet<WriteId>> {
    let reply = client.get(key.to_owned()).r(r).await;
    Ok(writes_in(&reply.with_context(|| format!("reading {key} from {r} replicas"))?))
}
