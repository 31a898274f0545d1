//! A disk that others fill up: the node that lives on it ends and says why; the others
//! go on; when there is room again it comes back and catches up.

use crate::fault::{LIMIT, REPLICAS, Ring, clear_line, fault, nothing_failed};
use anyhow::{Context, Result, bail};
use dynamo_e2e::{
    sandbox::Sandbox,
    wait::until,
    workload::{Ledger, Plan, Workload},
};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

/// The node whose disk it is.
const POOR: usize = 2;

/// Of a value, in bytes, and how many of them there are at most. The node has reserved
/// some room for its log, and what it is given of these is more than that.
const BIG: usize = 128 << 10;
const MOST: usize = 400;

/// What is written between two looks at the node.
const STEP: usize = 8;

#[test]
#[ignore = "needs root, takes minutes: make faults"]
fn a_full_disk_ends_its_node_alone_and_space_brings_it_back() -> Result<()> {
    let disk = Sandbox::mounts()?;
    fault(
        "full_disk",
        |setup| {
            let data = setup.dir.join("node-3");
            fs::create_dir(&data)?;
            let data = data.to_string_lossy();
            disk.run(&["mount", "-t", "tmpfs", "-o", "size=64m", "small", &data])?;
            setup.within = vec![Vec::new(); POOR];
            setup.within.push(disk.prefix());
            Ok(())
        },
        |ring| {
            let data = ring.node(POOR).data().to_owned();
            let filler = disk.path(&data).join("filler");
            let load = Workload::begin(Plan::sloppy(&ring.addresses()))?;
            fill(&filler)?;
            let mut ledger = Ledger::of(BIG);
            write_until_it_ends(ring, &mut ledger)?;

            // The others go on.
            load.go_on(100)?;
            ledger.verify(&ring.addresses_without(POOR)[0])?;

            fs::remove_file(&filler)?;
            ring.node(POOR).spawn()?;
            ring.wait_until_ready()?;
            let report = load.settle(&ring.addresses(), REPLICAS, LIMIT)?;
            for (at, replicas) in [(POOR, 1), (POOR, REPLICAS)] {
                let address = ring.node(at).client_address();
                until(&format!("all big values, r={replicas}"), LIMIT, || {
                    Ok(ledger.is_complete(&address, replicas)?.then_some(()))
                })?;
            }
            nothing_failed("around the full disk", &report)
        },
    )
}

/// Takes all the space that is left.
fn fill(path: &Path) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    for size in [1 << 20, 4 << 10] {
        loop {
            match file.write(&vec![0; size]) {
                Ok(written) if written > 0 => {}
                Err(e) if e.kind() != ErrorKind::StorageFull => return Err(e.into()),
                _ => break,
            }
        }
    }
    Ok(())
}

fn write_until_it_ends(ring: &mut Ring, ledger: &mut Ledger) -> Result<()> {
    let others = ring.addresses_without(POOR);
    for _ in 0..MOST / STEP {
        ledger.extend(&others, STEP)?;
        let node = ring.node(POOR);
        if let Some(status) = node.ended()? {
            let data = node.data().to_string_lossy().into_owned();
            return clear_line(node, status, &["No space left on device", &data]);
        }
    }
    bail!("the node on the full disk still runs after {MOST} values of {BIG} bytes")
}
