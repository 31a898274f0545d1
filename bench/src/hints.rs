//! `dynamo-bench hints`: what clients notice while hints are delivered (paper, sections 4.6
//! and 6.5).
//!
//! A ring of 5 nodes on disk, N=3, R=W=2. The same foreground, at a third of what the ring
//! takes, is measured four times: all nodes up; one ended and as many hints waiting for it
//! as asked for; the node started again, until it has all of them; and afterwards.

use crate::{
    closed::Closed,
    figures,
    fill::fill,
    ring::{Metrics, Place, Running, used_since, within},
    steady::Steady,
    values::Values,
};
use anyhow::{Result, ensure};
use clap::Args;
use dynamo_e2e::local_ring::until;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

const NODES: u16 = 5;

/// Which one is away: not a seed.
const AWAY: usize = 4;

/// Copies on disk: two primaries and a stand-in, and while hints are delivered their owner.
const COPIES: u64 = 4;

const KIND: &str = "hint";

/// How the most that the ring takes is found.
const MAXIMUM: Duration = Duration::from_secs(8);
const WARM_UP: Duration = Duration::from_secs(2);
const IN_FLIGHT: usize = 32;
const KEYS: u64 = 20_000;

/// The foreground's share of it.
const SHARE: u64 = 3;

/// Between two looks at how far delivery has come.
const LOOK: Duration = Duration::from_millis(250);

/// What to do.
#[derive(Args)]
pub(crate) struct Options {
    /// How many hints are to be delivered
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    hints: u64,
    /// How long to measure the foreground when all is quiet
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Requests of the foreground a second [default: a third of what the ring takes]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long delivery may take, in seconds
    #[arg(long, default_value_t = 3_600)]
    limit: u64,
    #[command(flatten)]
    place: Place,
}

/// Runs it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let (hints, values) = (options.hints, options.place.values());
    let quiet_for = Duration::from_secs(options.seconds);
    let mut running = options.place.start(NODES, hints, COPIES).await?;
    let maximum = maximum(&running, &values).await?;
    let rate = options.rate.unwrap_or(u32::try_from(maximum / SHARE)?.max(1));
    let numbers = running.numbers_of(AWAY, KIND, hints).await?;
    let mut servers = running.servers();
    servers.remove(AWAY);
    let mut steady = Steady::prepare(&servers, rate, &values).await?;

    running.settle().await?;
    eprintln!("all nodes up: {rate} requests/s");
    let all_up = quiet(&running, &mut steady, quiet_for).await?;
    running.end(AWAY).await?;
    eprintln!("one node ended: writing {hints} values that are its own");
    let began = Instant::now();
    fill(&servers, KIND, numbers.into(), &values).await?;
    let kept = keep(&running, hints).await?;
    eprintln!("{hints} hints kept after {:.0} s", began.elapsed().as_secs_f64());
    running.settle().await?;
    let one_down = quiet(&running, &mut steady, quiet_for).await?;
    let delivering = deliver(&mut running, &mut steady, &kept, options.limit).await?;
    let (left, differed) =
        (running.sum("hints_pending").await?, running.sum("merkle_keys_differed_total").await?);
    running.settle().await?;
    let afterwards = quiet(&running, &mut steady, quiet_for).await?;

    println!("{hints} hints of {} bytes, kept by {} nodes", values.size(), kept.len());
    println!("the ring takes {maximum} operations/s; foreground {rate}/s, half of it writes");
    figures::heading();
    figures::latencies("all nodes up", &all_up.latencies);
    figures::latencies("one down, hints waiting", &one_down.latencies);
    figures::latencies("hints being delivered", &delivering.latencies);
    figures::latencies("afterwards", &afterwards.latencies);
    let p99 = |phase: &Phase| figures::millis(&phase.latencies, 0.99);
    println!(
        "p99 during delivery       {:.2} times that of before, {:.2} times that of afterwards",
        p99(&delivering) / p99(&one_down),
        p99(&delivering) / p99(&afterwards)
    );
    report_delivery(&delivering, &afterwards, hints, &values);
    println!("keys found by comparisons {differed}; hints_pending afterwards: {left}");
    Ok(())
}

