//! Nobody takes nodes away behind the operator's back.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    command::Output,
    kube::{Cluster, Namespace, Operator, chart, scenario},
    wait::until,
    workload::{Ledger, Workload},
};
use std::time::Duration;

const GUARDED: &str = "are managed by the Dynamo operator: use kubectl scale dyn";

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_direct_scale_of_the_stateful_set_is_refused_or_reverted() -> Result<()> {
    scenario("guard", |ns| {
        let cluster = Cluster::ready(ns, "guarded", 3)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;

        // Refused, by either way to scale; other changes are not the guard's business.
        scale(ns, &cluster, 2)?.refused(GUARDED)?;
        patch(ns, &cluster, r#"{"spec":{"replicas":2}}"#)?.refused(GUARDED)?;
        patch(ns, &cluster, r#"{"metadata":{"labels":{"team":"mine"}}}"#)?.ok()?;

        // Without the guard the operator puts it back, and nothing is lost.
        let load = Workload::start(&cluster.address()?)?;
        without_the_guard(ns, &cluster)?;
        ledger.verify(&cluster.address()?)?;
        let report = load.stop()?;
        println!("meanwhile: {report}");
        report.no_failure()
    })
}

fn without_the_guard(ns: &Namespace, cluster: &Cluster<'_>) -> Result<()> {
    let operator = Operator::installed()?;
    let nodes = cluster.node_ids()?;
    operator.upgrade(&chart().to_string_lossy(), &["guard.enabled=false"])?;
    let result = until("the guard to be gone", Duration::from_secs(30), || {
        Ok((scale(ns, cluster, 2)?.status == 0).then_some(()))
    })
    .and_then(|()| cluster.wait_event("StatefulSetDriftReverted"))
    .and_then(|()| cluster.wait_ready(3));
    operator.upgrade(&chart().to_string_lossy(), &[])?;
    result?;
    ensure!(cluster.stateful_set()?["spec"]["replicas"] == 3, "it was not put back");
    until("the same nodes", Duration::from_secs(30), || {
        Ok((cluster.node_ids()? == nodes).then_some(()))
    })?;
    until("the guard to be back", Duration::from_secs(30), || {
        let tried = patch(ns, cluster, r#"{"spec":{"replicas":2}}"#)?;
        Ok((tried.status != 0 && tried.stderr.contains(GUARDED)).then_some(()))
    })?;
    cluster.wait_ready(3)
}

fn scale(ns: &Namespace, cluster: &Cluster<'_>, replicas: u32) -> Result<Output> {
    let replicas = format!("--replicas={replicas}");
    ns.kubectl(&["scale", "statefulset", &cluster.workload(), &replicas])
}

fn patch(ns: &Namespace, cluster: &Cluster<'_>, patch: &str) -> Result<Output> {
    ns.kubectl(&["patch", "statefulset", &cluster.workload(), "--type=merge", "--patch", patch])
}
