//! The client: one call is a few attempts, spread over the nodes it knows, within one
//! time-out.
//!
//! A node that failed is left for the next one, also by later calls; the nodes are
//! tried in turn with growing, jittered pauses. What an attempt may have done to a
//! write is never forgotten: the call ends as *indeterminate* unless every attempt is
//! known not to have been applied, or one succeeded.

use crate::{
    Builder, Delete, Error, Get, Key, Put,
    attempts::{Attempts, Purpose},
    endpoint::Endpoint,
    failure::Failure,
};
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use dynamo_proto::v1::{self, admin_client::AdminClient, key_value_client::KeyValueClient};
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tonic::{Response, Status, transport::Channel};

/// The largest answer that is taken, in bytes: many siblings of the largest size.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;

/// With less time left than this another attempt would only hide the last error.
const MIN_ATTEMPT: Duration = Duration::from_millis(50);

/// The pauses between attempts: 10 ms, doubling up to half a second, each up to doubled
/// again by chance so that clients that failed together do not return together.
const PAUSES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(10))
    .with_max_delay(Duration::from_millis(500))
    .without_max_times()
    .with_jitter();

/// A client of one cluster. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoints: Vec<Endpoint>,
    /// Counts up whenever an endpoint is left; modulo their number it is the next to use.
    turn: AtomicUsize,
    timeout: Duration,
    attempt_timeout: Duration,
}

impl Client {
    /// A client of the nodes at these addresses (HOST:PORT of their client ports), any
    /// of which will do. Nothing is connected until the first call.
    pub fn connect<A: Into<String>>(endpoints: impl IntoIterator<Item = A>) -> Builder {
        Builder::new(endpoints.into_iter().map(Into::into).collect())
    }

    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        timeout: Duration,
        attempt_timeout: Duration,
    ) -> Self {
        let turn = AtomicUsize::new(0);
        Client { shared: Arc::new(Shared { endpoints, turn, timeout, attempt_timeout }) }
    }

    /// Reads a key: await the result, or set options first.
    pub fn get(&self, key: impl Into<Key>) -> Get {
        Get::new(self.clone(), key.into())
    }

    /// Writes a key: await the result, or set options first.
    pub fn put(&self, key: impl Into<Key>, value: impl Into<Bytes>) -> Put {
        Put::new(self.clone(), key.into(), value.into())
    }

    /// Deletes a key: await the result, or set options first.
    pub fn delete(&self, key: impl Into<Key>) -> Delete {
        Delete::new(self.clone(), key.into())
    }

    /// The cluster as one node sees it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn status(&self) -> Result<v1::StatusResponse, Error> {
        let send = |channel, _| async move { admin(channel).status(v1::StatusRequest {}).await };
        self.call(Purpose::Read, send).await
    }

    /// The ring as one node holds it.
    ///
    /// # Errors
    /// Those of a read; [`Error::Refused`] while there is no ring.
    pub async fn ring(&self) -> Result<v1::RingResponse, Error> {
        let send = |channel, _| async move { admin(channel).ring(v1::RingRequest {}).await };
        self.call(Purpose::Read, send).await
    }

    /// Attempts until one succeeds, none can, or the time is over. `send` gets the time
    /// in milliseconds that the node may take.
    pub(crate) async fn call<R, F>(
        &self,
        purpose: Purpose,
        send: impl Fn(Channel, u32) -> F,
    ) -> Result<R, Error>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let shared = &*self.shared;
        let mut attempts = Attempts::new(purpose);
        let mut pauses = PAUSES.build();
        loop {
            let turn = shared.turn.load(Ordering::Relaxed);
            let endpoint = &shared.endpoints[turn % shared.endpoints.len()];
            let left = shared.timeout.saturating_sub(attempts.began.elapsed());
            let limit = left.min(shared.attempt_timeout);
            let attempt = send(endpoint.channel(), node_timeout_ms(limit));
            let failure = match tokio::time::timeout(limit, attempt).await {
                Ok(Ok(reply)) => return Ok(reply.into_inner()),
                Ok(Err(status)) => Failure::of(status),
                Err(_) => Failure::Silent(limit),
            };
            let retry = failure.retry();
            attempts.note(failure, endpoint.address());
            let pause = pauses.next().unwrap_or_default();
            let over = attempts.began.elapsed() + pause + MIN_ATTEMPT > shared.timeout;
            if over || !retry {
                return Err(attempts.error(|| shared.addresses()));
            }
            shared.leave(turn);
            tokio::time::sleep(pause).await;
        }
    }
}

impl Shared {
    /// Turns to the next endpoint, unless another call has done so meanwhile.
    fn leave(&self, turn: usize) {
        let next = turn.wrapping_add(1);
        let _ = self.turn.compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn addresses(&self) -> String {
        self.endpoints.iter().map(Endpoint::address).collect::<Vec<_>>().join(", ")
    }
}

/// What a node is told it may take: a tenth less than what the client waits, so that
/// the node's own answer, which knows more than silence does, arrives first.
fn node_timeout_ms(limit: Duration) -> u32 {
    u32::try_from((limit * 9 / 10).as_millis()).unwrap_or(u32::MAX).max(1)
}

/// The stub that user requests go through.
pub(crate) fn key_value(channel: Channel) -> KeyValueClient<Channel> {
    KeyValueClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}

fn admin(channel: Channel) -> AdminClient<Channel> {
    AdminClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES)
}
