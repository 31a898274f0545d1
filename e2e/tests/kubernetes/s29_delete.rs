//! A cluster goes quickly, its volumes stay, and a new one takes them over.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, items, scenario},
    wait::until,
    workload::Ledger,
};
use std::time::Duration;

const OBJECTS: &str = "statefulset,pod,service,serviceaccount,poddisruptionbudget,networkpolicy";

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_deleted_cluster_is_gone_and_its_data_is_adopted() -> Result<()> {
    scenario("delete", |ns| {
        let cluster = Cluster::ready(ns, "phoenix", 3)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let (nodes, ring) = (cluster.node_ids()?, cluster.resource()?["status"]["ring"].clone());

        ns.kubectl(&["delete", "dyn", "phoenix", "--wait=false"])?.ok()?;
        until("all objects to be gone", Duration::from_secs(60), || {
            let left = ns.get(&[OBJECTS, "--selector", &cluster.selector()])?;
            let cluster = ns.get(&["dyn"])?;
            Ok((items(&left).is_empty() && items(&cluster).is_empty()).then_some(()))
        })?;
        let claims = ns.get(&["pvc"])?;
        ensure!(items(&claims).len() == 3, "{} claims are left", items(&claims).len());

        let again = Cluster::ready(ns, "phoenix", 3)?;
        ensure!(again.node_ids()? == nodes, "the nodes are others: {nodes:?}");
        let ring_now = again.resource()?["status"]["ring"].clone();
        ensure!(ring_now == ring, "the ring was {ring} and is {ring_now}");
        ledger.verify(&again.address()?)
    })
}
