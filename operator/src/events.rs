//! Events: facts that have come to pass, told once.
//!
//! Most are read off two statuses: what was not so before and is so now. The status that
//! says so is written first, so an operator that dies in between tells nothing rather
//! than the same thing twice.

use crate::api::{Condition, ConditionType, DynamoClusterStatus};
use std::collections::BTreeSet;

/// Reasons of [`ConditionType::Progressing`] that events and requeueing depend on.
pub mod reason {
    /// Nothing is left to do.
    pub const STABLE: &str = "Stable";
    /// Nodes wait for partitions, which cannot be moved yet.
    pub const REBALANCE_PENDING: &str = "RebalancePending";
    /// Pods are being replaced one after the other.
    pub const ROLLING: &str = "RollingUpdate";
    /// The next one may not be replaced yet.
    pub const REFUSED: &str = "EvictionRefused";
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name, in CamelCase.
    pub reason: &'static str,
    /// Whether somebody should worry.
    pub warning: bool,
    /// For people.
    pub note: String,
}

impl Fact {
    /// Something to know.
    pub fn normal(reason: &'static str, note: impl Into<String>) -> Self {
        Fact { reason, warning: false, note: note.into() }
    }

    /// Something to worry about.
    pub fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Fact { reason, warning: true, note: note.into() }
    }
}

/// What came to pass between two statuses.
pub fn between(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(joined(old, new));
    facts.extend(blocked(old, new));
    facts.extend(rollout(old, new));
    facts.extend(quorum(old, new));
    facts
}

/// The condition of a kind.
pub fn condition(status: &DynamoClusterStatus, kind: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|c| c.type_ == kind)
}

/// Whether a roll is going on.
pub fn is_rolling(status: &DynamoClusterStatus) -> bool {
    let progressing = condition(status, ConditionType::Progressing);
    progressing.is_some_and(|c| [reason::ROLLING, reason::REFUSED].contains(&c.reason.as_str()))
}

fn epoch(status: &DynamoClusterStatus) -> i64 {
    status.ring.as_ref().map_or(0, |r| r.epoch)
}

/// The first nodes are told of with their ring; those that come later one by one.
fn joined(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Vec<Fact> {
    if epoch(old) == 0 {
        return Vec::new();
    }
    let known: BTreeSet<_> = old.nodes.iter().filter_map(|n| n.node_id.as_ref()).collect();
    let fact = |node: &crate::api::NodeStatus| {
        let id = node.node_id.as_ref().filter(|id| !known.contains(id))?;
        Some(Fact::normal("NodeJoined", format!("node {id} in pod {}", node.pod_name)))
    };
    new.nodes.iter().filter_map(fact).collect()
}

fn blocked(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Option<Fact> {
    let is = |s| condition(s, ConditionType::ScaleDownBlocked).filter(|c| c.is_true());
    let now = is(new)?;
    is(old).is_none().then(|| Fact::warning("ScaleDownBlocked", now.message.clone()))
}

fn rollout(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Vec<Fact> {
    let mut facts = Vec::new();
    let image = new.target_version.as_deref().unwrap_or("the new settings");
    let progressing = condition(new, ConditionType::Progressing);
    let is = |r: &str| progressing.is_some_and(|c| c.reason == r);
    let was = |r| condition(old, ConditionType::Progressing).is_some_and(|c| c.reason == r);
    if is_rolling(new) && !is_rolling(old) {
        facts.push(Fact::normal("RolloutStarted", format!("to {image}, one pod at a time")));
    }
    if is(reason::REFUSED) && !was(reason::REFUSED) {
        let message = progressing.map(|c| c.message.clone()).unwrap_or_default();
        facts.push(Fact::warning("EvictionRefused", message));
    }
    if is_rolling(old) && (is(reason::STABLE) || is(reason::REBALANCE_PENDING)) {
        facts.push(Fact::normal("RolloutCompleted", format!("all pods run {image}")));
    }
    facts
}

fn quorum(old: &DynamoClusterStatus, new: &DynamoClusterStatus) -> Option<Fact> {
    let status = |s| condition(s, ConditionType::Available).map(|c| (c.status.as_str(), c));
    match (status(old)?, status(new)?) {
        (("True", _), ("False", now)) => Some(Fact::warning("QuorumLost", now.message.clone())),
        (("False", _), ("True", now)) if epoch(old) > 0 => {
            Some(Fact::normal("QuorumRestored", now.message.clone()))
        }
        _ => None,
    }
}
