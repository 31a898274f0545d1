//! All pods are lost at once: the ring comes back by itself at new addresses, also when
//! the store of one is damaged.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Machines, scenario},
    workload::Ledger,
};
use std::{collections::BTreeSet, fs};

const NODES: u32 = 3;

/// The node whose volume is harmed: the first seed of all.
const SICK: u32 = 0;

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_ring_whose_pods_were_all_deleted_is_ready_alone_at_new_addresses() -> Result<()> {
    scenario("all-deleted", |ns| {
        let cluster = Cluster::ready(ns, "moved", NODES)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let nodes = cluster.node_ids()?;
        let before: BTreeSet<_> = cluster.pod_addresses(NODES)?.into_iter().collect();

        delete_all(&cluster)?;
        cluster.wait_ready(NODES)?;
        let after = cluster.pod_addresses(NODES)?;
        let moved = after.iter().filter(|address| !before.contains(*address)).count();
        ensure!(moved > 0, "all pods are at their old addresses, which proves nothing");
        println!("{moved} of {NODES} nodes are at new addresses");
        ensure!(cluster.node_ids()? == nodes, "the nodes are others: {nodes:?}");
        after.iter().try_for_each(|address| ledger.verify(address))
    })
}

/// The database of the first seed of all is damaged meanwhile: its node comes back under its
/// own name, with nothing, and is given everything by the others.
#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn all_become_ready_also_when_the_first_finds_its_store_damaged() -> Result<()> {
    let Some(machines) = Machines::here("damage to a volume") else { return Ok(()) };
    scenario("first-damaged", |ns| {
        let cluster = Cluster::ready(ns, "headless", NODES)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let nodes = cluster.node_ids()?;
        let current = machines.volume(&cluster, SICK)?.join("node/store/CURRENT");
        ensure!(current.is_file(), "{} is no file of a database", current.display());
        fs::write(&current, "not the name of a manifest\n")?;

        delete_all(&cluster)?;
        cluster.wait_ready(NODES)?;
        ensure!(cluster.node_ids()? == nodes, "the nodes are others: {nodes:?}");
        cluster.pod_addresses(NODES)?.iter().try_for_each(|address| ledger.verify(address))
    })
}

/// Kills all pods without a word, and waits until others are in their place.
fn delete_all(cluster: &Cluster<'_>) -> Result<()> {
    let uids = (0..NODES).map(|o| cluster.pod_uid(o)).collect::<Result<Vec<_>>>()?;
    let selector = cluster.selector();
    let all = ["delete", "pods", "--selector", &selector];
    let at_once = ["--force", "--grace-period=0", "--wait=false"];
    cluster.namespace().kubectl(&[&all[..], &at_once[..]].concat())?.ok()?;
    (0..NODES).zip(&uids).try_for_each(|(ordinal, uid)| cluster.wait_replaced(ordinal, uid))
}
