//! What holds and what does not, all but what the operator itself is doing.

use super::Finding;
use crate::{
    api::{ConditionType, NodeState, NodeStatus},
    observed::{Node, Observed},
    plan::target,
    validate::ValidatedCluster,
};
use dynamo_core::{
    id::NodeId,
    ring::{Partition, Ring},
};
use std::collections::BTreeSet;

pub(super) fn findings(
    cluster: &ValidatedCluster,
    seen: &Observed,
    nodes: &[NodeStatus],
) -> Vec<Finding> {
    vec![
        ready(cluster, seen, nodes),
        available(cluster, seen, nodes),
        degraded(cluster, seen, nodes),
        converged(cluster, seen),
        blocked(cluster, seen),
        strict(cluster),
        paused(cluster),
    ]
}

fn is_laid(cluster: &ValidatedCluster, seen: &Observed) -> bool {
    seen.ring.is_some() || cluster.ring.is_some_and(|r| r.laid)
}

/// The ring's nodes that do not serve.
fn down(nodes: &[NodeStatus]) -> Vec<&NodeStatus> {
    nodes.iter().filter(|n| n.partitions > 0 && n.state != NodeState::Normal).collect()
}

fn ready(cluster: &ValidatedCluster, seen: &Observed, nodes: &[NodeStatus]) -> Finding {
    let kind = ConditionType::Ready;
    let down = down(nodes);
    if !is_laid(cluster, seen) {
        let message = "the ring has not been laid yet: nothing can be stored".into();
        return Finding::new(kind, false, "NoRing", message);
    }
    let Some(ring) = &seen.ring else {
        let message = match down.as_slice() {
            [] => "no node that holds the ring answers".into(),
            down => format!("not ready: {}", names(down)),
        };
        let reason = if down.is_empty() { "NoAnswer" } else { "NodesNotReady" };
        return Finding::new(kind, false, reason, message);
    };
    if let Some(message) = vacant(ring, nodes) {
        return Finding::new(kind, false, VACANT, with_down(message, &down));
    }
    match down.as_slice() {
        [] => {
            let message = format!("all {} nodes of the ring are ready", ring.seats().len());
            Finding::new(kind, true, "AllNodesReady", message)
        }
        down => {
            let message = format!("not ready: {}", names(down));
            Finding::new(kind, false, "NodesNotReady", message)
        }
    }
}

/// A message, and which nodes are down besides.
fn with_down(mut message: String, down: &[&NodeStatus]) -> String {
    if !down.is_empty() {
        message += &format!("; not ready: {}", names(down));
    }
    message
}

/// A seat of the ring is vacant.
const VACANT: &str = "SeatsVacant";

/// Which seats of the ring no pod is the node of, as far as the pods are known. A volume
/// that was lost makes one: the pod comes back as another node, which has no seat.
fn vacant(ring: &Ring, nodes: &[NodeStatus]) -> Option<String> {
    let known = |id: NodeId| nodes.iter().any(|n| n.node_id.as_ref() == Some(&id.to_string()));
    let vacant = ring.seats().iter().filter(|s| !known(s.node));
    let vacant: Vec<_> = vacant.map(|s| s.node.to_string()).collect();
    if vacant.is_empty() {
        return None;
    }
    let silent: Vec<_> =
        nodes.iter().filter(|n| n.node_id.is_none()).map(|n| n.pod_name.as_str()).collect();
    // With a pod of which nobody knows yet who it is, nothing is lost for certain.
    let why = match silent.as_slice() {
        [] => "its volume is lost or away, and its copies with it".to_owned(),
        silent => format!("{} did not say yet who they are", silent.join(", ")),
    };
    let (seats, of) = (vacant.join(", "), ring.seats().len());
    Some(format!("{} of {of} nodes of the ring are in no pod ({seats}): {why}", vacant.len()))
}

