//! Processes that are killed without a word, one after the other.

use crate::fault::{LIMIT, NODES, REPLICAS, fault, nothing_failed};
use anyhow::Result;
use dynamo_e2e::workload::{Plan, Workload};
use rand::RngExt;
use std::time::{Duration, Instant};

const KILLING: Duration = Duration::from_secs(30);

/// From one kill to the next, at least.
const BETWEEN_KILLS: Duration = Duration::from_secs(1);

#[test]
#[ignore = "takes minutes: make faults"]
fn a_node_killed_every_second_loses_nothing_and_fails_nobody() -> Result<()> {
    fault(
        "kill_nine",
        |_| Ok(()),
        |ring| {
            let load = Workload::begin(Plan::sloppy(&ring.addresses()))?;
            let (began, mut kills) = (Instant::now(), 0);
            while began.elapsed() < KILLING {
                let victim = rand::rng().random_range(0..NODES);
                ring.node(victim).kill()?;
                ring.node(victim).spawn()?;
                load.run_for(BETWEEN_KILLS)?;
                ring.wait_until_answers(victim)?;
                kills += 1;
            }
            ring.wait_until_ready()?;
            let report = load.settle(&ring.addresses(), REPLICAS, LIMIT)?;
            nothing_failed(&format!("during {kills} kills"), &report)
        },
    )
}
