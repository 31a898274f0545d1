//! A network that is torn into two nodes and three: clients on both sides go on, and
//! when it is whole again every node shows what was written on either side.

use crate::{
    fault::{LIMIT, NODES, REPLICAS, fault, nothing_failed},
    network::Network,
};
use anyhow::Result;
use dynamo_e2e::{
    local_ring::Ports,
    workload::{Plan, Workload},
};
use std::time::Duration;

const TORN: Duration = Duration::from_secs(20);

/// The nodes that stay, and those that are torn off.
const LEFT: [usize; 3] = [0, 1, 2];
const RIGHT: [usize; 2] = [3, 4];

/// Writes that each side must take at the end of the partition, when every node has
/// noticed it.
const STILL: u64 = 50;

#[test]
#[ignore = "needs root, takes minutes: make faults"]
fn both_sides_take_writes_for_one_replica_and_agree_afterwards() -> Result<()> {
    torn("partition, W=1", 1)
}

/// Each side has two nodes, so fallbacks make up a write quorum on both.
#[test]
#[ignore = "needs root, takes minutes: make faults"]
fn both_sides_take_writes_for_two_replicas_and_agree_afterwards() -> Result<()> {
    torn("partition, W=2", 2)
}

fn torn(name: &str, write_quorum: u32) -> Result<()> {
    let network = Network::of(NODES)?;
    network.centre().enter(|| {
        fault(
            name,
            |setup| {
                let on = |at| Ok(Ports::on(Network::address(at)?));
                setup.ports = (0..NODES).map(on).collect::<Result<_>>()?;
                setup.within = (0..NODES).map(|at| network.machine(at).prefix()).collect();
                Ok(())
            },
            |ring| {
                let addresses = ring.addresses();
                // The applications of each side know the nodes of that side. They read
                // what is near: R=1.
                let plan = |side: &[usize]| {
                    let near: Vec<_> = side.iter().map(|&at| addresses[at].clone()).collect();
                    Plan { read_quorum: 1, write_quorum, ..Plan::sloppy(&near) }
                };
                let (left, right) = (network.machine(LEFT[0]), network.machine(RIGHT[0]));
                let left = left.enter(|| Workload::begin(plan(&LEFT)))?;
                let right = right.enter(|| left.beside(plan(&RIGHT)))?;

                network.tear_off(&RIGHT)?;
                left.run_for(TORN)?;
                left.go_on(STILL)?;
                right.go_on(STILL)?;
                network.heal(&RIGHT)?;

                ring.wait_until_ready()?;
                let right = right.stop()?;
                let left = left.settle(&addresses, REPLICAS, LIMIT)?;
                nothing_failed("on the side of three", &left)?;
                nothing_failed("on the side of two", &right)
            },
        )
    })
}
