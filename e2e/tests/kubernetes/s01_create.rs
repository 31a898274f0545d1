//! From `helm install` and `kubectl apply` to a quorum.

use anyhow::{Result, ensure};
use dynamo_e2e::kube::{Cluster, repository, scenario};

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_cluster_of_three_nodes() -> Result<()> {
    scenario("three", |ns| {
        ns.apply(&std::fs::read_to_string(repository().join("docs/examples/three-nodes.yaml"))?)?
            .ok()?;
        serves(&Cluster::named(ns, "three"), 3)
    })
}

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_cluster_of_five_nodes() -> Result<()> {
    scenario("five", |ns| {
        ns.apply(&std::fs::read_to_string(repository().join("docs/examples/five-nodes.yaml"))?)?
            .ok()?;
        serves(&Cluster::named(ns, "five"), 5)
    })
}

fn serves(cluster: &Cluster<'_>, nodes: u32) -> Result<()> {
    cluster.wait_ready(nodes)?;
    for (condition, status) in
        [("Available", "True"), ("Degraded", "False"), ("RingConverged", "True")]
    {
        cluster.wait_condition(condition, status, "")?;
    }
    cluster.wait_condition("Progressing", "False", "Stable")?;
    cluster.wait_event("RingInitialized")?;
    every_node_holds_the_same_ring(cluster, nodes)?;
    every_node_serves(cluster, nodes)?;

    // From outside, through the Service.
    cluster.dynamo_from_host(&["put", "from outside", "through the Service"])?.ok()?;
    let got = cluster.dynamo_from_host(&["get", "from outside"])?.ok()?;
    ensure!(got.contains("through the Service"), "read through the Service: {got}");

    let columns = cluster.namespace().kubectl(&["get", "dyn"])?.ok()?;
    ensure!(columns.contains("3/2/2") && columns.contains("Stable"), "columns: {columns}");
    Ok(())
}

fn every_node_holds_the_same_ring(cluster: &Cluster<'_>, nodes: u32) -> Result<()> {
    let first = cluster.dynamo_json(0, &["ring"])?;
    let digest = first["digest"].as_str().unwrap_or_default();
    ensure!(!digest.is_empty(), "pod 0 shows a ring without a digest: {first}");
    for ordinal in 1..nodes {
        let ring = cluster.dynamo_json(ordinal, &["ring"])?;
        ensure!(ring["digest"] == digest, "pods 0 and {ordinal} differ:\n{first}\n{ring}");
    }
    Ok(())
}

/// What is put at one pod is read at the next one, through the Service's name.
fn every_node_serves(cluster: &Cluster<'_>, nodes: u32) -> Result<()> {
    let service = format!("{}:7070", cluster.workload());
    for ordinal in 0..nodes {
        let (key, value) = (format!("of pod {ordinal}"), format!("value {ordinal}"));
        cluster.dynamo(ordinal, &["put", &key, &value])?.ok()?;
        let next = (ordinal + 1) % nodes;
        for server in ["127.0.0.1:7070", &service] {
            let got = cluster.dynamo(next, &["--server", server, "get", &key])?.ok()?;
            ensure!(got.contains(&value), "pod {next} read {got:?} for {key:?} at {server}");
        }
    }
    Ok(())
}
