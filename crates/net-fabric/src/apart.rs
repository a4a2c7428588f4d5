//! Processes that start with namespaces of their own.
//!
//! The namespaces are made by a thread that then starts the process and ends. So no memory is shared by
//! a fork, and the process that asked stays where it was.

use crate::FabricError;
use crate::mounts::failed;
use crate::namespace::in_thread;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::process::{Child, Command};

/// Starts the command as process 1 of a new process namespace, with mounts and a network of its own.
pub fn spawn_apart(command: &mut Command) -> Result<Child, FabricError> {
    in_thread(|| {
        unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
            .map_err(|e| FabricError::Create(e.into()))?;
        spawn(command)
    })?
}

/// Starts the command in the network of `network`, seeing these texts at the paths of these files. The
/// files themselves stay as they are. `scratch` is a folder that the command cannot do anything with.
pub fn spawn_with_files(
    command: &mut Command,
    network: BorrowedFd<'_>,
    scratch: &Path,
    files: &[(&Path, String)],
) -> Result<Child, FabricError> {
    in_thread(|| {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|e| failed("make the mounts private", e))?;
        show_files(scratch, files)?;
        setns(network, CloneFlags::CLONE_NEWNET).map_err(|e| FabricError::Enter(e.into()))?;
        spawn(command)
    })?
}

fn show_files(scratch: &Path, files: &[(&Path, String)]) -> Result<(), FabricError> {
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)
        .map_err(|e| failed("make the mounts private", e))?;
    mount(Some("tmpfs"), scratch, Some("tmpfs"), MsFlags::empty(), Some("size=1m,mode=0755"))
        .map_err(|e| failed("mount a place for files", e))?;
    for (place, (path, text)) in files.iter().enumerate() {
        let file = scratch.join(place.to_string());
        let shown = format!("show another {}", path.display());
        fs::write(&file, text)
            .map_err(|source| FabricError::Mount { what: shown.clone(), source })?;
        mount(Some(&file), *path, nothing, MsFlags::MS_BIND, nothing)
            .map_err(|e| failed(&shown, e))?;
    }
    umount2(scratch, MntFlags::MNT_DETACH).map_err(|e| failed("unmount the place for files", e))
}

fn spawn(command: &mut Command) -> Result<Child, FabricError> {
    command.spawn().map_err(|source| FabricError::Spawn {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}
