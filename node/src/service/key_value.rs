//! Get, Put and Delete for users: limits and contexts are checked here, before a
//! request reaches the core; refusals become gRPC statuses, as kv.proto promises.

use super::not_taken;
use crate::{
    driver::{Event, Mailbox},
    metrics::{Asked, Kind, Metrics},
};
use bytes::Bytes;
use dynamo_core::{
    id::RequestId,
    key::Key,
    limits::Limits,
    request::{
        Command, DEFAULT_TIMEOUT, Got, Outcome, Refusal, Reply, Request, Wanted, WriteCommand,
        Written,
    },
    ring::Seal,
    version::Context,
};
use dynamo_proto::{
    context,
    v1::{
        self, Acknowledgements, DeleteRequest, DeleteResponse, GetRequest, GetResponse, PutRequest,
        PutResponse,
        key_value_server::{KeyValue, KeyValueServer},
    },
};
use std::{sync::Arc, time::Duration, time::Instant};
use tokio::sync::oneshot;
use tonic::{Code, Response, Status};

/// The trailer in which a failed write says what it has done.
pub(super) const OUTCOME: &str = "dynamo-outcome";
pub(super) const NOT_APPLIED: &str = "not-applied";

/// What a request may hold besides key and value: a context, names of fields. Also how
/// far over the limit a value may be and still be read and refused with its size; see
/// [`oversize`](super::oversize) for what is beyond.
const ROOM: usize = 4 << 20;

/// The largest request that is read, in bytes.
pub(super) fn largest(limits: Limits) -> usize {
    limits.key + limits.value + ROOM
}

/// The service behind the client port.
pub(crate) struct Store {
    pub(crate) mailbox: Mailbox,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
}

/// A write before its checks.
struct Unchecked {
    key: Option<v1::Key>,
    value: Option<Bytes>,
    context: Bytes,
    request: Bytes,
    wanted: Wanted,
    timeout_ms: u32,
}

impl Store {
    pub(crate) fn server(self) -> KeyValueServer<Self> {
        let limit = largest(self.limits);
        KeyValueServer::new(self).max_decoding_message_size(limit)
    }

    async fn read(&self, asked: GetRequest) -> Result<GetResponse, Status> {
        let key = self.key(asked.key)?;
        let request = Request {
            key: key.clone(),
            command: Command::Get,
            wanted: wanted(asked.r, asked.pr, asked.strict),
            timeout: timeout(asked.timeout_ms),
        };
        match self.ask(request).await? {
            Some(Reply::Got(got)) => self.got(&key, got),
            Some(Reply::Refused(refusal)) => Err(refused(&refusal)),
            Some(Reply::Written(_)) | None => Err(Status::unavailable("this node has stopped")),
        }
    }

    async fn write(&self, asked: Unchecked) -> Result<(Bytes, Written), Status> {
        let kind = if asked.value.is_some() { "put" } else { "delete" };
        let (key, request) = self.check(asked).map_err(|s| with(s, Outcome::NotApplied))?;
        match self.ask(request).await.map_err(|s| with(s, Outcome::NotApplied))? {
            Some(Reply::Written(written)) => {
                if written.acks.fallbacks > 0 {
                    self.metrics.answered_by_fallbacks(kind);
                }
                match &written.context {
                    Some(seen) => Ok((context::seal(&self.seal()?, &key, seen), written)),
                    None => Ok((Bytes::new(), written)),
                }
            }
            Some(Reply::Refused(refusal)) => Err(with(refused(&refusal), refusal.outcome())),
            Some(Reply::Got(_)) | None => {
                let status = Status::unknown("this node has stopped before the write was done");
                Err(with(status, Outcome::Indeterminate))
            }
        }
    }

    fn check(&self, asked: Unchecked) -> Result<(Key, Request), Status> {
        let key = self.key(asked.key)?;
        if let Some(value) = &asked.value {
            self.limits.check_value(value).map_err(invalid)?;
        }
        let id = <[u8; 16]>::try_from(&asked.request[..]).map_err(|_| {
            invalid(format!("the request id has {} bytes, not 16", asked.request.len()))
        })?;
        let context = match asked.context.is_empty() {
            true => Context::default(),
            false => context::open(&self.seal()?, &key, &asked.context).map_err(invalid)?,
        };
        let request = Request {
            key: key.clone(),
            command: Command::Write(WriteCommand {
                request: RequestId(id),
                context,
                value: asked.value,
            }),
            wanted: asked.wanted,
            timeout: timeout(asked.timeout_ms),
        };
        Ok((key, request))
    }

    fn key(&self, key: Option<v1::Key>) -> Result<Key, Status> {
        let key = Key::try_from(key.unwrap_or_default()).map_err(invalid)?;
        self.limits.check_key(&key).map_err(invalid)?;
        Ok(key)
    }

    /// Without a ring there is nothing that could have been sealed.
    fn seal(&self) -> Result<Seal, Status> {
        let published = self.mailbox.published();
        let ring = published.view.ring.as_ref();
        ring.map(|r| *r.seal()).ok_or_else(|| refused(&Refusal::NoRing))
    }

    /// `None` if the driver ended before it answered.
    async fn ask(&self, request: Request) -> Result<Option<Reply>, Status> {
        let (reply, answer) = oneshot::channel();
        self.mailbox.try_send(Event::Request(request, reply)).map_err(not_taken)?;
        Ok(answer.await.ok())
    }