fn names(nodes: &[&NodeStatus]) -> String {
    let name = |n: &&NodeStatus| format!("{} ({:?})", n.pod_name, n.state);
    nodes.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn available(cluster: &ValidatedCluster, seen: &Observed, nodes: &[NodeStatus]) -> Finding {
    let kind = ConditionType::Available;
    let Some(ring) = &seen.ring else {
        let (reason, message) = if is_laid(cluster, seen) {
            ("NoAnswer", "no node that holds the ring answers the operator")
        } else {
            ("NoRing", "the ring has not been laid yet: nothing can be stored")
        };
        return Finding::new(kind, false, reason, message.into());
    };
    // Either is enough: the operator may not reach a node that serves, and Kubernetes
    // learns a moment later than the node that it does.
    let serves = |n: &&NodeStatus| {
        let pod = seen.pods.values().find(|p| p.name == n.pod_name && !p.terminating);
        pod.is_some_and(|p| p.is_ready() || p.node.as_ref().is_some_and(|n| n.ready))
    };
    let live = nodes.iter().filter(serves).filter_map(|n| n.node_id.as_ref()?.parse().ok());
    let needed = cluster.read_quorum.max(cluster.write_quorum);
    let short = short(ring, &live.collect(), usize::try_from(needed).unwrap_or(usize::MAX));
    if short == 0 {
        let message = "every key can be read and written".into();
        return Finding::new(kind, true, "QuorumLive", message);
    }
    let mut message = format!(
        "{short} of {} partitions have fewer than {needed} live replicas",
        ring.partitions()
    );
    let down = down(nodes);
    if !down.is_empty() {
        message += &format!("; down: {}", names(&down));
    }
    if let Some(vacant) = vacant(ring, nodes) {
        message += &format!("; {vacant}");
    }
    Finding::new(kind, false, "QuorumLost", message)
}

/// How many partitions have fewer live replicas than are needed.
fn short(ring: &Ring, live: &BTreeSet<NodeId>, needed: usize) -> usize {
    let dead = ring.seats().iter().filter(|s| !live.contains(&s.node)).count();
    if dead + needed <= ring.factor() {
        return 0;
    }
    let served = |p: &usize| {
        let primaries = u16::try_from(*p).map(|p| ring.primaries(Partition(p))).unwrap_or_default();
        primaries.iter().filter(|n| live.contains(n)).count() >= needed
    };
    (0..ring.partitions()).filter(|p| !served(p)).count()
}

fn degraded(cluster: &ValidatedCluster, seen: &Observed, nodes: &[NodeStatus]) -> Finding {
    let kind = ConditionType::Degraded;
    let wrong = |reason, message| Finding::new(kind, true, reason, message);
    if let Some(message) = seen.in_the_way(cluster) {
        return wrong("NameTaken", message);
    }
    let Some(ring) = cluster.ring else {
        let old = seen.old_rings();
        if old.len() > 1 {
            let old = old.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!(
                "volumes of {} carry data of several rings ({old}): delete the claims of all but one",
                cluster.workload()
            );
            return wrong("VolumesDisagree", message);
        }
        return Finding::new(kind, false, "AsExpected", "nothing is wrong".into());
    };
    let stranger = seen.pods.values().find(|p| p.node.is_some() && p.node_of(ring.id).is_none());
    if let Some(pod) = stranger {
        let message = format!("the volume of pod {} holds another ring's data", pod.name);
        return wrong("WrongCluster", message);
    }
    if ring.laid && seen.ring.is_none() && seen.nodes(ring.id).next().is_some() {
        let message = "the ring was laid, but no node that answers holds it: the nodes that do \
                       are away or their volumes are lost; it is not laid again";
        return wrong("RingNotFound", message.into());
    }
    let mut broken = seen.pods.values().filter_map(|p| Some((&p.name, p.trouble.as_ref()?)));
    if let Some((pod, trouble)) = broken.next() {
        return wrong("PodFailing", format!("pod {pod}: {trouble}"));
    }
    if let Some(message) = seen.ring.as_ref().and_then(|ring| vacant(ring, nodes)) {
        return wrong(VACANT, with_down(message, &down(nodes)));
    }
    match down(nodes).as_slice() {
        [] => Finding::new(kind, false, "AsExpected", "nothing is wrong".into()),
        down => wrong("NodesNotReady", format!("not ready: {}", names(down))),
    }
}

fn converged(cluster: &ValidatedCluster, seen: &Observed) -> Finding {
    let kind = ConditionType::RingConverged;
    let Some(ring) = &seen.ring else {
        return Finding::new(kind, false, "NoRing", "no node holds a ring".into());
    };
    let nodes: Vec<&Node> = cluster.ring.map(|r| seen.nodes(r.id).collect()).unwrap_or_default();
    let silent = seen.pods.len() - nodes.len();
    let behind = nodes.iter().filter(|n| n.epoch != ring.epoch()).count();
    let alike = nodes.windows(2).all(|w| w[0].members.keys().eq(w[1].members.keys()));
    let (holds, reason, message) = if silent > 0 {
        (false, "NodesSilent", format!("{silent} nodes do not answer"))
    } else if behind > 0 {
        (false, "RingsDiffer", format!("{behind} nodes do not hold the newest ring yet"))
    } else if !alike {
        (false, "MembersDiffer", "not every node knows every other yet".into())
    } else {
        (true, "AllAgree", "all nodes hold the same ring and know each other".into())
    };
    Finding::new(kind, holds, reason, message)
}

fn blocked(cluster: &ValidatedCluster, seen: &Observed) -> Finding {
    let kind = ConditionType::ScaleDownBlocked;
    let target = target(cluster, seen);
    if !target.blocked {
        return Finding::new(kind, false, "NotAsked", "no scale down is asked for".into());
    }
    let (wanted, kept) = (cluster.replicas, target.replicas);
    let message = format!(
        "{wanted} nodes are asked for, {kept} are kept: partitions of a leaving node cannot be \
         moved to others yet, so it would take its copies away; set replicas back to {kept}"
    );
    Finding::new(kind, true, "PartitionsCannotMove", message)
}

fn strict(cluster: &ValidatedCluster) -> Finding {
    let (n, r, w) = (cluster.factor, cluster.read_quorum, cluster.write_quorum);
    let (reason, message) = if cluster.is_strict() {
        ("QuorumsOverlap", format!("{r} + {w} > {n}: a read sees the latest acknowledged write"))
    } else {
        ("QuorumsDoNotOverlap", format!("{r} + {w} <= {n}: a read may miss an acknowledged write"))
    };
    Finding::new(ConditionType::StrictQuorum, cluster.is_strict(), reason, message)
}

fn paused(cluster: &ValidatedCluster) -> Finding {
    let (reason, message) = if cluster.paused {
        ("Paused", "spec.paused is true: nothing is changed until it is false")
    } else {
        ("Running", "the operator looks after the cluster")
    };
    Finding::new(ConditionType::ReconciliationPaused, cluster.paused, reason, message.into())
}
