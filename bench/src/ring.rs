//! A ring of fresh nodes on this machine, looked at from outside: where keys are, what the
//! nodes count, what they cost.

use crate::{
    disk, procfs,
    values::{Values, key},
};
use anyhow::{Context, Result};
use clap::Args;
use dynamo_core::{
    id::NodeId,
    key::Key,
    ring::{Plan, Ring, Seal, Seat},
};
use dynamo_e2e::local_ring::{LocalNode, LocalRing, Setup, built_program, ports, until};
use dynamo_proto::v1::RingResponse;
use std::{fs, future::Future, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const FACTOR: u32 = 3;
const PARTITIONS: u32 = 256;

/// How long a node may take to end.
const ENDING: Duration = Duration::from_secs(10);

/// What all such rings can be told.
#[derive(Args)]
pub(crate) struct Place {
    /// Where the nodes' data goes, into a directory that is removed afterwards
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// The program that is a node [default: dynamo-node beside this program]
    #[arg(long, value_name = "FILE")]
    node: Option<PathBuf>,
    /// Bytes of a value
    #[arg(long, default_value_t = 1024)]
    value: usize,
}

impl Place {
    /// What values are.
    pub(crate) fn values(&self) -> Values {
        Values::new(self.value)
    }

    /// Starts a ring with room for so many copies of so many values.
    pub(crate) async fn start(&self, nodes: u16, keys: u64, copies: u64) -> Result<Running> {
        disk::ensure_room(&self.dir, keys, self.value, copies, nodes.into())?;
        fs::create_dir_all(&self.dir)?;
        let dir = tempfile::Builder::new().prefix("dynamo-bench-").tempdir_in(&self.dir)?;
        let program = match &self.node {
            Some(program) => program.clone(),
            None => built_program("dynamo-node")?,
        };
        let mut ring = LocalRing::new(Setup {
            program,
            dir: dir.path().to_owned(),
            ports: ports::free(nodes)?,
            factor: FACTOR,
            partitions: PARTITIONS,
            flags: Vec::new(),
            within: Vec::new(),
        });
        ring.start().await?;
        Ok(Running { ring, dir })
    }
}

/// A ring and the directory of its data.
pub(crate) struct Running {
    pub(crate) ring: LocalRing,
    pub(crate) dir: TempDir,
}

impl Running {
    /// Those nodes that run.
    pub(crate) fn up(&self) -> impl Iterator<Item = &LocalNode> {
        self.ring.nodes().iter().filter(|node| node.is_running())
    }

    /// Their client ports.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.up().map(LocalNode::client_address).collect()
    }

    /// Ends a node as an operator would, and waits until the others know.
    pub(crate) async fn end(&mut self, at: usize) -> Result<()> {
        self.ring.node_mut(at).terminate();
        self.ring.node_mut(at).wait(ENDING).await?;
        self.ring.wait_until_ready().await
    }

    /// The first so many numbers whose keys have that node among their primaries.
    pub(crate) async fn numbers_of(&self, at: usize, kind: &str, count: u64) -> Result<Vec<u64>> {
        let client = self.ring.nodes()[at].client();
        let node = node_id(&client.status().await?.node_id)?;
        let ring = as_core(client.ring().await?)?;
        let is_primary = |number: &u64| {
            let key = Key::plain(key(kind, *number).partition);
            ring.primaries(ring.partition_of(&key)).contains(&node)
        };
        let count = usize::try_from(count)?;
        Ok((0..).filter(is_primary).take(count).collect())
    }

    /// What the running nodes count under a name, together.
    pub(crate) async fn sum(&self, name: &str) -> Result<u64> {
        let mut sum = 0;
        for node in self.up() {
            sum += Metrics::of(node).await?.get(name)?;
        }
        Ok(sum)
    }

    /// CPU time that each running node has used so far.
    pub(crate) fn cpu(&self) -> Result<Vec<(String, Duration)>> {
        let of = |node: &LocalNode| {
            let pids: Vec<_> = node.pid().into_iter().collect();
            Ok((node.name().to_owned(), procfs::cpu(&pids)?))
        };
        self.up().map(of).collect()
    }

    /// Waits until the nodes have done what was left to do, such as merging tables.
    pub(crate) async fn settle(&self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(300);
        const LOOK: Duration = Duration::from_secs(2);
        // Of each node, in the time of a look: what an idle one needs, and some more.
        const IDLE: Duration = Duration::from_millis(150);
        until("the nodes to come to rest", LIMIT, async || {
            let before = self.cpu()?;
            tokio::time::sleep(LOOK).await;
            let used = used_since(&before, &self.cpu()?);
            Ok(used.iter().all(|(_, cpu)| *cpu < IDLE).then_some(()))
        })
        .await
    }
}

/// CPU time of each node between two looks; of one that has started since, from its start.
pub(crate) fn used_since(
    before: &[(String, Duration)],
    after: &[(String, Duration)],
) -> Vec<(String, Duration)> {
    let was = |name: &str| before.iter().find(|(n, _)| n == name).map_or(Duration::ZERO, |b| b.1);
    after.iter().map(|(name, cpu)| (name.clone(), cpu.saturating_sub(was(name)))).collect()
}

/// What a node says of itself at one moment.
pub(crate) struct Metrics(String);

impl Metrics {
    pub(crate) async fn of(node: &LocalNode) -> Result<Self> {
        let read = async {
            let mut stream = TcpStream::connect(node.http_address()).await?;
            stream
                .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                .await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            std::io::Result::Ok(text)
        };
        Ok(Metrics(read.await.with_context(|| format!("reading the metrics of {}", node.name()))?))
    }

    /// A counter or a gauge, `dynamo_` left out.
    pub(crate) fn get(&self, name: &str) -> Result<u64> {
        let value = |line: &str| {
            line.strip_prefix("dynamo_")?.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned)
        };
        let found = self.0.lines().find_map(value);
        Ok(found.with_context(|| format!("there is no metric dynamo_{name}"))?.trim().parse()?)
    }
}

/// Runs something that must end in time.
pub(crate) async fn within<T>(
    what: &str,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let ended = tokio::time::timeout(limit, work).await;
    ended.with_context(|| format!("waited {} s in vain for {what}", limit.as_secs()))?
}

fn node_id(hexadecimal: &str) -> Result<NodeId> {
    Ok(NodeId(u64::from_str_radix(hexadecimal, 16)?))
}

/// The ring as nodes compute with it. What seals contexts is not told, nor needed.
fn as_core(ring: RingResponse) -> Result<Ring> {
    let mut seats = Vec::new();
    for member in ring.members {
        seats.push(Seat {
            node: node_id(&member.node_id)?,
            zone: member.zone,
            weight: member.weight,
        });
    }
    let plan = Plan {
        operation: ring.operation_id,
        partitions: usize::try_from(ring.partitions)?,
        factor: usize::try_from(ring.factor)?,
        seats,
    };
    let owners = ring.owners.into_iter().map(u16::try_from).collect::<Result<_, _>>()?;
    Ok(Ring::from_parts(ring.epoch, plan, owners, Seal([0; 16]))?)
}
