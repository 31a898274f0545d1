//! The operator's process: options, logs, the lease, the loop.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use dynamo_operator::{
    controller::{self, Operator},
    leader::Leadership,
    metrics::{self, Metrics},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;

/// Runs Dynamo clusters on Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The image of clusters that name none.
    #[arg(long, env = "DYNAMO_NODE_IMAGE", default_value = concat!("dynamokv/node:", env!("CARGO_PKG_VERSION")))]
    node_image: String,

    /// Where the operator runs and keeps its lease. Left out, it is that of the
    /// kubeconfig.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: Option<String>,

    /// The name under which the lease is held; random if left out.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,

    /// Look after clusters of this namespace only.
    #[arg(long, env = "DYNAMO_WATCH_NAMESPACE")]
    watch_namespace: Option<String>,

    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, env = "DYNAMO_HTTP_LISTEN", default_value = "127.0.0.1:8080")]
    http_listen: SocketAddr,

    /// How logs are written.
    #[arg(long, env = "DYNAMO_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,

    /// error, warn, info, debug or trace.
    #[arg(long, env = "DYNAMO_LOG_LEVEL", default_value = "info")]
    log_level: Level,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let logs = tracing_subscriber::fmt().with_max_level(options.log_level).with_ansi(ansi);
    match options.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    let mut config = kube::Config::infer().await.context("no cluster is configured")?;
    // A refused eviction would be retried for minutes on a decision long out of date:
    // whatever fails is decided anew in the next pass.
    config.default_retry = false;
    let lease_namespace = options.namespace.as_ref().unwrap_or(&config.default_namespace).clone();
    let identity = options.identity.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let client = kube::Client::try_from(config).context("the cluster cannot be called")?;

    let metrics = Metrics::default();
    let http = tokio::spawn(metrics::serve(options.http_listen, metrics.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    };
    tokio::pin!(stop);

    let leadership = tokio::select! {
        held = Leadership::gain(client.clone(), &lease_namespace, &identity) => {
            held.context("the lease cannot be used")?
        }
        ended = http => return ended?,
        () = &mut stop => return Ok(()),
    };
    metrics.leader.set(1);
    let operator = Operator {
        reporter: Operator::reporter(identity),
        client,
        watched: options.watch_namespace,
        namespace: options.namespace,
        node_image: options.node_image,
        metrics,
    };
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut work = std::pin::pin!(controller::run(Arc::new(operator), async move {
        let _ = stopped.await;
    }));
    tokio::select! {
        () = leadership.lost() => anyhow::bail!("the lease was lost: another operator may act now"),
        () = &mut work => anyhow::bail!("the controller ended"),
        () = &mut stop => {}
    }
    drop(stopping);
    work.await;
    leadership.release().await;
    Ok(())
}
