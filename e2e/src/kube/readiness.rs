//! Watches the pods of a cluster and counts how many were away at once.

use super::{Cluster, is_ready, items, text};
use anyhow::{Context, Result};
use serde_json::{Deserializer, Value};
use std::collections::BTreeMap;
use std::io::BufReader;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// A watch that is going on. It sees every change, not only what a look now and then
/// would find.
#[derive(Debug)]
pub struct Readiness {
    child: Child,
    thread: JoinHandle<usize>,
}

impl Readiness {
    /// Begins, with pods that are all ready.
    pub fn watch(cluster: &Cluster<'_>) -> Result<Readiness> {
        let pods = cluster.pods()?;
        let ready = items(&pods).iter().map(|p| (name(p), is_ready(p))).collect();
        let mut child = Command::new("kubectl")
            .args(["--namespace", cluster.namespace().name(), "get", "pods"])
            .args(["--selector", &cluster.selector()])
            .args(["--watch", "--output-watch-events", "--output=json"])
            .stdout(Stdio::piped())
            .spawn()
            .context("starting kubectl get pods --watch")?;
        let events = child.stdout.take().context("kubectl has no output")?;
        let thread = std::thread::spawn(move || most_away(events, ready));
        Ok(Readiness { child, thread })
    }

    /// Ends, and tells how many pods were away at once at the worst.
    pub fn most_away(mut self) -> Result<usize> {
        self.child.kill()?;
        self.child.wait()?;
        self.thread.join().map_err(|_| anyhow::anyhow!("the watch panicked"))
    }
}

fn most_away(events: ChildStdout, mut ready: BTreeMap<String, bool>) -> usize {
    let mut most = 0;
    // It ends when kubectl is killed, be it in the middle of an event.
    for event in Deserializer::from_reader(BufReader::new(events)).into_iter::<Value>() {
        let Ok(event) = event else { break };
        let (pod, gone) = (&event["object"], event["type"] == "DELETED");
        ready.insert(name(pod), !gone && is_ready(pod));
        most = most.max(ready.values().filter(|r| !**r).count());
    }
    most
}

fn name(pod: &Value) -> String {
    text(pod, "/metadata/name").to_owned()
}
