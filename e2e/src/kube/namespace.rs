//! A namespace for one scenario.

use super::{Operator, items, kubectl, kubectl_with, text};
use crate::command::Output;
use anyhow::Result;
use serde_json::Value;
use std::time::Instant;

/// How many lines of a log are shown with an error.
const TAIL: &str = "--tail=40";

/// A namespace.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// Runs one scenario in a fresh namespace, with the operator installed.
///
/// What helps to understand a failure is printed.
///
/// # Errors
/// That of the scenario, or an operator that logged an error meanwhile.
pub fn scenario(name: &str, body: impl FnOnce(&Namespace) -> Result<()>) -> Result<()> {
    let operator = Operator::installed()?;
    let ns = Namespace { name: format!("e2e-{name}") };
    let began = Instant::now();
    ns.create()?;
    let result = body(&ns).and_then(|()| operator.log_is_clean(began));
    let seconds = began.elapsed().as_secs();
    match &result {
        Ok(()) => println!("{name}: holds after {seconds} s"),
        Err(_) => eprintln!("{name}: FAILED after {seconds} s\n{}", ns.describe(operator)),
    }
    ns.delete();
    result
}

impl Namespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs kubectl in it.
    pub fn kubectl(&self, args: &[&str]) -> Result<Output> {
        kubectl(&[&["--namespace", &self.name], args].concat())
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> Result<Output> {
        kubectl_with(&["--namespace", &self.name, "apply", "-f", "-"], manifest)
    }

    /// Reads objects.
    pub fn get(&self, what: &[&str]) -> Result<Value> {
        self.kubectl(&[&["get", "--output=json"], what].concat())?.json()
    }

    /// Sets a label of the namespace itself.
    pub fn label(&self, label: &str) -> Result<()> {
        kubectl(&["label", "namespace", &self.name, label])?.ok().map(drop)
    }

    /// The reasons of the events about an object, oldest first.
    pub fn events(&self, about: &str) -> Result<Vec<String>> {
        let about = format!("--field-selector=involvedObject.name={about}");
        let list = self.get(&["events", &about, "--sort-by=.metadata.creationTimestamp"])?;
        Ok(items(&list).iter().map(|e| text(e, "/reason").to_owned()).collect())
    }

    fn create(&self) -> Result<()> {
        // One that a run before this one left.
        kubectl(&["delete", "namespace", &self.name, "--ignore-not-found", "--timeout=55s"])?
            .ok()?;
        kubectl(&["create", "namespace", &self.name])?.ok().map(drop)
    }

    /// Its end is not waited for: the next scenario has another one.
    fn delete(&self) {
        if let Err(error) = kubectl(&["delete", "namespace", &self.name, "--wait=false"]) {
            eprintln!("{error:#}");
        }
    }

    /// What helps to understand a failure.
    fn describe(&self, operator: &Operator) -> String {
        let show = |title: &str, output: Result<Output>| match output {
            Ok(output) => format!("--- {title}\n{}{}", output.stdout, output.stderr),
            Err(error) => format!("--- {title}\n{error:#}\n"),
        };
        let nodes = ["logs", "--selector=app.kubernetes.io/name=dynamo", "--prefix", TAIL];
        [
            format!("in namespace {}", self.name),
            show("clusters", self.kubectl(&["get", "dyn", "--output=yaml"])),
            show("events", self.kubectl(&["get", "events", "--sort-by=.lastTimestamp"])),
            show("objects", self.kubectl(&["get", "all,pvc", "--output=wide"])),
            show("logs of the nodes", self.kubectl(&nodes)),
            show("log of the operator", operator.kubectl(&["logs", operator.deployment(), TAIL])),
        ]
        .join("\n")
    }
}
