//! Which nodes of a local ring a key belongs to, and what they count: what tests look at
//! that users need not know.

use super::{LocalNode, LocalRing};
use anyhow::{Context as _, Result};
use dynamo_core::{
    key::Key,
    ring::{Plan, Ring, Seal, Seat},
};
use dynamo_proto::v1::{RingMember, RingResponse};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

impl LocalRing {
    /// The nodes that can hold a plain key, by their place in [`LocalRing::nodes`]: first its
    /// primaries, then those that stand in for them, in this order.
    ///
    /// # Errors
    /// That of a node that does not answer; all of them must run.
    pub async fn preference_list(&self, key: &str) -> Result<Vec<usize>> {
        let mut ids = Vec::new();
        for node in self.nodes() {
            ids.push(node.client().status().await?.node_id);
        }
        let ring = read(self.nodes()[0].client().ring().await?)?;
        let list = ring.preference_list(ring.partition_of(&Key::plain(key.to_owned())));
        let nodes = list.primaries().iter().chain(list.fallbacks());
        let at = |id: String| ids.iter().position(|i| *i == id).context("a node without process");
        nodes.map(|node| at(node.to_string())).collect()
    }
}

fn read(ring: RingResponse) -> Result<Ring> {
    let seat = |m: RingMember| -> Result<Seat> {
        Ok(Seat { node: m.node_id.parse()?, zone: m.zone, weight: m.weight })
    };
    let owners = ring.owners.iter().map(|o| u16::try_from(*o)).collect::<Result<_, _>>()?;
    let plan = Plan {
        operation: ring.operation_id,
        partitions: ring.owners.len(),
        factor: usize::try_from(ring.factor)?,
        seats: ring.members.into_iter().map(seat).collect::<Result<_>>()?,
    };
    // Contexts are sealed by nodes only.
    Ok(Ring::from_parts(ring.epoch, plan, owners, Seal([0; 16]))?)
}

impl LocalNode {
    /// The value of a metric that has no labels or is given with them; 0 if it is not there.
    ///
    /// # Errors
    /// That of a node that does not answer.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let mut stream = TcpStream::connect(self.http_address())?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let value = |l: &str| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        Ok(answer.lines().find_map(value).unwrap_or_default())
    }
}
