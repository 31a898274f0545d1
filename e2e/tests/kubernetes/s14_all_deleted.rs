//! All pods are lost at once: the ring comes back by itself at new addresses, also
//! without the one whose volume is damaged.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Machines, is_ready, scenario},
    wait::until,
    workload::Ledger,
};
use std::{collections::BTreeSet, fs, time::Duration};

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

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn the_others_become_ready_without_a_first_node_whose_volume_is_damaged() -> Result<()> {
    let Some(machines) = Machines::here("damage to a volume") else { return Ok(()) };
    scenario("first-damaged", |ns| {
        let cluster = Cluster::ready(ns, "headless", NODES)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let identity = machines.volume(&cluster, SICK)?.join("node/identity");
        ensure!(identity.is_file(), "{} is no identity of a node", identity.display());
        fs::write(&identity, "nobody\n")?;

        delete_all(&cluster)?;
        cluster.wait_pods_ready(&[1, 2])?;
        cluster.wait_condition("Available", "True", "")?;
        cluster.wait_condition("Degraded", "True", "")?;
        // With N=3, R=W=2 two nodes serve everything.
        for ordinal in [1, 2] {
            ledger.verify(&cluster.pod_address(ordinal)?)?;
        }
        cluster.dynamo(1, &["put", "now", "without the first"])?.ok()?;

        let pod = cluster.pod(SICK);
        until("the damaged node to say so", Duration::from_secs(60), || {
            let log = ns.kubectl(&["logs", &pod, "--container=node", "--tail=20"])?;
            Ok(log.stdout.contains("damaged").then_some(()))
        })?;
        ensure!(!is_ready(&ns.get(&["pod", &pod])?), "{pod} serves from a damaged volume");
        Ok(())
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
