//! What this process would have to be allowed to make networks.

use std::fs;

/// From `linux/capability.h`; the numbers never change.
const NEEDED: [(u32, &str); 4] =
    [(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (21, "CAP_SYS_ADMIN"), (39, "CAP_BPF")];

/// The capabilities that are needed and not there.
pub fn missing_privileges() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    missing_in(&status)
}

/// A status that cannot be read has none.
fn missing_in(status: &str) -> Vec<&'static str> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = line.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let is_missing = |(bit, _): &(u32, &str)| held & (1 << bit) == 0;
    NEEDED.into_iter().filter(is_missing).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing_in("CapEff:\t000001ffffffffff\n"), Vec::<&str>::new());
        let none = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_BPF"];
        assert_eq!(missing_in("CapEff:\t0000000000000000\n"), none);
        assert_eq!(missing_in("Name:\tweir\n"), none);
        assert_eq!(missing_in("CapEff:\t0000000000003000\n"), ["CAP_SYS_ADMIN", "CAP_BPF"]);
    }
}
