//! Processes that stand still for seconds: they are not dead, their connections stay
//! open, and afterwards they go on as if no time had passed.

use crate::fault::{LIMIT, REPLICAS, fault, nothing_failed};
use anyhow::Result;
use dynamo_e2e::workload::{Plan, Workload};
use std::time::Duration;

/// Which nodes, and for how many seconds.
const PAUSES: [(&[usize], u64); 6] =
    [(&[0], 2), (&[1, 3], 4), (&[2], 6), (&[4, 0], 3), (&[3], 5), (&[1, 2], 6)];

/// From one pause to the next.
const BETWEEN_PAUSES: Duration = Duration::from_secs(1);

#[test]
#[ignore = "takes minutes: make faults"]
fn nodes_that_stand_still_lose_nothing_and_fail_nobody() -> Result<()> {
    fault(
        "paused",
        |_| Ok(()),
        |ring| {
            let load = Workload::begin(Plan::sloppy(&ring.addresses()))?;
            for (nodes, seconds) in PAUSES {
                for &at in nodes {
                    ring.node(at).pause();
                }
                load.run_for(Duration::from_secs(seconds))?;
                for &at in nodes {
                    ring.node(at).resume();
                }
                load.run_for(BETWEEN_PAUSES)?;
            }
            ring.wait_until_ready()?;
            let report = load.settle(&ring.addresses(), REPLICAS, LIMIT)?;
            nothing_failed(&format!("during {} pauses", PAUSES.len()), &report)
        },
    )
}
