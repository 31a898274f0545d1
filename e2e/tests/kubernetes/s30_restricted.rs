//! Nodes run where the strictest Pod Security Standard is enforced.

use anyhow::{Result, ensure};
use dynamo_e2e::kube::{Cluster, scenario};

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_restricted_namespace_has_no_violation() -> Result<()> {
    scenario("restricted", |ns| {
        for mode in ["enforce", "warn"] {
            ns.label(&format!("pod-security.kubernetes.io/{mode}=restricted"))?;
        }
        let cluster = Cluster::named(ns, "strict");
        let spec = "{replicas: 1, replication: {factor: 1, readQuorum: 1, writeQuorum: 1}, \
                    storage: {size: 1Gi}}";
        ns.apply(&cluster.manifest(spec))?.ok()?;
        cluster.wait_ready(1)?;
        cluster.dynamo(0, &["put", "key", "value"])?.ok()?;
        let events = ns.events(&cluster.workload())?;
        ensure!(!events.iter().any(|e| e == "FailedCreate"), "pods were refused: {events:?}");
        Ok(())
    })
}
