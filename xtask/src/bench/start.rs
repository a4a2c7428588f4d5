//! How long the process takes that does nothing: `weir --version`. Promised: under 10 ms.

use super::BenchArgs;
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const RUNS: usize = 101;

pub(super) fn measure(root: &Path, _arguments: &BenchArgs) -> Result<()> {
    let weir = workspace::build_weir(root, "release")?;
    let mut durations = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        let status = Command::new(&weir).arg("--version").stdout(Stdio::null()).status();
        let status = status.context("running weir --version")?;
        durations.push(start.elapsed());
        if !status.success() {
            bail!("weir --version ended with {status}");
        }
    }
    let median = super::median(durations).context("nothing was measured")?;
    println!("median of {RUNS}: {:.2} ms (promised: under 10 ms)", median.as_secs_f64() * 1000.0);
    Ok(())
}
