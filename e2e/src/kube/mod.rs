//! A Kubernetes as users see it: through `kubectl` and `helm`, which find it by
//! KUBECONFIG.
//!
//! A [`scenario`] has a namespace of its own, which is gone afterwards. What goes
//! wrong comes with the state of the cluster, its events and the operator's log; what
//! goes well still needs an operator that logged no error.

mod cluster;
mod machines;
mod namespace;
mod operator;
mod readiness;

pub use cluster::Cluster;
pub use machines::{Cut, Machines};
pub use namespace::{Namespace, scenario};
pub use operator::{Operator, chart, repository};
pub use readiness::Readiness;

use crate::command::{Output, run, run_with};
use anyhow::Result;
use serde_json::Value;

/// Runs kubectl.
pub fn kubectl(args: &[&str]) -> Result<Output> {
    run("kubectl", args)
}

/// Runs kubectl with some input.
pub fn kubectl_with(args: &[&str], input: &str) -> Result<Output> {
    run_with("kubectl", args, input, 60)
}

/// The items of a list as kubectl prints it.
pub fn items(list: &Value) -> &[Value] {
    list["items"].as_array().map_or(&[], Vec::as_slice)
}

/// A string somewhere inside of an object; empty if there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a pod serves.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let ready = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    conditions.is_some_and(|c| c.iter().any(ready))
        && pod["metadata"]["deletionTimestamp"].is_null()
}
