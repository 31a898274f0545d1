//! What the kernel says of the servers' processes.

use anyhow::{Context, Result};
use std::{fs, time::Duration};

/// The kernel counts CPU time in hundredths of a second, on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// CPU time used so far, user and system, all processes together.
pub(crate) fn cpu(pids: &[u32]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("there is no process {pid}"))?;
        // The name, in parentheses, may hold spaces; fields 14 and 15 are the times.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
        let times = fields.split_whitespace().skip(11).take(2);
        for time in times {
            ticks += time.parse::<u32>()?;
        }
    }
    Ok(TICK * ticks)
}

/// Resident memory of each process.
pub(crate) fn resident_mib(pids: &[u32]) -> Result<Vec<u64>> {
    let read = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("there is no process {pid}"))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next()).context("no VmRSS")?;
        Ok(kib.parse::<u64>()? / 1024)
    };
    pids.iter().map(read).collect()
}
