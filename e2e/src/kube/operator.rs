//! The operator: installed once by `helm`, as a user would, and watched.

use super::{items, kubectl, kubectl_with, text};
use crate::command::{Output, run_with};
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

const NAMESPACE: &str = "dynamo-system";
const RELEASE: &str = "dynamo";

/// How long helm may wait for pods.
const HELM_SECONDS: u32 = 240;

/// The release of the chart.
#[derive(Debug)]
pub struct Operator {
    tag: String,
}

/// The checkout.
pub fn repository() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect()
}

/// The chart in it.
pub fn chart() -> PathBuf {
    repository().join("charts/dynamo")
}

impl Operator {
    /// Installs it with the first call. Its namespace enforces the restricted Pod
    /// Security Standard, so the chart's own pods are held to it as well.
    pub fn installed() -> Result<&'static Operator> {
        static INSTALLED: OnceLock<std::result::Result<Operator, String>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            let tag = std::env::var("DYNAMO_IMAGE_TAG").unwrap_or_else(|_| "dev".into());
            let operator = Operator { tag };
            operator.install().map(|()| operator).map_err(|e| format!("{e:#}"))
        });
        installed.as_ref().map_err(|e| anyhow::anyhow!("{e}"))
    }

    fn install(&self) -> Result<()> {
        let namespace = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}, \
             labels: {{pod-security.kubernetes.io/enforce: restricted}}}}}}"
        );
        kubectl_with(&["apply", "-f", "-"], &namespace)?.ok()?;
        self.upgrade(&chart().to_string_lossy(), &[])
    }

    /// Installs or upgrades the release, and waits for it.
    pub fn upgrade(&self, chart: &str, set: &[&str]) -> Result<()> {
        let tags = format!("image.tag={0},nodeImage.tag={0}", self.tag);
        let mut args = vec!["upgrade", "--install", RELEASE, chart, "--set", &tags];
        args.extend(["--wait", "--timeout=200s"]);
        args.extend(set.iter().flat_map(|value| ["--set", value]));
        let installed = self.helm(&args)?;
        if installed.status != 0 {
            let pods = self.kubectl(&["describe", "pods"])?.stdout;
            let log = self.kubectl(&["logs", self.deployment(), "--tail=40"])?.stdout;
            println!("{pods}\n{log}");
        }
        installed.ok().map(drop)
    }

    /// Runs helm in the operator's namespace.
    pub fn helm(&self, args: &[&str]) -> Result<Output> {
        let namespace = ["--namespace", NAMESPACE];
        run_with("helm", &[&namespace, args].concat(), "", HELM_SECONDS)
    }

    /// Runs `helm test`.
    pub fn helm_test(&self) -> Result<String> {
        self.helm(&["test", RELEASE, "--timeout=120s"])?.ok()
    }

    /// Runs kubectl in the operator's namespace.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output> {
        kubectl(&[&["--namespace", NAMESPACE], args].concat())
    }

    /// Its Deployment.
    pub fn deployment(&self) -> &'static str {
        "deployment/dynamo-operator"
    }

    /// Nothing that it logged since then is an error or was forbidden, and it never
    /// restarted.
    pub fn log_is_clean(&self, since: Instant) -> Result<()> {
        let since = format!("--since={}s", since.elapsed().as_secs() + 1);
        let selector = "--selector=app.kubernetes.io/name=dynamo-operator";
        let pods = self.kubectl(&["get", "pods", selector, "--output=json"])?.json()?;
        for pod in items(&pods) {
            let restarts = pod.pointer("/status/containerStatuses/0/restartCount");
            let restarts = restarts.and_then(|r| r.as_u64()).unwrap_or(0);
            ensure!(restarts == 0, "the operator has restarted {restarts} times");
            let log = self.kubectl(&["logs", text(pod, "/metadata/name"), &since])?.ok()?;
            let bad = log.lines().find(|line| is_bad(line));
            ensure!(bad.is_none(), "the operator logged: {}", bad.unwrap_or_default());
        }
        Ok(())
    }
}

/// Kubernetes says "forbidden" with every 403.
fn is_bad(line: &str) -> bool {
    line.contains("ERROR") || line.to_lowercase().contains("forbidden")
}

#[cfg(test)]
mod tests {
    use super::is_bad;

    #[test]
    fn errors_and_refusals_are_found_in_a_log() {
        assert!(is_bad(r#"{"level":"ERROR","message":"x"}"#));
        assert!(is_bad("pods is forbidden: User cannot list"));
        assert!(!is_bad(r#"{"level":"INFO","message":"ring laid"}"#));
    }
}
