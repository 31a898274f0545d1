//! What `make run` does, from the first node to the last line.

use crate::{args::Args, load, report, tree::Files};
use anyhow::Result;
use dynamo_client::Client;
use dynamo_e2e::local_ring::{LocalRing, client_of};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// The node that is killed...
const KILLED: usize = 2;

/// ...and the one through which everything is read afterwards.
const READER: usize = 3;

/// Runs all phases. `done` becomes true when all went well and the ring only stays up.
pub(crate) async fn run(
    ring: &mut LocalRing,
    files: &Files,
    args: &Args,
    done: &mut bool,
) -> Result<()> {
    let ended = try_out(ring, files).await;
    // A node that ended by itself explains more than the request that failed by it.
    ring.fail_if_one_ended()?;
    ended?;
    *done = true;
    if args.once {
        return Ok(());
    }
    report::how_to_try(ring)?;
    std::future::pending().await
}

async fn try_out(ring: &mut LocalRing, files: &Files) -> Result<()> {
    println!("starting {} nodes on 127.0.0.1", ring.nodes().len());
    let began = Instant::now();
    ring.start().await?;
    let names = names(ring).await?;
    report::ring(&ring.nodes()[0].client().status().await?, began.elapsed());

    let stored: Arc<[_]> = files.files.clone().into();
    let writes = load::store(&stored, &clients(ring)?).await?;
    report::stored(files, &writes, &names);

    let killed = ring.node_mut(KILLED);
    let pid = killed.pid().unwrap_or_default();
    killed.kill()?;
    println!("killed {} (process {pid}) with SIGKILL", ring.nodes()[KILLED].name());

    let reader = &ring.nodes()[READER];
    let reads = load::read_back(&stored, &reader.client()).await?;
    report::read_back(reader.name(), &reads, &names);
    Ok(())
}

/// One client for each node, which turns to the others if it must.
fn clients(ring: &LocalRing) -> Result<Vec<Client>> {
    let nodes = ring.nodes();
    let from = |at: usize| client_of(nodes[at..].iter().chain(&nodes[..at]));
    (0..nodes.len()).map(from).collect()
}

/// What people call the nodes, by their ids.
async fn names(ring: &LocalRing) -> Result<BTreeMap<String, String>> {
    let status = ring.nodes()[0].client().status().await?;
    Ok(status.members.into_iter().map(|m| (m.node_id, m.name)).collect())
}
