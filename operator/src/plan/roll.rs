//! The careful roll: one pod at a time, and only while nothing else is wrong.

use super::{create::sees, target};
use crate::{
    observed::{Observed, Pod},
    validate::ValidatedCluster,
};

/// What a roll does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Roll<'a> {
    /// Every pod is of the latest revision.
    Done,
    /// Nothing for now, and why.
    Wait(String),
    /// Replace this pod.
    Evict(&'a Pod),
}

/// A pod that is not ready goes first: it serves nobody, and it may be what was to be
/// healed. Then the highest ordinal. A ready pod is given up only when all others are
/// ready, the changed ones for long enough, and every node sees every other in its
/// present life: otherwise two replicas of a key could be away at once.
///
/// A changed pod that does not even answer stops everything: the change is bad.
pub fn roll<'a>(cluster: &ValidatedCluster, seen: &'a Observed) -> Roll<'a> {
    let (Some(ring), Some(workload)) = (cluster.ring, &seen.workload) else { return Roll::Done };
    if !workload.current {
        return Roll::Wait("the StatefulSet controller has not seen the change yet".into());
    }
    if seen.outdated().next().is_none() {
        return Roll::Done;
    }
    let absent = (0..target(cluster, seen).replicas)
        .find(|ordinal| seen.pods.get(ordinal).is_none_or(|p| p.terminating));
    if let Some(ordinal) = absent {
        return Roll::Wait(format!("pod {} is being replaced", cluster.pod(ordinal)));
    }
    let changed = |p: &&Pod| p.revision == workload.revision;
    let silent = seen.pods.values().filter(changed).find(|p| p.node_of(ring.id).is_none());
    if let Some(pod) = silent {
        let why = pod.trouble.as_deref().unwrap_or("it does not answer yet");
        return Roll::Wait(format!("the changed pod {} is not up: {why}", pod.name));
    }
    if let Some(pod) = seen.outdated().rev().find(|p| !p.is_ready()) {
        return Roll::Evict(pod);
    }
    let settled = seen.pods.values().filter(changed).find(|p| !is_settled(cluster, seen, p));
    if let Some(pod) = settled {
        let wanted = cluster.min_ready.as_secs();
        return Roll::Wait(format!("the changed pod {} is not ready for {wanted} s yet", pod.name));
    }
    if let Some(reason) = disagreement(seen) {
        return Roll::Wait(reason);
    }
    seen.outdated().next_back().map_or(Roll::Done, Roll::Evict)
}

fn is_settled(cluster: &ValidatedCluster, seen: &Observed, pod: &Pod) -> bool {
    let ready = pod.ready_since.filter(|_| pod.is_ready());
    ready.is_some_and(|since| seen.now.duration_since(since) >= cluster.min_ready)
}

/// Who does not see whom, or holds another ring.
fn disagreement(seen: &Observed) -> Option<String> {
    let mut nodes = Vec::new();
    for pod in seen.pods.values() {
        match &pod.node {
            Some(node) => nodes.push((pod, node)),
            None => return Some(format!("pod {} does not answer", pod.name)),
        }
    }
    for (pod, node) in &nodes {
        for (other_pod, other) in &nodes {
            if !sees(node, other) {
                return Some(format!("pod {} does not see {} yet", pod.name, other_pod.name));
            }
            if node.epoch != other.epoch {
                let (a, b) = (&pod.name, &other_pod.name);
                return Some(format!("pods {a} and {b} do not hold the same ring yet"));
            }
        }
    }
    None
}
