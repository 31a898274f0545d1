//! A pod that is lost comes back as the same node with its data, and nobody notices.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Namespace, scenario},
    wait::until,
    workload::{Ledger, Workload},
};
use std::time::Duration;

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_deleted_pod_returns_with_its_identity_and_data() -> Result<()> {
    scenario("pod-deleted", |ns| {
        let cluster = Cluster::ready(ns, "lasting", 3)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let load = Workload::start(&cluster.address()?)?;

        // Told to stop, and killed without a word.
        replace(ns, &cluster, 1, &["--wait=false"])?;
        replace(ns, &cluster, 2, &["--force", "--grace-period=0", "--wait=false"])?;

        // With N=3, R=W=2 one node may be away: there is nothing that may fail, and
        // every acknowledged write is still there.
        let report = load.stop()?;
        println!("meanwhile: {report}");
        report.no_failure()?;
        for ordinal in 0..3 {
            ledger.verify(&cluster.pod_address(ordinal)?)?;
        }
        Ok(())
    })
}

fn replace(ns: &Namespace, cluster: &Cluster<'_>, ordinal: u32, how: &[&str]) -> Result<()> {
    let (nodes, uid) = (cluster.node_ids()?, cluster.pod_uid(ordinal)?);
    let pod = cluster.pod(ordinal);
    ns.kubectl(&[&["delete", "pod", &pod], how].concat())?.ok()?;
    until("another pod of that name", Duration::from_secs(60), || {
        let found = ns.kubectl(&["get", "pod", &pod, "--output=jsonpath={.metadata.uid}"])?;
        Ok((found.status == 0 && found.stdout != uid).then_some(()))
    })?;
    cluster.wait_ready(3)?;
    ensure!(cluster.node_ids()? == nodes, "the node in {pod} is another: {nodes:?}");
    let status = cluster.dynamo_json(ordinal, &["status"])?;
    let keys = status["keys_estimate"].as_u64().unwrap_or(0);
    ensure!(keys > 0, "the node in {pod} came back without data: {status}");
    Ok(())
}
