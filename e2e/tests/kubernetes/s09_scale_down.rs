//! Fewer nodes are refused as long as their partitions cannot be moved.

use anyhow::{Result, ensure};
use dynamo_e2e::kube::{Cluster, scenario, text};

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_scale_down_is_refused_or_blocked_and_takes_no_node() -> Result<()> {
    scenario("scale-down", |ns| {
        let cluster = Cluster::ready(ns, "stays", 5)?;
        let before = cluster.stateful_set()?;
        let nodes = cluster.node_ids()?;

        // Below the factor: not even accepted.
        cluster.scale(2)?.refused("replicas is 2 but replication.factor is 3")?;

        // Above it: accepted, and blocked with the reason.
        cluster.scale(4)?.ok()?;
        cluster.wait_condition("ScaleDownBlocked", "True", "PartitionsCannotMove")?;
        cluster.wait_event("ScaleDownBlocked")?;
        let after = cluster.stateful_set()?;
        ensure!(after["spec"]["replicas"] == 5, "the StatefulSet was scaled: {}", after["spec"]);
        let generation = "/metadata/generation";
        ensure!(after.pointer(generation) == before.pointer(generation), "it was changed");
        ensure!(cluster.node_ids()? == nodes, "the nodes are others");
        ensure!(cluster.condition("Available")?.0 == "True", "it is not available");

        // Taken back, as the message says.
        let resource = cluster.resource()?;
        let conditions = resource["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let blocked = conditions.iter().find(|c| c["type"] == "ScaleDownBlocked");
        let message = blocked.map(|c| text(c, "/message")).unwrap_or_default();
        ensure!(message.contains("set replicas back to 5"), "the message is: {message}");
        cluster.scale(5)?.ok()?;
        cluster.wait_condition("ScaleDownBlocked", "False", "")
    })
}
