//! Requests that are too large to be read are refused in our own words.
//!
//! gRPC sees from a message's length that it is over the limit and refuses it before it is
//! in memory, with a status of its own. Here that becomes what a value just over the limit
//! gets: INVALID_ARGUMENT, the limit, and that nothing was stored.

use super::key_value::{NOT_APPLIED, OUTCOME, largest};
use crate::metrics::{Asked, Metrics};
use axum::{
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use dynamo_core::limits::Limits;
use std::sync::Arc;
use tonic::{Code, Status};

/// What the layer knows.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
}

/// The layer. It only ever touches answers that say OUT_OF_RANGE, which no service of ours
/// does by itself.
pub(crate) async fn own_words(
    State(bound): State<Bound>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default();
    let kind = match method {
        "Get" => "get",
        "Put" => "put",
        "Delete" => "delete",
        _ => return next.run(request).await,
    };
    let response = next.run(request).await;
    if !is_too_large(response.headers()) {
        return response;
    }
    let Limits { key, value } = bound.limits;
    let mut status = Status::invalid_argument(format!(
        "the request has more than {} bytes; the limit is {value} for a value and {key} for a key",
        largest(bound.limits)
    ));
    if kind != "get" {
        let word = tonic::metadata::MetadataValue::from_static(NOT_APPLIED);
        status.metadata_mut().insert(OUTCOME, word);
    }
    bound.metrics.requests.get_or_create(&Asked { kind, outcome: "invalid" }).inc();
    status.into_http()
}

/// An error that came before any answer has its status among the headers.
fn is_too_large(headers: &HeaderMap) -> bool {
    Status::from_header_map(headers).is_some_and(|s| s.code() == Code::OutOfRange)
}
