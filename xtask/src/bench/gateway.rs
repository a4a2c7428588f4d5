//! The bench of the gateway, a crate of its own, so that the other checks build without what it needs.

use crate::workspace;
use anyhow::{Context, Result, bail};
use cluster_testbed::Part;
use std::path::Path;
use std::process::Command;

pub(super) fn measure(root: &Path, parts: &[&str]) -> Result<()> {
    let weir = workspace::build(root, "weir", "release")?;
    let bench = workspace::build(root, "gateway-bench", "release")?;
    let kubectl = Part::Kubernetes.program("kubectl")?;
    run(Command::new(bench).arg(weir).arg(kubectl).args(parts))
}

/// The recorder alone, without a network.
pub(super) fn recorder(root: &Path) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("weir-recorder-bench-{}", std::process::id()));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["run", "--release", "--locked", "--quiet"]);
    cargo.args(["--package", "session-store", "--example", "measure", "--"]);
    let measured = run(cargo.arg(&folder));
    drop(std::fs::remove_dir_all(&folder));
    measured
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
