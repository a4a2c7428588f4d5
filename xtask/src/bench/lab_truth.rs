//! All truth tables of the corpora, connection by connection: the test that tries a part of them, told to
//! try everything.

use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

pub(super) fn compare(root: &Path) -> Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args(["test", "--release", "--package", "weir", "--test", "truth"]);
    command.args(["--", "--nocapture", "--test-threads", "1"]).env("WEIR_TRUTH_TABLES", "all");
    let status = command.status().context("running the truth tables")?;
    if !status.success() {
        bail!("the truth tables ended with {status}");
    }
    Ok(())
}
