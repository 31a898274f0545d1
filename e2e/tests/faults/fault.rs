//! A ring of five that something happens to, from its start to its end.

use anyhow::{Context, Result, ensure};
use dynamo_client::Client;
use dynamo_e2e::{
    local_ring::{LocalNode, LocalRing, Setup, built_program, ports, until},
    workload::Report,
};
use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

/// Nodes of the ring. N=3, R=W=2.
pub(crate) const NODES: usize = 5;

/// N.
pub(crate) const REPLICAS: u32 = 3;

/// How long it may take, after the end of a fault, until all is where it belongs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// How long a node may take to end when it is asked to.
const ENDING: Duration = Duration::from_secs(10);

/// The ring, and what drives it.
pub(crate) struct Ring {
    runtime: Runtime,
    ring: LocalRing,
}

/// Starts a ring, which `adjust` may change before, does something to it, and ends it.
///
/// # Errors
/// That of the body, with the end of every node's log on standard error.
pub(crate) fn fault(
    name: &str,
    adjust: impl FnOnce(&mut Setup) -> Result<()>,
    body: impl FnOnce(&mut Ring) -> Result<()>,
) -> Result<()> {
    let began = Instant::now();
    // Dropped after the ring.
    let dir = tempfile::Builder::new().prefix("dynamo-fault-").tempdir()?;
    let mut setup = Setup {
        program: built_program("dynamo-node")?,
        dir: dir.path().to_owned(),
        ports: ports::free(u16::try_from(NODES)?)?,
        factor: REPLICAS,
        partitions: 64,
        flags: ["--read-quorum", "2", "--write-quorum", "2"].map(str::to_owned).to_vec(),
        within: Vec::new(),
    };
    adjust(&mut setup)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut ring = Ring { runtime, ring: LocalRing::new(setup) };
    let result = ring.start().and_then(|()| body(&mut ring)).and_then(|()| ring.is_whole());
    let seconds = began.elapsed().as_secs();
    match &result {
        Ok(()) => println!("{name}: holds after {seconds} s"),
        Err(_) => eprintln!("{name}: FAILED after {seconds} s\n{}", ring.logs()),
    }
    ring.runtime.block_on(ring.ring.stop(ENDING));
    result
}

impl Ring {
    fn start(&mut self) -> Result<()> {
        self.runtime.block_on(self.ring.start())
    }

    /// The client ports of all nodes.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.ring.nodes().iter().map(LocalNode::client_address).collect()
    }

    /// The client ports of all nodes but one.
    pub(crate) fn addresses_without(&self, at: usize) -> Vec<String> {
        let mut addresses = self.addresses();
        addresses.remove(at);
        addresses
    }

    /// One of the nodes, running or not.
    pub(crate) fn node(&mut self, at: usize) -> &mut LocalNode {
        self.ring.node_mut(at)
    }

    /// Ends a node as an operator would, and waits for its end.
    pub(crate) fn stop(&mut self, at: usize) -> Result<ExitStatus> {
        self.node(at).terminate();
        self.runtime.block_on(self.ring.node_mut(at).wait(ENDING))
    }

    /// Waits until a node that was just started answers.
    pub(crate) fn wait_until_answers(&mut self, at: usize) -> Result<()> {
        let client = self.client(at)?;
        let node = self.ring.node_mut(at);
        let name = node.name().to_owned();
        self.runtime.block_on(until(&format!("{name} to answer"), LIMIT, async || {
            if let Some(status) = node.ended()? {
                anyhow::bail!("{name} has ended ({status}):\n{}", node.log_tail());
            }
            Ok(client.status().await.is_ok().then_some(()))
        }))
    }

    /// Waits until every running node sees every running node up and serves.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        self.runtime.block_on(self.ring.wait_until_ready())
    }

    /// All nodes that nobody ended are still there.
    fn is_whole(&mut self) -> Result<()> {
        self.ring.fail_if_one_ended()
    }

    fn client(&self, at: usize) -> Result<Client> {
        let node = self.ring.nodes().get(at).context("there is no such node")?;
        Ok(node.client())
    }

    fn logs(&self) -> String {
        let log = |n: &LocalNode| format!("--- end of the log of {}\n{}", n.name(), n.log_tail());
        self.ring.nodes().iter().map(log).collect::<Vec<_>>().join("\n")
    }
}

/// The line of a node that has ended by itself: what it could not do, and where.
pub(crate) fn clear_line(node: &LocalNode, status: ExitStatus, names: &[&str]) -> Result<()> {
    let line = node.last_words()?;
    println!("{} ended: {line}", node.name());
    ensure!(status.code() == Some(1), "{} ended with {status}", node.name());
    for named in names {
        ensure!(line.contains(named), "the last line of {} lacks {named:?}: {line}", node.name());
    }
    Ok(())
}

/// What the clients went through; nothing of it may have failed for good.
pub(crate) fn nothing_failed(meanwhile: &str, report: &Report) -> Result<()> {
    println!("{meanwhile}: {report}");
    report.no_failure()
}
