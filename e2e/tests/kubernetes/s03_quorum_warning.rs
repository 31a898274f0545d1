//! Quorums that do not overlap are legal, and everybody is told.

use anyhow::{Result, ensure};
use dynamo_e2e::kube::{Cluster, scenario};

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn quorums_that_do_not_overlap_are_warned_of() -> Result<()> {
    scenario("warning", |ns| {
        let cluster = Cluster::named(ns, "weak");
        let quorums = "{factor: 3, readQuorum: 1, writeQuorum: 1}";
        let spec = format!("{{replicas: 3, replication: {quorums}, storage: {{size: 1Gi}}}}");
        let applied = ns.apply(&cluster.manifest(&spec))?;
        ensure!(
            applied.stderr.contains("Warning:")
                && applied.stderr.contains("readQuorum 1 + writeQuorum 1 <= factor 3"),
            "kubectl printed: {}",
            applied.stderr
        );
        applied.ok()?;
        cluster.wait_ready(3)?;
        cluster.wait_condition("StrictQuorum", "False", "QuorumsDoNotOverlap")?;
        ensure!(cluster.resource()?["status"]["quorum"] == "3/1/1", "the status shows another");

        let strict = cluster
            .patch(r#"{"spec":{"paused":true,"replication":{"readQuorum":2,"writeQuorum":2}}}"#)?;
        ensure!(!strict.stderr.contains("Warning:"), "2 + 2 > 3, but: {}", strict.stderr);
        strict.ok()?;
        cluster.wait_condition("StrictQuorum", "True", "QuorumsOverlap")
    })
}
