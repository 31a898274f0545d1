//! A foreground that does not wait for the ring: an open loop, so many requests a second
//! whatever became of those before. A latency counts from when its request was due, so a
//! ring that stands still for a moment is not spared the requests of that moment.
//!
//! Half are reads, half are writes that replace what was written before. A key is used
//! again only after all others, so no two requests of one key are under way together.

use crate::{
    connections::{self, TIMEOUT_MS},
    fill::{fill, request_id},
    values::{Values, key},
};
use anyhow::{Context, Result};
use bytes::Bytes;
use dynamo_proto::v1::{GetRequest, PutRequest, key_value_client::KeyValueClient};
use hdrhistogram::Histogram;
use std::{
    collections::VecDeque,
    future::Future,
    thread,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};
use tonic::transport::Channel;

/// Keys, and so the most requests that may be due and not answered. Were it more, the
/// ring would not keep up, and no latency would mean anything.
const KEYS: u64 = 20_000;

const KIND: &str = "steady";

/// The foreground, to be run as often as one likes.
pub(crate) struct Steady {
    clients: Vec<KeyValueClient<Channel>>,
    values: Values,
    rate: u32,
    idle: VecDeque<Slot>,
}

/// A key and the context of its last write.
struct Slot {
    number: u64,
    context: Bytes,
}

impl Steady {
    /// Writes its keys once. It will send so many requests a second to these servers in turn.
    pub(crate) async fn prepare(servers: &[String], rate: u32, values: &Values) -> Result<Self> {
        let contexts = fill(servers, KIND, (0..KEYS).collect(), values).await?;
        let slot = |(number, context)| Slot { number, context };
        let idle = (0..).zip(contexts).map(slot).collect();
        let clients = connections::open(servers).await?;
        Ok(Steady { clients, values: values.clone(), rate, idle })
    }

    /// Runs until that future ends, and returns its output and the latencies in
    /// microseconds. The first error ends it.
    pub(crate) async fn run<T>(
        &mut self,
        until: impl Future<Output = Result<T>>,
    ) -> Result<(T, Histogram<u64>)> {
        tokio::pin!(until);
        let mut due = pace(self.rate);
        let mut under_way = JoinSet::new();
        let mut latencies = Histogram::new(3)?;
        let mut turn = 0;
        let output = loop {
            tokio::select! {
                output = &mut until => break output?,
                Some(at) = due.recv() => {
                    turn += 1;
                    under_way.spawn(self.request(turn, at)?);
                }
                Some(ended) = under_way.join_next() => self.ended(ended?, &mut latencies)?,
            }
        };
        while let Some(ended) = under_way.join_next().await {
            self.ended(ended?, &mut latencies)?;
        }
        Ok((output, latencies))
    }

    /// The next request, due at that time; the future is its whole life.
    fn request(
        &mut self,
        turn: usize,
        due: Instant,
    ) -> Result<impl Future<Output = Result<(Slot, Duration)>> + use<>> {
        let slot = self.idle.pop_front();
        let mut slot = slot.with_context(|| {
            let rate = self.rate;
            format!("the ring does not keep up: {KEYS} requests wait at {rate} a second")
        })?;
        let mut client = self.clients[turn % self.clients.len()].clone();
        // Both kinds go to every server, whether their number is odd or even.
        let reads = (turn / self.clients.len()).is_multiple_of(2);
        let value = self.values.of(turn as u64);
        Ok(async move {
            let (key, timeout_ms) = (Some(key(KIND, slot.number)), TIMEOUT_MS);
            let what = || format!("{KIND}/{}, {}", slot.number, if reads { "get" } else { "put" });
            if reads {
                let request = GetRequest { key, timeout_ms, ..Default::default() };
                client.get(request).await.with_context(what)?;
            } else {
                let context = slot.context.clone();
                let request_id = request_id();
                let request = PutRequest {
                    key,
                    value,
                    context,
                    request_id,
                    timeout_ms,
                    ..Default::default()
                };
                slot.context = client.put(request).await.with_context(what)?.into_inner().context;
            }
            Ok((slot, due.elapsed()))
        })
    }

    fn ended(
        &mut self,
        ended: Result<(Slot, Duration)>,
        latencies: &mut Histogram<u64>,
    ) -> Result<()> {
        let (slot, took) = ended?;
        self.idle.push_back(slot);
        latencies.record(u64::try_from(took.as_micros())?)?;
        Ok(())
    }
}

/// When requests are due. A thread of its own sleeps more exactly than the runtime does.
fn pace(rate: u32) -> UnboundedReceiver<Instant> {
    let (sender, receiver) = unbounded_channel();
    thread::spawn(move || {
        let began = Instant::now();
        for n in 0_u32.. {
            let at = began + Duration::from_secs_f64(f64::from(n) / f64::from(rate));
            thread::sleep(at.saturating_duration_since(Instant::now()));
            // Nobody listens: the run has ended.
            if sender.send(at).is_err() {
                break;
            }
        }
    });
    receiver
}
