//! A pod that is lost comes back as the same node with its data and with what was
//! written meanwhile, and nobody notices.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, scenario},
    workload::{Ledger, Plan, Workload},
};
use std::time::Duration;

const NODES: u32 = 3;

/// How long hints and repairs may take to reach a node that is back.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_deleted_pod_returns_with_its_identity_and_data() -> Result<()> {
    scenario("pod-deleted", |ns| {
        let cluster = Cluster::ready(ns, "lasting", NODES)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let load = Workload::begin(Plan::sloppy(&[cluster.address()?]))?;

        // Told to stop, and killed without a word.
        replace(&cluster, 1, &["--wait=false"])?;
        replace(&cluster, 2, &["--force", "--grace-period=0", "--wait=false"])?;

        // With N=3, R=W=2 one node may be away: there is nothing that may fail. All
        // three are primaries of every key, and each comes to hold every write.
        let addresses = cluster.pod_addresses(NODES)?;
        let report = load.settle(&addresses, NODES, LIMIT)?;
        println!("meanwhile: {report}");
        report.no_failure()?;
        addresses.iter().try_for_each(|address| ledger.verify(address))
    })
}

fn replace(cluster: &Cluster<'_>, ordinal: u32, how: &[&str]) -> Result<()> {
    let (nodes, uid) = (cluster.node_ids()?, cluster.pod_uid(ordinal)?);
    let pod = cluster.pod(ordinal);
    cluster.namespace().kubectl(&[&["delete", "pod", &pod], how].concat())?.ok()?;
    cluster.wait_replaced(ordinal, &uid)?;
    cluster.wait_ready(NODES)?;
    ensure!(cluster.node_ids()? == nodes, "the node in {pod} is another: {nodes:?}");
    let status = cluster.dynamo_json(ordinal, &["status"])?;
    let keys = status["keys_estimate"].as_u64().unwrap_or(0);
    ensure!(keys > 0, "the node in {pod} came back without data: {status}");
    Ok(())
}
