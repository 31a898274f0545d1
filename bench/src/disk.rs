//! The disk: whether there is room, and what it takes to write as much without a store.

use crate::values::Values;
use anyhow::{Context, Result, ensure};
use nix::sys::statvfs::statvfs;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

/// How often something is written; the median counts.
const ROUNDS: usize = 3;

/// What a node writes whatever it stores: its write-ahead log, its own log.
const OWN_BYTES: u64 = 256 << 20;

/// Fails unless there is room for so many copies of so many values beside each other,
/// each twice while tables are merged, at so many nodes.
pub(crate) fn ensure_room(
    dir: &Path,
    keys: u64,
    value: usize,
    copies: u64,
    nodes: u64,
) -> Result<()> {
    let stat = statvfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let free = stat.blocks_available() * stat.fragment_size();
    let needed = keys * value as u64 * copies * 2 + nodes * OWN_BYTES;
    ensure!(
        free >= needed,
        "{} has {} MiB free and {} MiB are needed: make room, choose another place with --dir, \
         or fewer keys",
        dir.display(),
        free >> 20,
        needed >> 20
    );
    Ok(())
}

/// Bytes in a directory without directories in it, as a store is.
pub(crate) fn bytes_in(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// How long it takes to copy all files of one directory into another on the same disk
/// until they are safe.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<Duration> {
    median(|| {
        fs::create_dir(to)?;
        let began = Instant::now();
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let mut copy = File::create(to.join(entry.file_name()))?;
            io::copy(&mut File::open(entry.path())?, &mut copy)?;
            copy.sync_all()?;
        }
        File::open(to)?.sync_all()?;
        let took = began.elapsed();
        fs::remove_dir_all(to)?;
        Ok(took)
    })
}

/// How long it takes to write so many values one after the other into one file until they
/// are safe.
pub(crate) fn write(to: &Path, keys: u64, values: &Values) -> Result<Duration> {
    median(|| {
        let began = Instant::now();
        let mut file = BufWriter::with_capacity(1 << 20, File::create(to)?);
        for number in 0..keys {
            file.write_all(&values.of(number))?;
        }
        file.into_inner()?.sync_all()?;
        let took = began.elapsed();
        fs::remove_file(to)?;
        Ok(took)
    })
}

fn median(round: impl Fn() -> Result<Duration>) -> Result<Duration> {
    let mut took = (0..ROUNDS).map(|_| round()).collect::<Result<Vec<_>>>()?;
    took.sort_unstable();
    Ok(took[ROUNDS / 2])
}
