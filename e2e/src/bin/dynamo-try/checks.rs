//! What must be so before anything is started, and what to do if it is not.

use crate::{
    args::Args,
    tree::{Files, VALUE_LIMIT},
};
use anyhow::{Context as _, Result, bail};
use dynamo_e2e::local_ring::{Setup, built_program, ports};
use nix::sys::statvfs::statvfs;
use std::{io, path::Path};

const NODES: u16 = 5;

/// N, as for most clusters.
const FACTOR: u32 = 3;

/// Q, as for most clusters.
const PARTITIONS: u32 = 256;

/// What a node writes whatever it stores: its write-ahead log, its tables, its log.
const OWN_BYTES: u64 = 64 << 20;

/// A value is in the write-ahead log, in a table, and while tables are merged in another.
const COPIES_ON_DISK: u64 = 3;

/// What the ring is to be, once ports and disk are known to suffice.
pub(crate) fn setup(args: &Args, files: &Files, dir: &Path) -> Result<Setup> {
    let ports = ports::from_base(args.base_port, NODES)?;
    if let Some((port, error)) = ports::first_in_use(&ports) {
        if error.kind() != io::ErrorKind::AddrInUse {
            bail!("port {port} cannot be used: {error}; choose others: make run BASE_PORT=17070");
        }
        bail!(
            "port {port} on 127.0.0.1 is in use: end what uses it (see: ss -ltnp), or choose \
             other ports: make run BASE_PORT=17070"
        );
    }
    check_space(dir, files)?;
    let program = match &args.node {
        Some(program) => program.clone(),
        None => built_program("dynamo-node")?,
    };
    let flags = vec!["--value-limit".to_owned(), VALUE_LIMIT.to_string()];
    let dir = dir.to_owned();
    let within = Vec::new();
    Ok(Setup { program, dir, ports, factor: FACTOR, partitions: PARTITIONS, flags, within })
}

fn check_space(dir: &Path, files: &Files) -> Result<()> {
    let stat = statvfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let free = stat.blocks_available() * stat.fragment_size();
    let stored = files.bytes() * u64::from(FACTOR) * COPIES_ON_DISK;
    let needed = stored + u64::from(NODES) * OWN_BYTES;
    if free < needed {
        let parent = dir.parent().unwrap_or(dir);
        bail!(
            "{} has {} MiB free and {} MiB are needed: make room, or choose another place: \
             make run TMPDIR=/some/directory",
            parent.display(),
            free >> 20,
            needed.div_ceil(1 << 20)
        );
    }
    Ok(())
}
