//! Machines on a network that can be torn in two.
//!
//! ```text
//!         10.77.0.254
//!  hub ─── whole ─┬── m1 ── machine 1, 10.77.0.1
//!          torn   ├── m2 ── machine 2, 10.77.0.2
//!                 └── m3 … moved to the bridge `torn` while they are apart
//! ```
//!
//! Hub and machines are namespaces, so these addresses mean nothing outside. What is
//! sent to the other side is lost without a word, as on a real network.

use anyhow::{Context, Result};
use dynamo_e2e::sandbox::Sandbox;
use std::net::Ipv4Addr;

/// The whole network.
pub(crate) struct Network {
    hub: Sandbox,
    machines: Vec<Sandbox>,
}

impl Network {
    /// So many machines, which all reach each other.
    pub(crate) fn of(machines: usize) -> Result<Self> {
        let mut network = Network { hub: Sandbox::network()?, machines: Vec::new() };
        network.hub("link set lo up")?;
        for bridge in ["whole", "torn"] {
            network.hub(&format!("link add name {bridge} type bridge"))?;
            network.hub(&format!("link set {bridge} up"))?;
        }
        network.hub("address add 10.77.0.254/24 dev whole")?;
        for at in 0..machines {
            network.connect(at).with_context(|| format!("making machine {}", at + 1))?;
        }
        Ok(network)
    }

    /// Where a machine is; they are counted from 0.
    pub(crate) fn address(at: usize) -> Result<Ipv4Addr> {
        Ok(Ipv4Addr::new(10, 77, 0, u8::try_from(at + 1)?))
    }

    /// A place that reaches every machine, unless it is torn off.
    pub(crate) fn centre(&self) -> &Sandbox {
        &self.hub
    }

    /// One of the machines.
    pub(crate) fn machine(&self, at: usize) -> &Sandbox {
        &self.machines[at]
    }

    /// Tears these machines off: they reach each other, and nobody else.
    pub(crate) fn tear_off(&self, machines: &[usize]) -> Result<()> {
        self.plug(machines, "torn")
    }

    /// All reach each other again.
    pub(crate) fn heal(&self, machines: &[usize]) -> Result<()> {
        self.plug(machines, "whole")
    }

    fn plug(&self, machines: &[usize], bridge: &str) -> Result<()> {
        let plug = |at: &usize| self.hub(&format!("link set m{} master {bridge}", at + 1));
        machines.iter().try_for_each(plug)
    }

    fn connect(&mut self, at: usize) -> Result<()> {
        let (machine, link) = (Sandbox::network()?, format!("m{}", at + 1));
        let pid = machine.pid();
        self.hub(&format!("link add name {link} type veth peer name eth0 netns {pid}"))?;
        self.hub(&format!("link set {link} master whole up"))?;
        let address = Network::address(at)?;
        for command in [
            "link set lo up".to_owned(),
            format!("address add {address}/24 dev eth0"),
            "link set eth0 up".to_owned(),
        ] {
            ip(&machine, &command)?;
        }
        self.machines.push(machine);
        Ok(())
    }

    fn hub(&self, command: &str) -> Result<()> {
        ip(&self.hub, command)
    }
}

fn ip(inside: &Sandbox, command: &str) -> Result<()> {
    let words = ["ip"].into_iter().chain(command.split(' '));
    inside.run(&words.collect::<Vec<_>>())
}
