//! Which ports the nodes of a local ring take.

use anyhow::{Result, bail};
use rand::RngExt;
use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

/// Where one node listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// 127.0.0.1, unless it has a machine of its own.
    pub host: Ipv4Addr,
    /// gRPC for clients.
    pub client: u16,
    /// gRPC for nodes and operators.
    pub peer: u16,
    /// HTTP.
    pub http: u16,
}

/// The first client port, unless another is chosen.
pub const DEFAULT_BASE: u16 = 7070;

/// From one node's ports to the next node's.
const STEP: u16 = 10;

/// Below the ports that systems give to outgoing connections, so that none of these
/// can take a port between the look at it and its use.
const FREE: Range<u16> = 10_000..32_000;

impl Ports {
    fn at(client: u16) -> Self {
        Ports { host: Ipv4Addr::LOCALHOST, client, peer: client + 1, http: client + 2 }
    }

    /// The usual ports of a machine that has no other node.
    pub fn on(host: Ipv4Addr) -> Self {
        Ports { host, ..Ports::at(DEFAULT_BASE) }
    }

    /// All of them.
    pub fn all(self) -> [u16; 3] {
        [self.client, self.peer, self.http]
    }
}

/// Three ports for each of so many nodes, from `base` on: 7070, 7071, 7072, 7080, ...
pub fn from_base(base: u16, nodes: u16) -> Result<Vec<Ports>> {
    let highest = STEP * nodes;
    if base == 0 || base > u16::MAX - highest {
        bail!("a base port of {base}; it is 1 to {}", u16::MAX - highest);
    }
    Ok((0..nodes).map(|i| Ports::at(base + i * STEP)).collect())
}

/// The first of these ports that something else listens on, and what the system says.
pub fn first_in_use(ports: &[Ports]) -> Option<(u16, io::Error)> {
    let all = ports.iter().flat_map(|ports| ports.all().map(|port| (ports.host, port)));
    all.into_iter().find_map(|(host, port)| Some((port, TcpListener::bind((host, port)).err()?)))
}

/// Ports for so many nodes that are free now, at a place chosen by chance so that test
/// programs that run side by side hardly meet.
pub fn free(nodes: u16) -> Result<Vec<Ports>> {
    const TRIES: u32 = 100;
    for _ in 0..TRIES {
        let ports = from_base(rand::rng().random_range(FREE), nodes)?;
        if first_in_use(&ports).is_none() {
            return Ok(ports);
        }
    }
    bail!(
        "no {nodes} free ranges of ports in {TRIES} tries between {} and {}",
        FREE.start,
        FREE.end
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_ports_of_its_own() {
        let ports = from_base(DEFAULT_BASE, 5).unwrap();
        let mut all: Vec<_> = ports.iter().flat_map(|p| p.all()).collect();
        assert_eq!((all.len(), all[0], all[14]), (15, 7070, 7112));
        all.dedup();
        assert_eq!(all.len(), 15);
        for bad in [0, 65_500] {
            let line = from_base(bad, 5).unwrap_err().to_string();
            assert!(line.contains(&bad.to_string()) && line.contains("65485"), "{line}");
        }
    }

    #[test]
    fn a_port_in_use_is_found() {
        let ports = free(1).unwrap();
        assert!(first_in_use(&ports).is_none());
        let _other = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0].peer)).unwrap();
        assert_eq!(first_in_use(&ports).unwrap().0, ports[0].peer);
    }
}
