//! What the kernel does not take away with a testbed's processes: control groups and folders.
//!
//! Their name has the testbed's id, and whoever owns it holds a lock on a file in its folder. A name without a
//! holder is of a testbed that ended without cleaning up.

use anyhow::{Context as _, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "weir-testbed-";
const CGROUPS: &str = "/sys/fs/cgroup";

/// The folder of one testbed, locked.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) id: String,
    _lock: Flock<File>,
}

impl Folder {
    pub(crate) fn make(parent: &Path) -> Result<Self> {
        let mut random = [0; 6];
        std::io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut random)?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = parent.join(format!("{PREFIX}{id}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        let lock = lock(&path)?.context("somebody else has the lock of a new folder")?;
        fs::create_dir(path.join("logs"))?;
        Ok(Self { path, id, _lock: lock })
    }

    pub(crate) fn control_group(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    pub(crate) fn remove(&self) -> Result<()> {
        remove_control_groups(&self.control_group())?;
        fs::remove_dir_all(&self.path).with_context(|| format!("removing {}", self.path.display()))
    }
}

fn lock(folder: &Path) -> Result<Option<Flock<File>>> {
    let file = File::create(folder.join("lock"))?;
    Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
}

/// Removes what testbeds left whose owner is gone.
pub(crate) fn remove_abandoned(parent: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && entry.path().is_dir() && lock(&entry.path())?.is_some() {
            remove_control_groups(&name)?;
            fs::remove_dir_all(entry.path())
                .with_context(|| format!("removing {name} of a testbed that is gone"))?;
        }
    }
    Ok(())
}

/// Controllers, where each has a tree of its own (version 1), and the unified tree.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(CGROUPS).context("reading the control groups")? {
        let path = entry?.path();
        if path.is_dir() && path.join("cgroup.procs").exists() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Makes a group in every tree. A new cpuset is empty, and takes its parent's processors and memory here.
pub(crate) fn make_control_groups(group: &str) -> Result<()> {
    for root in hierarchies()? {
        let mut path = root.clone();
        for part in group.split('/') {
            let parent = path.clone();
            path.push(part);
            fs::create_dir_all(&path)?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if parent.join(file).exists() {
                    fs::write(path.join(file), fs::read_to_string(parent.join(file))?.trim())?;
                }
            }
        }
    }
    Ok(())
}

/// Removes a group and all below it; the kernel lets go of one shortly after its last process.
fn remove_control_groups(group: &str) -> Result<()> {
    for root in hierarchies()? {
        let path = root.join(group);
        crate::spawned::until("control groups are empty", Duration::from_secs(10), || {
            Ok(remove_tree(&path))
        })?;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return !path.exists() };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            remove_tree(&entry.path());
        }
    }
    fs::remove_dir(path).is_ok()
}
