//! The chart: checked, tested by `helm test`, and its upgrade updates the API.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    command::{run, run_with},
    kube::{Operator, chart, kubectl, repository, scenario},
    wait::until,
};
use std::time::Duration;

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn the_chart_passes_its_checks_and_refuses_bad_values() -> Result<()> {
    run_with(&repository().join("charts/check").to_string_lossy(), &[], "", 120)?.ok()?;
    let operator = Operator::installed()?;
    let chart = chart();
    let args = ["upgrade", "dynamo", &chart.to_string_lossy(), "--set", "replica=2"];
    operator.helm(&args)?.refused("replica").map(drop)
}

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn helm_test_puts_and_gets() -> Result<()> {
    scenario("helm-test", |_| {
        let shown = Operator::installed()?.helm_test()?;
        ensure!(shown.contains("Succeeded"), "helm test printed: {shown}");
        Ok(())
    })
}

/// An older API is made from the present one by taking something away.
#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn an_upgrade_updates_the_api() -> Result<()> {
    scenario("upgrade", |_| {
        let operator = Operator::installed()?;
        let older = tempfile::tempdir()?;
        let copy = older.path().join("dynamo");
        run("cp", &["-r", &chart().to_string_lossy(), &copy.to_string_lossy()])?.ok()?;
        let file = copy.join("files/crds/dynamoclusters.dynamokv.io.yaml");
        let text = std::fs::read_to_string(&file)?;
        std::fs::write(&file, text.replacen("    shortNames:\n    - dyn\n", "", 1))?;

        operator.upgrade(&copy.to_string_lossy(), &[])?;
        has_short_name(false)?;
        operator.upgrade(&chart().to_string_lossy(), &[])?;
        has_short_name(true)
    })
}

fn has_short_name(wanted: bool) -> Result<()> {
    until(&format!("a short name to be there: {wanted}"), Duration::from_secs(30), || {
        let resources = kubectl(&["api-resources", "--api-group=dynamokv.io", "--no-headers"])?;
        let short = resources.ok()?.split_whitespace().any(|word| word == "dyn");
        Ok((short == wanted).then_some(()))
    })
}
