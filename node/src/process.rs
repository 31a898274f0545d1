//! A node from its start to its end: what is opened in which order, and closed in which.
//!
//! Ports are bound first, so that a second process on the same ports changes nothing on
//! disk. The data directory is opened next; from then on there is an identity. The
//! driver starts before anything is served.

use crate::{
    clock::Clock,
    config::{Config, Durability},
    driver::{Driver, Event, Mailbox},
    identity::Loss,
    kernel,
    metrics::Metrics,
    servers::{Listeners, Servers},
    signals::Endings,
    storage::{self, ASIDE, Opened},
    transport::{Links, Local},
};
use anyhow::{Context, anyhow, bail};
use dynamo_core::{
    gossip::Member,
    id::NodeId,
    limits::Bounds,
    node::{Config as NodeConfig, Node},
    reap::Reaping,
    replica::Replica,
    store::StoreError,
};
use rand::{TryRng, rngs::SysRng};
use std::{net::SocketAddr, sync::Arc, thread, time::Duration};
use tokio::{runtime::Handle, sync::oneshot, time::timeout};
use tracing::{info, warn};

/// How long a node that is to end may take until its driver has ended. With what the
/// servers are given after that it stays under 5 s.
const DRAIN: Duration = Duration::from_millis(4_500);

/// How long answers that are on their way out may take then.
const LAST_ANSWERS: Duration = Duration::from_millis(300);

/// Lives until it is told to end, or something that it needs has failed.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let mut endings = Endings::watch(config.exit_with_parent)?;
    let listeners = Listeners::bind(&config).await?;
    let (node_id, seed) = (random()?, random()?);
    let opened = storage::open(
        &config.data_dir,
        config.cluster,
        || NodeId(node_id),
        &kernel::boot_id(),
        config.durability,
    )
    .with_context(|| directory(&config))?;
    let member = member(&config, &listeners, &opened)?;
    announce(&config, &member, &opened, listeners.http.local_addr()?);
    let metrics = Metrics::new();
    let local = Arc::new(Local {
        cluster: config.cluster,
        node: member.node,
        generation: member.generation,
    });
    let incarnation = opened.identity.incarnation;
    let peer_address = member.address.clone();
    let (mailbox, mut ended) = start_driver(&config, opened, member, seed, &local, &metrics)?;
    let servers = Servers {
        config: &config,
        peer_address,
        local,
        incarnation,
        mailbox: mailbox.clone(),
        metrics,
    };
    let mut running = servers.start(listeners);
    tokio::select! {
        why = endings.next() => info!(why, "stopping"),
        result = &mut ended => return driver_ended(&config, result),
        failed = running.failed() => return Err(failed),
    }
    let drained = async {
        mailbox.send(Event::Stop).await.map_err(|_| anyhow!("the driver has ended already"))?;
        let late = |_| anyhow!("requests and disk did not come to rest in time");
        let result = timeout(DRAIN, &mut ended).await.map_err(late)?;
        driver_ended(&config, result)?;
        running.stop(LAST_ANSWERS).await;
        info!("stopped");
        Ok(())
    };
    tokio::select! {
        result = drained => result,
        why = endings.next() => bail!("told twice to end ({why}): ending at once"),
    }
}

/// The node as it describes itself to others.
fn member(config: &Config, listeners: &Listeners, opened: &Opened) -> anyhow::Result<Member> {
    let told = |advertised: &Option<String>, bound: SocketAddr| {
        advertised.clone().unwrap_or_else(|| bound.to_string())
    };
    let address = told(&config.advertise_peer, listeners.peer.local_addr()?);
    Ok(Member {
        node: opened.identity.node,
        name: if config.name.is_empty() { address.clone() } else { config.name.clone() },
        address,
        client_address: told(&config.advertise_client, listeners.client.local_addr()?),
        zone: config.zone.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        generation: opened.identity.generation,
        heartbeat: 0,
        ring_epoch: 0,
        stopping: false,
    })
}

/// What a person wants to see of a node that starts.
fn announce(config: &Config, member: &Member, opened: &Opened, http: SocketAddr) {
    let identity = &opened.identity;
    info!(
        version = member.version,
        cluster = %config.cluster,
        node = %member.node,
        name = member.name,
        generation = member.generation.0,
        incarnation = identity.incarnation.0,
        peer = member.address,
        client = member.client_address,
        %http,
        durability = config.durability.name(),
        data_dir = %config.data_dir.display(),
        "this is Dynamo"
    );
    let incarnation = identity.incarnation.0;
    if let Some(why) = &opened.damage {
        warn!(
            why,
            "the store was damaged: it is kept as {ASIDE}, and this node begins an empty one"
        );
    }
    match opened.loss {
        Loss::Nothing => {}
        Loss::Unsynced => warn!(
            incarnation,
            "the machine stopped before unsynced writes were on disk: this node goes on as a new \
             incarnation, and peers hold what it has lost"
        ),
        Loss::Store => warn!(
            incarnation,
            "the store is empty: this node goes on as a new incarnation, and peers bring back what \
             it has lost"
        ),
    }
    if config.durability == Durability::Os {
        warn!("--durability os: acknowledged writes are lost when all their replicas lose power");
    }
}

/// What the driver's thread leaves behind; nothing if it panicked.
type Ended = oneshot::Receiver<Result<(), StoreError>>;

fn start_driver(
    config: &Config,
    opened: Opened,
    member: Member,
    seed: u64,
    local: &Arc<Local>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Mailbox, Ended)> {
    let node = Node::new(NodeConfig {
        member,
        incarnation: opened.identity.incarnation,
        seeds: config.seeds.clone(),
        read_quorum: config.read_quorum,
        write_quorum: config.write_quorum,
        reserved: opened.identity.reserved,
        ring: opened.ring,
        reaping: Reaping { after: config.reap_after, ..Reaping::default() },
        seed,
    });
    let replica = Replica::open(opened.store, Bounds::default());
    let replica = replica.with_context(|| directory(config))?;
    let runtime = Handle::current();
    let links = |mailbox: Mailbox| Links::new(local.clone(), mailbox, metrics.clone(), runtime);
    let (driver, mailbox) = Driver::new(node, replica, links, Clock::start(), metrics.clone());
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name("driver".into()).spawn(move || {
        // The other side is this process's main task, which waits as long as it lives.
        let _ = end.send(driver.run());
    })?;
    Ok((mailbox, ended))
}

/// What everything that goes wrong on disk is said of.
fn directory(config: &Config) -> String {
    format!("the data directory {}", config.data_dir.display())
}

fn driver_ended(
    config: &Config,
    result: Result<Result<(), StoreError>, oneshot::error::RecvError>,
) -> anyhow::Result<()> {
    match result {
        Ok(result) => result.with_context(|| directory(config)),
        Err(_) => bail!("the driver has panicked"),
    }
}

fn random() -> anyhow::Result<u64> {
    SysRng.try_next_u64().context("the operating system gives no random bytes")
}
