//! The bench of the data plane, a crate of its own, because it needs what builds and runs kernel programs.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

pub(super) fn measure(root: &Path) -> Result<()> {
    let mut command = Command::new(workspace::build(root, "plane-bench", "release")?);
    let status = command.status().context("running plane-bench")?;
    if !status.success() {
        bail!("plane-bench ended with {status}");
    }
    Ok(())
}
