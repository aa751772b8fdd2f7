//! How much memory the machine can spare.

use std::fs;

/// Which share of the free memory rows may take: there are models, results and other programs, too.
const SHARE: u64 = 4;
/// How many bytes rows may take where the system does not say what is free.
const UNKNOWN: u64 = 1 << 30;

/// How many bytes of rows may lie in memory: as `set`, or a quarter of what is free.
pub fn for_rows(set: Option<u64>) -> u64 {
    set.unwrap_or_else(|| free().map_or(UNKNOWN, |bytes| bytes / SHARE))
}

/// How many bytes programs can still have, where the system says so: on Linux, and in a container not
/// more than it is given.
fn free() -> Option<u64> {
    let available = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let given = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let given = given.and_then(|given| given.trim().parse().ok());
    Some(given.map_or(available, |given: u64| available.min(given)))
}

/// The line `MemAvailable:   22255228 kB`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let meminfo = "MemTotal:       24684084 kB\nMemAvailable:   22255228 kB\nSwapTotal: 0 kB\n";

        assert_eq!(available(meminfo), Some(22_255_228 * 1024));
        assert_eq!(available("MemTotal: 24684084 kB\n"), None);
        assert_eq!(available("MemAvailable: much\n"), None);
    }

    #[test]
    fn a_setting_comes_before_the_machine() {
        assert_eq!(for_rows(Some(5)), 5);
        assert!(for_rows(None) > 0);
    }
}
