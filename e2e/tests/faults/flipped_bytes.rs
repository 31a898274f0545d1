//! A disk that gives back other bytes than were written: no client ever sees them.
//!
//! The node serves what is whole and is repaired from its peers. Where it cannot tell what
//! is missing it ends with a line that says so, and comes back with an empty store that its
//! peers refill.

use crate::fault::{LIMIT, REPLICAS, Ring, clear_line, fault, nothing_failed};
use anyhow::{Context, Result, ensure};
use dynamo_e2e::{
    wait::until,
    workload::{Ledger, Plan, Workload},
};
use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The node whose disk it is.
const SICK: usize = 1;

/// Enough for a file of many blocks.
const KEYS: usize = 2000;
const VALUE: usize = 512;

/// How many bytes are flipped, in the middle of the largest file.
const FLIPPED: usize = 256;

/// Of a file whose middle is data, and not its index.
const LEAST: u64 = 16 << 10;

#[test]
#[ignore = "takes minutes: make faults"]
fn flipped_bytes_are_never_served() -> Result<()> {
    fault(
        "flipped_bytes",
        |_| Ok(()),
        |ring| {
            let others = ring.addresses_without(SICK);
            let mut ledger = Ledger::of(VALUE);
            ledger.extend(&ring.addresses(), KEYS)?;
            let load = Workload::begin(Plan::sloppy(&others))?;
            // A start writes what the log holds into files.
            ring.stop(SICK)?;
            ring.node(SICK).spawn()?;
            ring.wait_until_answers(SICK)?;
            ring.stop(SICK)?;
            flip(&largest_file(ring.node(SICK).data())?)?;
            ring.node(SICK).spawn()?;

            repaired(ring, &ledger)?;
            for address in &ring.addresses() {
                until(&format!("all keys, r={REPLICAS}, at {address}"), LIMIT, || {
                    Ok(ledger.is_complete(address, REPLICAS)?.then_some(()))
                })?;
            }
            let report = load.settle(&ring.addresses(), REPLICAS, LIMIT)?;
            nothing_failed("around the flipped bytes", &report)
        },
    )
}

/// Waits until the node serves all that was written. If it ends meanwhile, with a clear
/// line, it is started again, as its supervisor would. A value that is not the one that was
/// written is an error at once.
fn repaired(ring: &mut Ring, ledger: &Ledger) -> Result<()> {
    let address = ring.node(SICK).client_address();
    until("the flipped bytes to be found and repaired", LIMIT, || {
        if let Some(status) = ring.node(SICK).ended()? {
            let data = ring.node(SICK).data().to_string_lossy().into_owned();
            clear_line(ring.node(SICK), status, &[&data])?;
            ring.node(SICK).spawn()?;
            ring.wait_until_answers(SICK)?;
        }
        Ok(ledger.is_complete(&address, REPLICAS)?.then_some(()))
    })
}

/// The largest of the database's files of keys and values.
fn largest_file(data: &Path) -> Result<PathBuf> {
    let mut largest = (0, PathBuf::new());
    for entry in fs::read_dir(data.join("store"))? {
        let (path, size) = entry.and_then(|e| Ok((e.path(), e.metadata()?.len())))?;
        if path.extension() == Some(OsStr::new("sst")) && size > largest.0 {
            largest = (size, path);
        }
    }
    ensure!(largest.0 >= LEAST, "the largest file has {} bytes: too small to harm", largest.0);
    Ok(largest.1)
}

fn flip(path: &Path) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let middle = file.metadata()?.len() / 2;
    let mut bytes = [0; FLIPPED];
    file.read_exact_at(&mut bytes, middle)?;
    bytes.iter_mut().for_each(|b| *b ^= 0xff);
    file.write_all_at(&bytes, middle)?;
    file.sync_all().with_context(|| format!("harming {}", path.display()))
}
