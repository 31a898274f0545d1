//! The three ports and what is served on each.

use crate::{
    config::Config,
    driver::Mailbox,
    http,
    metrics::Metrics,
    service::{
        admin::{Operators, Port},
        key_value::Store,
        oversize::{self, Bound},
        peer::Peers,
        preface::Watched,
    },
    transport::{Local, PING, PONG},
};
use anyhow::Context;
use axum::middleware::from_fn_with_state;
use dynamo_core::id::Incarnation;
use dynamo_proto::{DESCRIPTORS, v1::key_value_server};
use futures::TryStreamExt;
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tonic::{
    server::NamedService,
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_health::{ServingStatus, server::HealthReporter};

/// The name under which health checks ask for the store.
const STORE: &str = <key_value_server::KeyValueServer<Store> as NamedService>::NAME;

/// Bound ports on which nobody has been answered yet.
pub(crate) struct Listeners {
    pub(crate) client: TcpListener,
    pub(crate) peer: TcpListener,
    pub(crate) http: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(config: &Config) -> anyhow::Result<Self> {
        Ok(Listeners {
            client: bind(config.client_listen, "--client-listen").await?,
            peer: bind(config.peer_listen, "--peer-listen").await?,
            http: bind(config.http_listen, "--http-listen").await?,
        })
    }
}

async fn bind(at: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(at).await.with_context(|| format!("cannot listen on {at} ({flag})"))
}

/// What the services need.
pub(crate) struct Servers<'a> {
    pub(crate) config: &'a Config,
    /// Where operators are sent who come to the wrong port.
    pub(crate) peer_address: String,
    pub(crate) local: Arc<Local>,
    pub(crate) incarnation: Incarnation,
    pub(crate) mailbox: Mailbox,
    pub(crate) metrics: Arc<Metrics>,
}

impl Servers<'_> {
    /// Serves on all ports until told to stop.
    pub(crate) fn start(self, listeners: Listeners) -> Running {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let Listeners { client, peer, http } = listeners;
        let told = || {
            let mut stopped = stop.subscribe();
            async move {
                let _ = stopped.wait_for(|s| *s).await;
            }
        };
        tasks.spawn(self.serve_clients(client, told()));
        tasks.spawn(self.serve_peers(peer, told()));
        let pages = http::router(self.mailbox.clone(), self.metrics.clone());
        let pages = axum::serve(http, pages).with_graceful_shutdown(told());
        tasks.spawn(async { pages.await.context("the HTTP port") });
        Running { stop, tasks }
    }

    fn serve_clients(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
        let store = Store {
            mailbox: self.mailbox.clone(),
            metrics: self.metrics.clone(),
            limits: self.config.limits,
        };
        let bound = Bound { limits: self.config.limits, metrics: self.metrics.clone() };
        let admin = self.operators(Port::Client { peer: self.peer_address.clone() });
        let (health, checks) = tonic_health::server::health_reporter();
        let mut ready = self.mailbox.ready();
        tokio::spawn(async move {
            loop {
                let serving = *ready.borrow_and_update();
                report(&health, serving).await;
                if ready.changed().await.is_err() {
                    return;
                }
            }
        });
        async move {
            let reflection = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                .build_v1()
                .context("gRPC reflection")?;
            let served = Routes::new(store.server())
                .add_service(admin.server())
                .add_service(checks)
                .add_service(reflection)
                .into_axum_router()
                .layer(from_fn_with_state(bound, oversize::own_words));
            Server::builder()
                .http2_keepalive_interval(Some(KEEP_ALIVE))
                .add_routes(served.into())
                .serve_with_incoming_shutdown(incoming(listener), stop)
                .await
                .context("the client port")
        }
    }

    fn serve_peers(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + 'static {
        let peers = Peers {
            local: self.local.clone(),
            mailbox: self.mailbox.clone(),
            metrics: self.metrics.clone(),
        };
        let admin = self.operators(Port::Peer);
        let metrics = self.metrics.clone();
        let incoming = incoming(listener).map_ok(move |s| Watched::new(s, metrics.clone()));
        async move {
            Server::builder()
                .http2_keepalive_interval(Some(PING))
                .http2_keepalive_timeout(Some(PONG))
                .add_service(peers.server())
                .add_service(admin.server())
                .serve_with_incoming_shutdown(incoming, stop)
                .await
                .context("the peer port")
        }
    }

    fn operators(&self, port: Port) -> Operators {
        Operators {
            local: self.local.clone(),
            incarnation: self.incarnation,
            durability: self.config.durability,
            mailbox: self.mailbox.clone(),
            port,
        }
    }
}

/// Clients that have vanished without a word are noticed after about as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

async fn report(health: &HealthReporter, serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in ["", STORE] {
        health.set_service_status(service, status).await;
    }
}

/// Servers that run.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    /// Waits for one that ends by itself, which none should.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(e))) => e,
            Some(Err(e)) => e.into(),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a server has ended by itself"),
        }
    }

    /// Takes nothing new and lets answers out that are on their way. Streams of peers
    /// never end by themselves, so there is a limit.
    pub(crate) async fn stop(mut self, limit: Duration) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(limit, all).await;
    }
}
