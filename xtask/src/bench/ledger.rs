//! The bench of the ledger, a crate of its own, so that the other checks build without what it needs.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

pub(super) fn measure(root: &Path) -> Result<()> {
    let mut command = Command::new(workspace::build(root, "ledger-bench", "release")?);
    let status = command.status().context("running ledger-bench")?;
    if !status.success() {
        bail!("ledger-bench ended with {status}");
    }
    Ok(())
}
