//! A change of settings goes through the nodes one at a time, under load.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Readiness, items, scenario, text},
    workload::{Ledger, Workload},
};

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_change_of_settings_never_takes_two_nodes_away() -> Result<()> {
    scenario("roll", |ns| {
        let cluster = Cluster::ready(ns, "rolls", 3)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let nodes = cluster.node_ids()?;
        let load = Workload::start(&cluster.address()?)?;
        let readiness = Readiness::watch(&cluster)?;

        let change = r#"{"spec":{
            "config":{"logLevel":"Debug"}, "updateStrategy":{"minReadySeconds":2},
            "podTemplate":{"env":[{"name":"ROLLED","value":"yes"}]}}}"#;
        cluster.patch(change)?.ok()?;
        cluster.wait_event("RolloutStarted")?;
        cluster.wait_condition("Progressing", "False", "Stable")?;
        cluster.wait_event("RolloutCompleted")?;
        cluster.wait_ready(3)?;

        let away = readiness.most_away()?;
        ensure!(away == 1, "{away} nodes were away at once");
        let pods = cluster.pods()?;
        let changed = |p: &serde_json::Value| p.to_string().contains("ROLLED");
        ensure!(items(&pods).iter().all(changed), "not every pod has the new settings");
        ensure!(cluster.node_ids()? == nodes, "the nodes are others: {nodes:?}");
        ensure!(
            items(&pods).iter().all(|p| text(p, "/status/phase") == "Running"),
            "not all pods run"
        );
        let report = load.stop()?;
        println!("meanwhile: {report}");
        report.no_failure()?;
        ledger.verify(&cluster.address()?)
    })
}