/// The most operations a second, half of them reads.
async fn maximum(running: &Running, values: &Values) -> Result<u64> {
    let closed = Closed {
        servers: running.servers(),
        reads: 50,
        values: values.clone(),
        keys: KEYS,
        concurrency: IN_FLIGHT,
    };
    let start = Instant::now() + WARM_UP;
    Ok(closed.run(start, start + MAXIMUM).await?.len() / MAXIMUM.as_secs())
}

/// How the foreground fared for a while, and what the nodes used.
struct Phase {
    latencies: Histogram<u64>,
    took: Duration,
    cpu: Vec<(String, Duration)>,
}

async fn quiet(running: &Running, steady: &mut Steady, lasting: Duration) -> Result<Phase> {
    let (before, began) = (running.cpu()?, Instant::now());
    let sleep = async {
        tokio::time::sleep(lasting).await;
        Ok(())
    };
    let ((), latencies) = steady.run(sleep).await?;
    Ok(Phase { latencies, took: began.elapsed(), cpu: used_since(&before, &running.cpu()?) })
}

/// Waits until every write is kept for the node that is away, and returns how many each
/// node keeps.
async fn keep(running: &Running, hints: u64) -> Result<Vec<u64>> {
    until("the nodes to keep a hint of every write", Duration::from_secs(60), async || {
        let mut kept = Vec::new();
        for node in running.up() {
            kept.push(Metrics::of(node).await?.get("hints_stored_total")?);
        }
        Ok((kept.iter().sum::<u64>() >= hints).then_some(kept))
    })
    .await
}

/// Starts the node that is away and measures until it has all that was kept for it: a node
/// counts what it has delivered when it finds nothing more to deliver.
async fn deliver(
    running: &mut Running,
    steady: &mut Steady,
    kept: &[u64],
    limit: u64,
) -> Result<Phase> {
    let (before, began) = (running.cpu()?, Instant::now());
    running.ring.node_mut(AWAY).spawn()?;
    let nodes = running.ring.nodes();
    let delivered = async {
        let mut told = Instant::now();
        loop {
            let (mut done, mut pending) = (true, 0);
            for (node, kept) in nodes.iter().zip(kept) {
                let metrics = Metrics::of(node).await?;
                done &= metrics.get("hints_delivered_total")? >= *kept;
                pending += metrics.get("hints_pending")?;
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                eprintln!("{:5.0} s: {pending} hints left", began.elapsed().as_secs_f64());
            }
            if done {
                return Ok(began.elapsed());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let limit = Duration::from_secs(limit);
    let (took, latencies) = steady.run(within("the hints' delivery", limit, delivered)).await?;
    running.ring.fail_if_one_ended()?;
    ensure!(!latencies.is_empty(), "delivery was over before a request ended");
    Ok(Phase { latencies, took, cpu: used_since(&before, &running.cpu()?) })
}

fn report_delivery(delivering: &Phase, afterwards: &Phase, hints: u64, values: &Values) {
    let seconds = delivering.took.as_secs_f64();
    println!(
        "delivered in              {seconds:.1} s: {:.0} hints/s, {:.1} MB/s",
        hints as f64 / seconds,
        figures::speed(hints * values.size() as u64, delivering.took)
    );
    figures::cpu("CPU", &delivering.cpu);
    // What the foreground alone would have used in that time.
    let share = seconds / afterwards.took.as_secs_f64();
    let foreground = figures::total(&afterwards.cpu).mul_f64(share);
    let more = figures::total(&delivering.cpu).saturating_sub(foreground);
    println!(
        "of that for delivery      {:.1} s, {:.0} µs per hint, all nodes together",
        more.as_secs_f64(),
        more.as_micros() as f64 / hints as f64
    );
}
