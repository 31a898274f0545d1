//! What the operator tells Prometheus, and the HTTP server that does it.

use anyhow::Context;
use axum::{Router, extract::State, http::header, routing::get};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;

/// Which cluster, and which of its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ConditionLabels {
    /// The namespace of the cluster.
    pub namespace: String,
    /// Its name.
    pub cluster: String,
    /// The condition.
    pub condition: String,
}

/// How a pass or an eviction ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    /// `ok`, `error` or `refused`.
    pub result: &'static str,
}

/// Counters of the operator.
#[derive(Clone)]
pub struct Metrics {
    /// Passes over a cluster, by how they ended.
    pub passes: Family<ResultLabels, Counter>,
    /// How long passes took.
    pub seconds: Histogram,
    /// Evictions asked for, by how they ended.
    pub evictions: Family<ResultLabels, Counter>,
    /// 1 for each condition that holds.
    pub conditions: Family<ConditionLabels, Gauge>,
    /// 1 while this operator leads.
    pub leader: Gauge,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("dynamo_operator");
        let metrics = (
            Family::<ResultLabels, Counter>::default(),
            Histogram::new(exponential_buckets(0.005, 2.0, 12)),
            Family::<ResultLabels, Counter>::default(),
            Family::<ConditionLabels, Gauge>::default(),
            Gauge::default(),
        );
        let (passes, seconds, evictions, conditions, leader) = metrics;
        registry.register("reconciliations", "Passes over a cluster", passes.clone());
        registry.register("reconciliation_seconds", "How long passes took", seconds.clone());
        registry.register("evictions", "Evictions asked for", evictions.clone());
        registry.register("cluster_condition", "1 if the condition holds", conditions.clone());
        registry.register("leader", "1 while this operator leads", leader.clone());
        Metrics { passes, seconds, evictions, conditions, leader, registry: Arc::new(registry) }
    }
}

impl Metrics {
    fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Serves /metrics, /healthz and /readyz until the process ends.
///
/// An operator that waits for the lease is as ready as one that leads: otherwise a
/// Deployment of two could never be complete.
pub async fn serve(listen: SocketAddr, metrics: Metrics) -> anyhow::Result<()> {
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = move |State(m): State<Metrics>| async move {
        ([(header::CONTENT_TYPE, openmetrics)], m.text())
    };
    let router = Router::new()
        .route("/metrics", get(text))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async || "ok\n"))
        .with_state(metrics);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen} for HTTP"))?;
    axum::serve(listener, router).await.context("the HTTP server stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_under_the_name_of_the_operator() {
        let metrics = Metrics::default();
        metrics.passes.get_or_create(&ResultLabels { result: "ok" }).inc();
        let line = "dynamo_operator_reconciliations_total{result=\"ok\"} 1\n";
        assert!(metrics.text().contains(line), "{}", metrics.text());
    }
}
