//! One `DynamoCluster` and what belongs to it.

use super::{Namespace, is_ready, items, text};
use crate::command::{Output, run};
use crate::wait::until;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a cluster may take to become ready, images being there already.
const READY: Duration = Duration::from_secs(180);

/// A cluster in a namespace.
#[derive(Debug)]
pub struct Cluster<'a> {
    ns: &'a Namespace,
    name: String,
}

impl<'a> Cluster<'a> {
    /// Applies a cluster of so many nodes, and waits until it is ready.
    pub fn ready(ns: &'a Namespace, name: &str, replicas: u32) -> Result<Cluster<'a>> {
        let cluster = Cluster::named(ns, name);
        let spec = format!("{{replicas: {replicas}, storage: {{size: 1Gi}}}}");
        ns.apply(&cluster.manifest(&spec))?.ok()?;
        cluster.wait_ready(replicas)?;
        Ok(cluster)
    }

    /// One that is applied, or not, by other means.
    pub fn named(ns: &'a Namespace, name: &str) -> Cluster<'a> {
        Cluster { ns, name: name.to_owned() }
    }

    /// What asks for it with this specification, in YAML on one line.
    pub fn manifest(&self, spec: &str) -> String {
        let name = &self.name;
        format!(
            "apiVersion: dynamokv.io/v1alpha1\nkind: DynamoCluster\n\
             metadata: {{name: \"{name}\"}}\nspec: {spec}\n"
        )
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        self.ns
    }

    /// The name of the StatefulSet, the client Service and others.
    pub fn workload(&self) -> String {
        format!("{}-dynamo", self.name)
    }

    /// The name of a pod.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.workload())
    }

    /// What selects the pods.
    pub fn selector(&self) -> String {
        format!("app.kubernetes.io/name=dynamo,app.kubernetes.io/instance={}", self.name)
    }

    /// The resource as it is now.
    pub fn resource(&self) -> Result<Value> {
        self.ns.get(&["dyn", &self.name])
    }

    /// The StatefulSet as it is now.
    pub fn stateful_set(&self) -> Result<Value> {
        self.ns.get(&["statefulset", &self.workload()])
    }

    /// All its pods.
    pub fn pods(&self) -> Result<Value> {
        self.ns.get(&["pods", "--selector", &self.selector()])
    }

    /// The identity that Kubernetes gave a pod, new with every pod.
    pub fn pod_uid(&self, ordinal: u32) -> Result<String> {
        Ok(text(&self.ns.get(&["pod", &self.pod(ordinal)])?, "/metadata/uid").to_owned())
    }

    /// The name of the claim of a pod's volume.
    pub fn claim_name(&self, ordinal: u32) -> Result<String> {
        let set = self.stateful_set()?;
        let template = text(&set, "/spec/volumeClaimTemplates/0/metadata/name");
        ensure!(!template.is_empty(), "{} claims no volumes", self.workload());
        Ok(format!("{template}-{}", self.pod(ordinal)))
    }

    /// The claim of a pod's volume.
    pub fn claim(&self, ordinal: u32) -> Result<Value> {
        self.ns.get(&["pvc", &self.claim_name(ordinal)?])
    }

    /// Waits until there is another pod in the place of one, ready or not.
    pub fn wait_replaced(&self, ordinal: u32, uid: &str) -> Result<()> {
        let pod = self.pod(ordinal);
        until(&format!("another pod {pod}"), Duration::from_secs(60), || {
            let found =
                self.ns.kubectl(&["get", "pod", &pod, "--output=jsonpath={.metadata.uid}"])?;
            Ok((found.status == 0 && found.stdout != uid).then_some(()))
        })
    }

    /// Waits until Kubernetes calls these pods ready, whatever the others are.
    pub fn wait_pods_ready(&self, ordinals: &[u32]) -> Result<()> {
        until(&format!("pods {ordinals:?} to be ready"), READY, || {
            let pods = self.pods()?;
            let ready = |o: &u32| {
                let name = self.pod(*o);
                items(&pods).iter().any(|p| text(p, "/metadata/name") == name && is_ready(p))
            };
            Ok(ordinals.iter().all(ready).then_some(()))
        })
    }

    /// `kubectl scale dyn`.
    pub fn scale(&self, replicas: u32) -> Result<Output> {
        self.ns.kubectl(&["scale", "dyn", &self.name, &format!("--replicas={replicas}")])
    }

    /// `kubectl patch dyn`.
    pub fn patch(&self, patch: &str) -> Result<Output> {
        self.ns.kubectl(&["patch", "dyn", &self.name, "--type=merge", "--patch", patch])
    }

    /// A condition's status and reason; empty as long as there is none.
    pub fn condition(&self, kind: &str) -> Result<(String, String)> {
        let resource = self.resource()?;
        let conditions = resource["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|c| c["type"] == kind).unwrap_or_default();
        Ok((text(&found, "/status").to_owned(), text(&found, "/reason").to_owned()))
    }

    /// Waits until a condition has this status and, unless it is empty, this reason.
    pub fn wait_condition(&self, kind: &str, status: &str, reason: &str) -> Result<()> {
        until(&format!("{kind}={status} {reason}"), READY, || {
            let (is, why) = self.condition(kind)?;
            Ok((is == status && (reason.is_empty() || why == reason)).then_some(()))
        })
    }

    /// Waits until the operator and Kubernetes call all its nodes ready.
    pub fn wait_ready(&self, replicas: u32) -> Result<()> {
        let wanted = usize::try_from(replicas)?;
        until(&format!("{replicas} ready nodes and the condition Ready"), READY, || {
            let ready = items(&self.pods()?).iter().filter(|p| is_ready(p)).count();
            Ok((ready == wanted && self.condition("Ready")?.0 == "True").then_some(()))
        })
    }

    /// Waits until an event with this reason was told about it.
    pub fn wait_event(&self, reason: &str) -> Result<()> {
        until(&format!("the event {reason}"), Duration::from_secs(30), || {
            Ok(self.ns.events(&self.name)?.iter().any(|r| r == reason).then_some(()))
        })
    }

    /// The id of each pod's node, as the status tells.
    pub fn node_ids(&self) -> Result<BTreeMap<String, String>> {
        let resource = self.resource()?;
        let nodes = resource["status"]["nodes"].as_array().cloned().unwrap_or_default();
        let ids = nodes.iter().map(|n| (text(n, "/podName"), text(n, "/nodeId")));
        Ok(ids.map(|(pod, id)| (pod.to_owned(), id.to_owned())).collect())
    }

    /// Runs `dynamo` in a pod.
    pub fn dynamo(&self, ordinal: u32, args: &[&str]) -> Result<Output> {
        let pod = self.pod(ordinal);
        self.ns.kubectl(&[&["exec", &pod, "--container=node", "--", "dynamo"], args].concat())
    }

    /// Runs `dynamo --output json` in a pod.
    pub fn dynamo_json(&self, ordinal: u32, args: &[&str]) -> Result<Value> {
        self.dynamo(ordinal, &[&["--output", "json"], args].concat())?.json()
    }

    /// Runs `dynamo` here, against the client Service.
    pub fn dynamo_from_host(&self, args: &[&str]) -> Result<Output> {
        run("dynamo", &[&["--server", &self.address()?], args].concat())
    }

    /// Where clients reach the Service from this machine.
    pub fn address(&self) -> Result<String> {
        let service = self.ns.get(&["service", &self.workload()])?;
        let ip = text(&service, "/spec/clusterIP");
        ensure!(!ip.is_empty(), "the Service {} has no address", self.workload());
        Ok(format!("{ip}:7070"))
    }

    /// Where clients reach one node from this machine.
    pub fn pod_address(&self, ordinal: u32) -> Result<String> {
        let pod = self.ns.get(&["pod", &self.pod(ordinal)])?;
        let ip = text(&pod, "/status/podIP");
        ensure!(!ip.is_empty(), "the pod {} has no address", self.pod(ordinal));
        Ok(format!("{ip}:7070"))
    }

    /// Where clients reach the nodes of the first so many pods from this machine.
    pub fn pod_addresses(&self, replicas: u32) -> Result<Vec<String>> {
        (0..replicas).map(|ordinal| self.pod_address(ordinal)).collect()
    }

    /// The resident memory of a node in bytes, from its metrics.
    pub fn memory(&self, ordinal: u32) -> Result<f64> {
        let metric = "process_resident_memory_bytes";
        let (ns, pod) = (self.ns.name(), self.pod(ordinal));
        let path = format!("/api/v1/namespaces/{ns}/pods/{pod}:7072/proxy/metrics");
        let metrics = self.ns.kubectl(&["get", "--raw", &path])?.ok()?;
        let line = metrics.lines().find_map(|l| l.strip_prefix(metric)?.split(' ').next_back());
        let value = line.with_context(|| format!("the node {pod} has no metric {metric}"))?;
        value.parse().with_context(|| format!("{metric} of {pod} is {value}"))
    }
}
