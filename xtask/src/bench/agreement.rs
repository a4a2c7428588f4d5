//! Many verdicts of the kernel, compared by the test that compares a million whenever tests run.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;

const VERDICTS: u64 = 20_000_000;

pub(super) fn compare(root: &Path, verdicts: Option<u64>) -> Result<()> {
    let mut cargo = workspace::cargo(root);
    cargo.args(["test", "--locked", "--package", "dataplane", "--test", "agreement"]);
    cargo.args(["--", "--nocapture"]);
    cargo.env("WEIR_VERDICTS", verdicts.unwrap_or(VERDICTS).to_string());
    let status = cargo.status().context("running the test")?;
    if !status.success() {
        bail!("the comparison ended with {status}");
    }
    Ok(())
}
