//! HTTP for probes and for Prometheus.

use crate::{driver::Mailbox, metrics::Metrics};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::Arc;

/// What Prometheus expects to be told about its own format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Watched {
    mailbox: Mailbox,
    metrics: Arc<Metrics>,
}

/// The pages.
pub(crate) fn router(mailbox: Mailbox, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(text))
        .with_state(Watched { mailbox, metrics })
}

/// Alive is a node whose own driver turns, whatever the others do: to restart it for
/// anything else would only make things worse.
async fn healthz(State(watched): State<Watched>) -> (StatusCode, &'static str) {
    match watched.mailbox.is_alive() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the driver has been busy for too long\n"),
    }
}

async fn readyz(State(watched): State<Watched>) -> (StatusCode, &'static str) {
    let view = &watched.mailbox.published().view;
    if view.ready {
        return (StatusCode::OK, "ok\n");
    }
    let stopping = view.members.first().is_some_and(|own| own.member.stopping);
    let why = match &view.ring {
        _ if stopping => "this node is stopping\n",
        None => "there is no ring yet: Bootstrap lays it\n",
        Some(_) => "no other member can be reached\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

async fn text(State(watched): State<Watched>) -> Response {
    match watched.metrics.text(&watched.mailbox.published()) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{e}\n")).into_response(),
    }
}
