//! Control groups of a testbed: one in each tree, with one for each node below it. The kernel does not take them away.

use crate::spawned::until;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ROOT: &str = "/sys/fs/cgroup";

/// Each controller's own tree (version 1) and the unified one beside them, or the one tree of version 2.
fn trees() -> Result<Vec<PathBuf>> {
    let is_tree = |path: &PathBuf| path.join("cgroup.procs").exists();
    let root = PathBuf::from(ROOT);
    if is_tree(&root) {
        return Ok(vec![root]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(ROOT).context("reading the control groups")? {
        found.push(entry?.path());
    }
    found.retain(is_tree);
    Ok(found)
}

/// Makes a group in every tree. A new cpuset is empty, and takes its parent's processors and memory here; in
/// version 2 a group has the controllers that its parent hands down.
pub(crate) fn make(group: &str) -> Result<()> {
    for tree in trees()? {
        let mut path = tree;
        for part in group.split('/') {
            let parent = path.clone();
            path.push(part);
            hand_down(&parent)?;
            fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if parent.join(file).exists() && !parent.join("cgroup.controllers").exists() {
                    fs::write(path.join(file), fs::read_to_string(parent.join(file))?.trim())?;
                }
            }
        }
    }
    Ok(())
}

fn hand_down(parent: &Path) -> Result<()> {
    let Ok(controllers) = fs::read_to_string(parent.join("cgroup.controllers")) else {
        return Ok(());
    };
    let wanted: Vec<String> =
        controllers.split_whitespace().map(|name| format!("+{name}")).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    fs::write(parent.join("cgroup.subtree_control"), wanted.join(" "))
        .with_context(|| format!("handing controllers down from {}", parent.display()))
}

/// Removes a group and all below it; the kernel lets go of one shortly after its last process.
pub(crate) fn remove(group: &str) -> Result<()> {
    for tree in trees()? {
        let path = tree.join(group);
        until("control groups are empty", Duration::from_secs(10), || Ok(remove_tree(&path)))?;
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
