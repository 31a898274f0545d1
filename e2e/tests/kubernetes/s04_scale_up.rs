//! More nodes join, serve, and say that they wait for partitions.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, scenario},
    wait::until,
    workload::{Ledger, Workload},
};
use std::time::Duration;

const KEYS: usize = 200;

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn two_more_nodes_join_and_serve() -> Result<()> {
    scenario("scale-up", |ns| {
        let cluster = Cluster::ready(ns, "grows", 3)?;
        let ledger = Ledger::write(&cluster.address()?, KEYS)?;
        let before = cluster.node_ids()?;
        let digest = cluster.dynamo_json(0, &["ring"])?["digest"].clone();
        let load = Workload::start(&cluster.address()?)?;

        cluster.scale(5)?.ok()?;
        cluster.wait_ready(5)?;
        cluster.wait_condition("Progressing", "True", "RebalancePending")?;
        cluster.wait_condition("RingConverged", "True", "")?;
        cluster.wait_event("NodeJoined")?;

        // Nobody was restarted or moved, and every node knows all five.
        let after = cluster.node_ids()?;
        ensure!(after.len() == 5, "the status shows {after:?}");
        ensure!(before.iter().all(|(pod, id)| after.get(pod) == Some(id)), "{before:?} {after:?}");
        for ordinal in 0..5 {
            knows_five(&cluster, ordinal)?;
            let ring = cluster.dynamo_json(ordinal, &["ring"])?;
            ensure!(ring["digest"] == digest, "the ring changed at pod {ordinal}: {ring}");
        }

        // Every key is still readable, at the new nodes as well.
        for ordinal in 0..5 {
            ledger.verify(&cluster.pod_address(ordinal)?)?;
        }
        cluster.dynamo(4, &["put", "new", "served by a new node"])?.ok()?;
        let got = cluster.dynamo(3, &["get", "new"])?.ok()?;
        ensure!(got.contains("served by a new node"), "pod 3 read {got}");

        let report = load.stop()?;
        println!("meanwhile: {report}");
        report.no_failure()
    })
}

fn knows_five(cluster: &Cluster<'_>, ordinal: u32) -> Result<()> {
    until(&format!("five members at pod {ordinal}"), Duration::from_secs(30), || {
        let status = cluster.dynamo_json(ordinal, &["status"])?;
        let members = status["members"].as_array().map_or(0, Vec::len);
        Ok((members == 5).then_some(()))
    })
}
