//! What this process would have to be allowed to make networks and to load programs, and what it can do
//! without: root of a user namespace makes networks.

use crate::FabricError;
use nix::sched::{CloneFlags, unshare};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Of the user namespace that the machine starts with, in every kernel that has any.
const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// From `linux/capability.h`; the numbers never change.
const NEEDED: [(u32, &str); 4] =
    [(12, "CAP_NET_ADMIN"), (13, "CAP_NET_RAW"), (21, "CAP_SYS_ADMIN"), (39, "CAP_BPF")];

/// The capabilities that are needed and not there.
pub fn missing_privileges() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    missing_in(&status)
}

/// Why this process may not do what a lab needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Somebody is not root.
    User { missing: Vec<&'static str> },
    /// Root of a container or a service, which gives it less.
    Root { missing: Vec<&'static str> },
    /// Root of a user namespace: the kernel lets it make networks, and load no programs.
    UserNamespace {
        /// Where a BPF file system lies by which others let it load programs.
        token: Option<String>,
    },
}

/// What is missing, as far as can be known without trying.
pub fn lack() -> Option<Lack> {
    let missing = missing_privileges();
    if !missing.is_empty() {
        // Of the process itself: its folder belongs to whoever it runs as.
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        return Some(if is_root { Lack::Root { missing } } else { Lack::User { missing } });
    }
    let namespace = fs::metadata("/proc/self/ns/user").map(|namespace| namespace.ino());
    if namespace.is_ok_and(|number| number != INITIAL_USER_NAMESPACE) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        return Some(Lack::UserNamespace { token: delegated(&mounts) });
    }
    None
}

/// The folder of a BPF file system whose maker delegated commands.
fn delegated(mounts: &str) -> Option<String> {
    let is_delegated = |line: &&str| {
        line.split_once(" - bpf ").is_some_and(|(_, options)| options.contains("delegate_cmds"))
    };
    mounts.lines().find(is_delegated)?.split(' ').nth(4).map(str::to_owned)
}

/// Makes this process root of a user namespace, with mounts and a network of its own. It must have one thread.
pub fn become_root_of_user_namespace() -> Result<(), FabricError> {
    let of_user = |source| FabricError::UserNamespace { source, because: refusal() };
    let owner = fs::metadata("/proc/self").map_err(of_user)?;
    let flags = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    unshare(flags).map_err(|error| of_user(error.into()))?;
    fs::write("/proc/self/setgroups", "deny").map_err(of_user)?;
    fs::write("/proc/self/uid_map", format!("0 {} 1", owner.uid())).map_err(of_user)?;
    fs::write("/proc/self/gid_map", format!("0 {} 1", owner.gid())).map_err(of_user)
}

/// The setting that forbids it, if one does.
fn refusal() -> &'static str {
    let is = |setting: &str, value: &str| {
        fs::read_to_string(format!("/proc/sys/{setting}")).is_ok_and(|text| text.trim() == value)
    };
    if is("user/max_user_namespaces", "0") {
        " (user.max_user_namespaces is 0)"
    } else if is("kernel/unprivileged_userns_clone", "0") {
        " (kernel.unprivileged_userns_clone is 0)"
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        " (kernel.apparmor_restrict_unprivileged_userns is 1)"
    } else {
        ""
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { missing } => write!(
                f,
                "{}: run it as root; a user namespace is not enough, because the kernel loads no \
                 programs in one",
                missing.join(", ")
            ),
            Self::Root { missing } => {
                let add = missing.iter().map(|name| name.trim_start_matches("CAP_"));
                write!(
                    f,
                    "{}, which root does not have here: run it as root of the machine, or give its \
                     container --cap-add={}",
                    missing.join(", "),
                    add.collect::<Vec<_>>().join(",")
                )
            }
            Self::UserNamespace { token } => {
                f.write_str(
                    "CAP_BPF and CAP_NET_ADMIN outside of this user namespace: in it networks can be made, \
                     but the kernel loads no programs; run it as root of the machine, or in a container \
                     without a user namespace of its own",
                )?;
                match token {
                    Some(folder) => write!(f, " (the BPF token of {folder} is not used yet)"),
                    None => Ok(()),
                }
            }
        }
    }
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
    fn a_token_is_found_where_it_lies() {
        let plain = "31 24 0:27 / /sys/fs/bpf rw,nosuid - bpf bpf rw,mode=700\n";
        assert_eq!(delegated(plain), None);
        let given = "40 31 0:50 / /run/bpf rw - bpf none rw,delegate_cmds=any,delegate_maps=any\n";
        assert_eq!(delegated(&format!("{plain}{given}")), Some("/run/bpf".to_owned()));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing_in("CapEff:\t000001ffffffffff\n"), Vec::<&str>::new());
        let none = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_BPF"];
        assert_eq!(missing_in("CapEff:\t0000000000000000\n"), none);
        assert_eq!(missing_in("Name:\tweir\n"), none);
        assert_eq!(missing_in("CapEff:\t0000000000003000\n"), ["CAP_SYS_ADMIN", "CAP_BPF"]);
    }
}
