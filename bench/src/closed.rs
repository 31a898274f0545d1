//! A closed loop: so many requests in flight, each a unary call after the last one ended.
//! The first error ends it, for a store that refuses is fast.

use crate::{
    connections::{self, TIMEOUT_MS},
    values::Values,
};
use anyhow::Result;
use bytes::Bytes;
use dynamo_proto::v1::{GetRequest, Key, PutRequest, key_value_client::KeyValueClient};
use hdrhistogram::Histogram;
use rand::RngExt;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tonic::transport::Channel;

/// What is sent.
pub(crate) struct Closed {
    pub(crate) servers: Vec<String>,
    /// In per cent.
    pub(crate) reads: u32,
    pub(crate) values: Values,
    /// Of all workers together.
    pub(crate) keys: u64,
    pub(crate) concurrency: usize,
}

impl Closed {
    /// Runs it until `end` and returns the latencies, in microseconds, of what ended
    /// after `start`. The first error ends it.
    pub(crate) async fn run(self, start: Instant, end: Instant) -> Result<Histogram<u64>> {
        let clients = connections::open(&self.servers).await?;
        // Fresh keys in every run, so that a first write without context has no siblings.
        let run: u64 = rand::rng().random();
        let mut workers = tokio::task::JoinSet::new();
        for n in 0..self.concurrency {
            let worker = Worker {
                client: clients[n % clients.len()].clone(),
                name: format!("{run:016x}/{n}"),
                keys: (self.keys / self.concurrency.max(1) as u64).max(1),
                contexts: HashMap::new(),
                values: self.values.clone(),
                reads: self.reads,
            };
            workers.spawn(worker.work(start, end));
        }
        let mut all = Histogram::new(3)?;
        while let Some(latencies) = workers.join_next().await {
            all.add(latencies??)?;
        }
        Ok(all)
    }
}

/// One request in flight, over keys that nobody else writes.
struct Worker {
    client: KeyValueClient<Channel>,
    name: String,
    keys: u64,
    /// Of the last write of each key, so that every write replaces the one before.
    contexts: HashMap<u64, Bytes>,
    values: Values,
    reads: u32,
}

impl Worker {
    async fn work(mut self, start: Instant, end: Instant) -> Result<Histogram<u64>> {
        let mut latencies = Histogram::new(3)?;
        while Instant::now() < end {
            let (key, read) = {
                let mut rng = rand::rng();
                (rng.random_range(0..self.keys), rng.random_range(0..100) < self.reads)
            };
            let began = Instant::now();
            if read { self.get(key).await } else { self.put(key).await }?;
            if began >= start {
                let took: Duration = began.elapsed();
                latencies.record(u64::try_from(took.as_micros())?)?;
            }
        }
        Ok(latencies)
    }

    async fn get(&mut self, key: u64) -> Result<()> {
        let key = self.key(key);
        self.client.get(GetRequest { key, timeout_ms: TIMEOUT_MS, ..Default::default() }).await?;
        Ok(())
    }

    async fn put(&mut self, key: u64) -> Result<()> {
        let request = PutRequest {
            key: self.key(key),
            value: self.values.of(key),
            context: self.contexts.get(&key).cloned().unwrap_or_default(),
            request_id: Bytes::copy_from_slice(&rand::rng().random::<[u8; 16]>()),
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        let written = self.client.put(request).await?.into_inner();
        self.contexts.insert(key, written.context);
        Ok(())
    }

    fn key(&self, key: u64) -> Option<Key> {
        let partition = Bytes::from(format!("{}/{key}", self.name));
        Some(Key { partition, sort: Bytes::new() })
    }
}
