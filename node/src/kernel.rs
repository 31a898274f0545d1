//! What Linux says of this process and of the machine's last start.

use std::fs;

/// Changes with every start of the kernel; empty if it cannot be read.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Memory of this process that is in use and not swapped out, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_answers() {
        assert!(resident_bytes() > 100_000);
        assert_eq!(boot_id().len(), 36);
    }
}