    fn got(&self, key: &Key, got: Got) -> Result<GetResponse, Status> {
        if got.fallbacks > 0 {
            self.metrics.answered_by_fallbacks("get");
        }
        let context = match got.context.is_empty() {
            true => Bytes::new(),
            false => context::seal(&self.seal()?, key, &got.context),
        };
        let value = |v: dynamo_core::version::Version| {
            Some(v1::Value { value: v.value?, written_ms: v.stamp.0 })
        };
        Ok(GetResponse {
            siblings: got.siblings.into_iter().filter_map(value).collect(),
            context,
            primaries: count(got.primaries),
            fallbacks: count(got.fallbacks),
            coordinator: got.coordinator.to_string(),
        })
    }

    /// Counts a request that has ended.
    fn count<T>(
        &self,
        kind: &'static str,
        began: Instant,
        result: Result<T, Status>,
    ) -> Result<Response<T>, Status> {
        let outcome = result.as_ref().map_or_else(|s| name(s.code()), |_| "ok");
        self.metrics.requests.get_or_create(&Asked { kind, outcome }).inc();
        let took = began.elapsed().as_secs_f64();
        self.metrics.request_seconds.get_or_create(&Kind { kind }).observe(took);
        result.map(Response::new)
    }
}

#[tonic::async_trait]
impl KeyValue for Store {
    async fn get(
        &self,
        asked: tonic::Request<GetRequest>,
    ) -> Result<Response<GetResponse>, Status> {
        let began = Instant::now();
        let result = self.read(asked.into_inner()).await;
        self.count("get", began, result)
    }

    async fn put(
        &self,
        asked: tonic::Request<PutRequest>,
    ) -> Result<Response<PutResponse>, Status> {
        let began = Instant::now();
        let PutRequest { key, value, context, request_id: request, w, pw, strict, timeout_ms } =
            asked.into_inner();
        let (value, wanted) = (Some(value), wanted(w, pw, strict));
        let write = Unchecked { key, value, context, request, wanted, timeout_ms };
        let result = self.write(write).await.map(|(context, written)| PutResponse {
            context,
            acknowledgements: Some(acknowledgements(&written)),
            coordinator: written.coordinator.to_string(),
            siblings: count(written.siblings),
        });
        self.count("put", began, result)
    }

    async fn delete(
        &self,
        asked: tonic::Request<DeleteRequest>,
    ) -> Result<Response<DeleteResponse>, Status> {
        let began = Instant::now();
        let DeleteRequest { key, context, request_id: request, w, pw, strict, timeout_ms } =
            asked.into_inner();
        let (value, wanted) = (None, wanted(w, pw, strict));
        let write = Unchecked { key, value, context, request, wanted, timeout_ms };
        let result = self.write(write).await.map(|(context, written)| DeleteResponse {
            context,
            acknowledgements: Some(acknowledgements(&written)),
            coordinator: written.coordinator.to_string(),
            siblings: count(written.siblings),
        });
        self.count("delete", began, result)
    }
}

fn acknowledgements(written: &Written) -> Acknowledgements {
    Acknowledgements {
        primaries: count(written.acks.primaries),
        fallbacks: count(written.acks.fallbacks),
        durable: count(written.acks.durable),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A total of 0 stands for the default of the cluster.
fn wanted(total: u32, primaries: u32, strict: bool) -> Wanted {
    let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
    Wanted { total: (total != 0).then(|| number(total)), primaries: number(primaries), strict }
}

/// 0 stands for the default of the node. The core cuts what is over its longest.
fn timeout(ms: u32) -> Duration {
    if ms == 0 { DEFAULT_TIMEOUT } else { Duration::from_millis(ms.into()) }
}

fn invalid(why: impl ToString) -> Status {
    Status::invalid_argument(why.to_string())
}

fn refused(refusal: &Refusal) -> Status {
    let code = match refusal {
        Refusal::QuorumTooLarge { .. } | Refusal::NotStrict { .. } => Code::InvalidArgument,
        Refusal::NoRing | Refusal::TooManySiblings { .. } => Code::FailedPrecondition,
        Refusal::Unavailable { .. }
        | Refusal::PrimariesUnavailable { .. }
        | Refusal::Stopping
        | Refusal::Storage
        | Refusal::NotAReplica => Code::Unavailable,
        Refusal::Overloaded { .. } => Code::ResourceExhausted,
        Refusal::TimedOut { .. } | Refusal::Indeterminate { .. } => Code::DeadlineExceeded,
    };
    Status::new(code, refusal.to_string())
}

fn with(mut status: Status, outcome: Outcome) -> Status {
    let word = match outcome {
        Outcome::NotApplied => NOT_APPLIED,
        Outcome::Indeterminate => "indeterminate",
    };
    status.metadata_mut().insert(OUTCOME, tonic::metadata::MetadataValue::from_static(word));
    status
}

/// For the label of a metric.
fn name(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "invalid",
        Code::FailedPrecondition => "precondition",
        Code::Unavailable => "unavailable",
        Code::ResourceExhausted => "overloaded",
        Code::DeadlineExceeded => "timed_out",
        _ => "unknown",
    }
}
