//! When it is quiet, every node knows every other, sees it up, holds the same ring and
//! is ready (requirements.md, F4).

use super::Violation;
use crate::machine::Machine;
use dynamo_core::ring::Ring;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const NAME: &str = "all nodes agree when it is quiet";

pub(crate) fn check(machines: &[Machine], at: Duration) -> Result<(), Violation> {
    let everybody: BTreeSet<_> = machines.iter().map(|m| m.node).collect();
    let mut common: Option<Arc<Ring>> = None;
    for machine in machines {
        let broken = |how: String| Err(Violation::new(NAME, format!("{}: {how}", machine.name)));
        let Some(process) = &machine.process else { return broken("does not run".into()) };
        let view = process.node.view(machine.now(at));
        let known: BTreeSet<_> = view.members.iter().map(|m| m.member.node).collect();
        if known != everybody {
            return broken(format!("knows {known:?} of {everybody:?}"));
        }
        if let Some(down) = view.members.iter().find(|m| !m.up) {
            return broken(format!("thinks that {} is down", down.member.name));
        }
        if !view.ready {
            return broken("is not ready".into());
        }
        match (&common, view.ring) {
            (_, None) => return broken("has no ring".into()),
            (Some(theirs), Some(ring)) if *theirs != ring => {
                return broken(format!("{ring:?} is not {theirs:?}"));
            }
            (_, ring) => common = ring,
        }
    }
    Ok(())
}
