//! A ring of `dynamo-node` processes on loopback: what `make run` shows and what tests
//! of real processes use.
//!
//! No process outlives its [`LocalRing`]: dropping it kills them, and should the program
//! itself be killed, the nodes notice that their standard input has ended and stop.

mod node;
mod place;
pub mod ports;

pub use node::LocalNode;
pub use ports::Ports;

use anyhow::{Context as _, Result, bail, ensure};
use dynamo_client::{Client, Reachability};
use dynamo_proto::v1::{self, admin_client::AdminClient};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tonic::transport::Endpoint;
use uuid::Uuid;

/// How long nodes may take to find each other, or to agree on the first ring.
const FORMING: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What a ring is to be.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program `dynamo-node`.
    pub program: PathBuf,
    /// Where data and logs go: one directory and one log for each node.
    pub dir: PathBuf,
    /// One entry for each node.
    pub ports: Vec<Ports>,
    /// N.
    pub factor: u32,
    /// Q.
    pub partitions: u32,
    /// Flags that every node is given besides its own.
    pub flags: Vec<String>,
    /// What the command line of each node begins with, so that it runs elsewhere, such
    /// as in a [`Sandbox`](crate::sandbox::Sandbox). It must become the node, not start
    /// it. Nodes without an entry run as they are.
    pub within: Vec<Vec<String>>,
}

/// Nodes of one cluster. The first three are everybody's seeds.
#[derive(Debug)]
pub struct LocalRing {
    cluster: Uuid,
    setup: Setup,
    nodes: Vec<LocalNode>,
}

impl LocalRing {
    /// A ring of which nothing runs yet.
    pub fn new(setup: Setup) -> Self {
        let cluster = Uuid::new_v4();
        let node = |at| LocalNode::new(&setup, cluster, at);
        let nodes = (0..setup.ports.len()).map(node).collect();
        LocalRing { cluster, setup, nodes }
    }

    /// Starts all nodes, lays the ring over them, and waits until all of them serve.
    pub async fn start(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.spawn()?;
        }
        self.wait_until_all_meet().await?;
        self.bootstrap().await?;
        self.wait_until_ready().await
    }

    /// The cluster id.
    pub fn cluster(&self) -> Uuid {
        self.cluster
    }

    /// The nodes, running or not.
    pub fn nodes(&self) -> &[LocalNode] {
        &self.nodes
    }

    /// One of them, to start or end it.
    pub fn node_mut(&mut self, at: usize) -> &mut LocalNode {
        &mut self.nodes[at]
    }

    /// Waits until every running node sees every running node up and serves.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        until("every node to be ready", FORMING, async || {
            self.fail_if_one_ended()?;
            let running = self.running().count();
            for node in self.running() {
                let Ok(status) = node.client().status().await else { return Ok(None) };
                let up = status.members.iter().filter(|m| m.reachability() == Reachability::Up);
                let same = up.clone().filter(|m| m.ring_epoch == status.ring_epoch).count();
                if !status.ready || status.ring_epoch == 0 || same != running {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }

    /// What one sees who looks at all nodes that nobody ended: an error if one is gone.
    pub fn fail_if_one_ended(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.fail_if_ended()?;
        }
        Ok(())
    }

    /// Ends all nodes as an operator would, and those that do not end in time for good.
    pub async fn stop(&mut self, limit: Duration) {
        for node in &mut self.nodes {
            node.terminate();
        }
        let began = Instant::now();
        for node in &mut self.nodes {
            // One that has to be killed is gone as well.
            let _ = node.wait(limit.saturating_sub(began.elapsed())).await;
        }
    }

    fn running(&self) -> impl Iterator<Item = &LocalNode> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    async fn wait_until_all_meet(&mut self) -> Result<()> {
        until("the nodes to find each other", FORMING, async || {
            self.fail_if_one_ended()?;
            for node in self.running() {
                let Ok(status) = node.client().status().await else { return Ok(None) };
                let up = status.members.iter().filter(|m| m.reachability() == Reachability::Up);
                if up.count() != self.nodes.len() {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await
    }

    async fn bootstrap(&self) -> Result<()> {
        let mut ids = BTreeSet::new();
        for node in &self.nodes {
            ids.insert(node.client().status().await?.node_id);
        }
        ensure!(ids.len() == self.nodes.len(), "two nodes have one id: {ids:?}");
        let member = |node_id| v1::RingMember { node_id, zone: String::new(), weight: 1 };
        let request = v1::BootstrapRequest {
            cluster_id: self.cluster.to_string(),
            operation_id: "local-ring".to_owned(),
            partitions: self.setup.partitions,
            factor: self.setup.factor,
            members: ids.into_iter().map(member).collect(),
        };
        let first = &self.nodes[0];
        let channel = Endpoint::from_shared(format!("http://{}", first.peer_address()))?;
        let mut admin = AdminClient::new(channel.connect().await?);
        admin.bootstrap(request).await.context("the ring could not be laid")?;
        Ok(())
    }
}

/// A client of several nodes, the first of them preferred.
pub fn client_of<'a>(nodes: impl IntoIterator<Item = &'a LocalNode>) -> Result<Client> {
    Ok(Client::connect(nodes.into_iter().map(LocalNode::client_address)).build()?)
}

/// The program of that name in the directory that this program, or the test that it is,
/// was built into.
pub fn built_program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let beside = here.ancestors().skip(1).take(2).map(|dir| dir.join(name));
    match beside.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "{name} is not in {}: build it with cargo build --release --bin {name}",
            here.parent().unwrap_or(Path::new(".")).display()
        ),
    }
}

/// Looks until there is something, and returns it; a look that fails ends it.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s in vain for {what}", limit.as_secs());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
