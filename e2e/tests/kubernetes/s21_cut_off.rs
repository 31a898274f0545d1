//! One node is cut off for a minute: the others serve on, and when it is back it has
//! what was written meanwhile.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Machines, items, scenario, text},
    wait::until,
    workload::{Plan, Workload},
};
use std::time::Duration;

const NODES: u32 = 3;

/// The node that is cut off, and for how long.
const ALONE: u32 = 1;
const CUT: Duration = Duration::from_secs(60);

/// How long all may take afterwards until they are equal.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_node_that_is_cut_off_for_a_minute_fails_nobody_and_catches_up() -> Result<()> {
    let Some(machines) = Machines::here("a node that is cut off") else { return Ok(()) };
    scenario("cut-off", |ns| {
        let cluster = Cluster::ready(ns, "torn", NODES)?;
        let (nodes, addresses) = (cluster.node_ids()?, cluster.pod_addresses(NODES)?);
        let uid = cluster.pod_uid(ALONE)?;
        let load = Workload::begin(Plan::sloppy(&addresses))?;

        let cut = machines.cut_off(&cluster, ALONE)?;
        until("the others to miss it", CUT, || {
            Ok((state_of(&cluster, ALONE, 0)? == "down").then_some(()))
        })?;
        load.run_for(CUT)?;
        cluster.wait_condition("Available", "True", "")?;
        cut.heal()?;

        cluster.wait_ready(NODES)?;
        ensure!(cluster.pod_uid(ALONE)? == uid, "the pod that was cut off was replaced");
        ensure!(cluster.node_ids()? == nodes, "the nodes are others: {nodes:?}");
        let restarts = |pod: &serde_json::Value| {
            pod.pointer("/status/containerStatuses/0/restartCount").and_then(|c| c.as_u64())
        };
        let pods = cluster.pods()?;
        ensure!(items(&pods).iter().all(|p| restarts(p) == Some(0)), "a node was restarted");

        let report = load.settle(&addresses, NODES, LIMIT)?;
        println!("meanwhile: {report}");
        report.no_failure()
    })
}

/// What one node thinks of another.
fn state_of(cluster: &Cluster<'_>, ordinal: u32, as_seen_by: u32) -> Result<String> {
    let status = cluster.dynamo_json(as_seen_by, &["status"])?;
    let (members, name) = (status["members"].as_array(), cluster.pod(ordinal));
    let member = members.into_iter().flatten().find(|m| text(m, "/name") == name);
    Ok(member.map(|m| text(m, "/state").to_owned()).unwrap_or_default())
}
