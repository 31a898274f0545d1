//! `dynamo-bench repair`: how long a replica that has lost its disk takes to be whole
//! again by anti-entropy (paper, section 4.7), beside what it takes to copy a replica's
//! files and to write as much into one file.
//!
//! A ring of 3 nodes on disk, each of which holds every key. Nobody writes meanwhile.

use crate::{
    connections, disk, figures,
    fill::fill,
    ring::{Metrics, Place, Running, used_since, within},
    values::{Values, key},
};
use anyhow::{Context, Result, ensure};
use clap::Args;
use dynamo_proto::v1::GetRequest;
use std::{
    fs,
    time::{Duration, Instant},
};

const NODES: u16 = 3;

/// Which one loses its disk.
const WIPED: usize = 2;

/// Copies on disk: three replicas, one more of a replica's files, one in one file.
const COPIES: u64 = 5;

const KIND: &str = "key";

/// How many keys are read back from the repaired replica alone.
const SAMPLE: u64 = 1_000;

/// Between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(50);

/// What to do.
#[derive(Args)]
pub(crate) struct Options {
    /// How many keys the replica has lost
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// How long repair may take, in seconds
    #[arg(long, default_value_t = 3_600)]
    limit: u64,
    #[command(flatten)]
    place: Place,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let (keys, values) = (options.keys, options.place.values());
    let mut running = options.place.start(NODES, keys, COPIES).await?;
    let servers = running.servers();
    eprintln!("writing {keys} values");
    fill(&servers, KIND, (0..keys).collect(), &values).await?;
    running.settle().await?;

    running.end(WIPED).await?;
    let data = running.ring.nodes()[WIPED].data().to_owned();
    // What a new disk is: the node still knows who it is, and that it had a store.
    fs::remove_dir_all(data.join("store")).context("wiping the store")?;
    let (before, sent_before) = (running.cpu()?, Sent::by(&running).await?);
    let began = Instant::now();
    running.ring.node_mut(WIPED).spawn()?;
    eprintln!("a node is back without its store");
    let limit = Duration::from_secs(options.limit);
    let watched = watch(&mut running, began);
    let progress = within("the replica to be repaired", limit, watched).await?;
    let cpu = used_since(&before, &running.cpu()?);
    let sent = Sent::by(&running).await?;

    let nodes = running.ring.nodes();
    for at in (0..nodes.len()).filter(|at| *at != WIPED) {
        running.ring.node_mut(at).terminate();
        running.ring.node_mut(at).wait(Duration::from_secs(10)).await?;
    }
    read_back(&servers[WIPED], keys, &values).await?;
    running.ring.stop(Duration::from_secs(10)).await;
    let store = running.ring.nodes()[0].data().join("store");
    let bytes = disk::bytes_in(&store)?;
    let copy = disk::copy(&store, &running.dir.path().join("copy"))?;
    let write = disk::write(&running.dir.path().join("file"), keys, &values)?;

    let (size, held) = (values.size(), progress.held);
    println!("{keys} keys of {size} bytes lost; the replica holds {held} again, roughly");
    println!("first key repaired after  {:.1} s", progress.first.as_secs_f64());
    println!("last key repaired after   {:.1} s", progress.last.as_secs_f64());
    println!("known to be whole after   {:.1} s", progress.known.as_secs_f64());
    let stored = keys * size as u64;
    let repairing = progress.last.saturating_sub(progress.first);
    println!("repair                    {:.1} MB/s", figures::speed(stored, repairing));
    println!(
        "copy of a replica's files {:.1} MB/s ({:.1} s for {} MB)",
        figures::speed(bytes, copy),
        copy.as_secs_f64(),
        bytes / 1_000_000
    );
    println!("one file of the values    {:.1} MB/s", figures::speed(stored, write));
    println!(
        "repair takes              {:.1} times as long as the copy",
        progress.last.as_secs_f64() / copy.as_secs_f64()
    );
    figures::cpu("CPU", &cpu);
    let per_key = figures::total(&cpu).as_micros() as f64 / keys as f64;
    println!("                          {per_key:.0} µs per key, all nodes together");
    let per_key = |before: u64, after: u64| after.saturating_sub(before) as f64 / keys as f64;
    println!(
        "per lost key              found {:.2} times, {:.1} messages in {:.2} frames",
        per_key(sent_before.found, sent.found),
        per_key(sent_before.messages, sent.messages),
        per_key(sent_before.frames, sent.frames)
    );
    Ok(())
}

/// How it went, from the node's start. Nodes renew what they tell once a second.
struct Progress {
    first: Duration,
    last: Duration,
    known: Duration,
    held: u64,
}

/// Watches until the node's tree is that of both others: until it has compared itself with
/// each of them and no key differed.
async fn watch(running: &mut Running, began: Instant) -> Result<Progress> {
    let (mut first, mut last, mut held) = (None, Duration::ZERO, 0);
    let (mut differed, mut since, mut told) = (0, 0, Duration::ZERO);
    loop {
        running.ring.fail_if_one_ended()?;
        tokio::time::sleep(LOOK).await;
        // It may not serve yet.
        let Ok(own) = Metrics::of(&running.ring.nodes()[WIPED]).await else { continue };
        let (keys, now) = (own.get("keys_estimate")?, began.elapsed());
        if keys > held {
            first.get_or_insert(now);
            (held, last) = (keys, now);
        }
        let compared = own.get("merkle_comparisons_total")?;
        let differing = own.get("merkle_keys_differed_total")?;
        if differing != differed {
            (differed, since) = (differing, compared);
        }
        if let Some(first) = first
            && compared >= since + u64::from(NODES) - 1
        {
            return Ok(Progress { first, last, known: now, held });
        }
        if now > told + Duration::from_secs(5) {
            told = now;
            eprintln!("{:5.0} s: {keys} keys, {compared} comparisons", now.as_secs_f64());
        }
    }
}

/// What the running nodes have sent each other since they started, and how many keys their
/// comparisons have found to differ.
struct Sent {
    messages: u64,
    frames: u64,
    found: u64,
}

impl Sent {
    async fn by(running: &Running) -> Result<Self> {
        Ok(Sent {
            messages: running.sum("peer_messages_total{direction=\"out\"}").await?,
            frames: running.sum("peer_frames_total{direction=\"out\"}").await?,
            found: running.sum("merkle_keys_differed_total").await?,
        })
    }
}

/// Reads some keys from the one node that runs.
async fn read_back(server: &str, keys: u64, values: &Values) -> Result<()> {
    let mut client = connections::open(&[server.to_owned()]).await?.remove(0);
    let step = usize::try_from(keys.div_ceil(SAMPLE))?;
    for number in (0..keys).step_by(step) {
        let request = GetRequest { key: Some(key(KIND, number)), r: 1, ..Default::default() };
        let read = client.get(request).await;
        let read = read.with_context(|| format!("reading {KIND}/{number} back"))?.into_inner();
        let found: Vec<_> = read.siblings.iter().map(|s| s.value.clone()).collect();
        ensure!(found == [values.of(number)], "{KIND}/{number} was not repaired as it was");
    }
    Ok(())
}
