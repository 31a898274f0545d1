//! Requests as they are put together: await one to send it.

use crate::{
    Client, Context, Error, GetReply, Key, WriteReply, attempts::Purpose, client::key_value,
};
use bytes::Bytes;
use dynamo_proto::v1;
use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

/// What awaiting a request gives.
type Sent<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// What makes the retry of a write recognisable as one: 16 bytes that no other write has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// A fresh one.
    pub fn random() -> Self {
        RequestId(rand::random())
    }

    fn wire(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

/// A read that has not been sent yet.
#[derive(Clone, Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Get {
    client: Client,
    request: v1::GetRequest,
}

impl Get {
    pub(crate) fn new(client: Client, key: Key) -> Self {
        let request = v1::GetRequest { key: Some(key.wire()), ..Default::default() };
        Get { client, request }
    }

    /// R: how many must answer, primaries or nodes that stand in for them; the cluster's
    /// own setting if not said.
    pub fn r(mut self, r: u32) -> Self {
        self.request.r = r;
        self
    }

    /// PR: how many of them must be primaries; R is raised to it if it is less.
    pub fn pr(mut self, pr: u32) -> Self {
        self.request.pr = pr;
        self
    }

    /// No fallbacks, R+W>N, and nothing is returned but what W primaries hold: what a
    /// strict read has returned, or a strict write acknowledged, every later strict read
    /// shows.
    pub fn strict(mut self) -> Self {
        self.request.strict = true;
        self
    }
}

impl IntoFuture for Get {
    type Output = Result<GetReply, Error>;
    type IntoFuture = Sent<GetReply>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            check_key(self.request.key.as_ref())?;
            let send = |channel, timeout_ms| {
                let request = v1::GetRequest { timeout_ms, ..self.request.clone() };
                async move { key_value(channel).get(request).await }
            };
            self.client.call(Purpose::Read, send).await.map(GetReply::from)
        })
    }
}

/// A write of a value that has not been sent yet.
#[derive(Clone, Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Put {
    client: Client,
    request: v1::PutRequest,
}

impl Put {
    pub(crate) fn new(client: Client, key: Key, value: Bytes) -> Self {
        let key = Some(key.wire());
        let request_id = RequestId::random().wire();
        let request = v1::PutRequest { key, value, request_id, ..Default::default() };
        Put { client, request }
    }

    /// What this write has seen and replaces; without it, it is a blind write.
    pub fn context(mut self, context: &Context) -> Self {
        self.request.context = context.as_bytes().clone();
        self
    }

    /// W: how many must acknowledge, primaries or nodes that stand in for them; the
    /// cluster's own setting if not said.
    pub fn w(mut self, w: u32) -> Self {
        self.request.w = w;
        self
    }

    /// PW: how many of them must be primaries; W is raised to it if it is less.
    pub fn pw(mut self, pw: u32) -> Self {
        self.request.pw = pw;
        self
    }

    /// No fallbacks and R+W>N: every later strict read shows this write, or one that has
    /// seen it.
    pub fn strict(mut self) -> Self {
        self.request.strict = true;
        self
    }

    /// Names the write, for a program that wants to retry it itself. A call retries
    /// under one id of its own anyway.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request.request_id = id.wire();
        self
    }
}

impl IntoFuture for Put {
    type Output = Result<WriteReply, Error>;
    type IntoFuture = Sent<WriteReply>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            check_key(self.request.key.as_ref())?;
            let send = |channel, timeout_ms| {
                let request = v1::PutRequest { timeout_ms, ..self.request.clone() };
                async move { key_value(channel).put(request).await }
            };
            self.client.call(Purpose::Write, send).await.map(WriteReply::from)
        })
    }
}

/// A delete that has not been sent yet.
#[derive(Clone, Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Delete {
    client: Client,
    request: v1::DeleteRequest,
}

impl Delete {
    pub(crate) fn new(client: Client, key: Key) -> Self {
        let key = Some(key.wire());
        let request_id = RequestId::random().wire();
        let request = v1::DeleteRequest { key, request_id, ..Default::default() };
        Delete { client, request }
    }

    /// What this delete has seen and removes; versions that it has not seen stay.
    pub fn context(mut self, context: &Context) -> Self {
        self.request.context = context.as_bytes().clone();
        self
    }

    /// As [`Put::w`].
    pub fn w(mut self, w: u32) -> Self {
        self.request.w = w;
        self
    }

    /// As [`Put::pw`].
    pub fn pw(mut self, pw: u32) -> Self {
        self.request.pw = pw;
        self
    }

    /// As [`Put::strict`].
    pub fn strict(mut self) -> Self {
        self.request.strict = true;
        self
    }

    /// As [`Put::request_id`].
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request.request_id = id.wire();
        self
    }
}

impl IntoFuture for Delete {
    type Output = Result<WriteReply, Error>;
    type IntoFuture = Sent<WriteReply>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            check_key(self.request.key.as_ref())?;
            let send = |channel, timeout_ms| {
                let request = v1::DeleteRequest { timeout_ms, ..self.request.clone() };
                async move { key_value(channel).delete(request).await }
            };
            self.client.call(Purpose::Write, send).await.map(WriteReply::from)
        })
    }
}

/// What needs no node to be known as wrong.
fn check_key(key: Option<&v1::Key>) -> Result<(), Error> {
    if key.is_none_or(|key| key.partition.is_empty()) {
        let reason = "the key is empty; it needs at least 1 byte".to_owned();
        return Err(Error::InvalidRequest { reason });
    }
    Ok(())
}
