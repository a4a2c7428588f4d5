//! Mounts of a process that has a mount namespace of its own.

use crate::FabricError;
use nix::mount::{MsFlags, mount};
use std::path::Path;

/// From here on, what this process mounts is its own, while what the machine unmounts goes here too:
/// nothing of the machine is held on to. `/proc` becomes that of the own process namespace.
pub fn become_private() -> Result<(), FabricError> {
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)
        .map_err(|e| failed("make the mounts private", e))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, nothing).map_err(|e| failed("mount /proc", e))
}

/// A BPF file system of its own at `path`, a folder: pins in it go with the mount namespace.
pub fn mount_bpf(path: &Path) -> Result<(), FabricError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("bpf"), path, Some("bpf"), flags, Some("mode=0700"))
        .map_err(|e| failed(&format!("mount a BPF file system at {}", path.display()), e))
}

pub(crate) fn failed(what: &str, error: nix::Error) -> FabricError {
    FabricError::Mount { what: what.to_owned(), source: error.into() }
}
