//! What the kernel keeps locked for the maps of a data plane.

use anyhow::{Context, Result};
use libbpf_rs::MapHandle;
use std::fs;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;

pub(crate) fn measure(maps: &Path, n_pods: usize) -> Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(maps).context("reading the folder of maps")? {
        let path = entry?.path();
        let map = MapHandle::from_pinned_path(&path)?;
        let about = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
        let text = fs::read_to_string(about).context("reading what the kernel says of a map")?;
        let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        let bytes: u64 = bytes.context("no memlock")?.trim().parse()?;
        found.push((bytes, path.file_name().unwrap_or_default().to_string_lossy().into_owned()));
    }
    found.sort_unstable();
    let total: u64 = found.iter().map(|(bytes, _)| bytes).sum();
    println!("locked memory with {n_pods} pods: {:.1} MB", megabytes(total));
    for (bytes, name) in found.iter().rev().take(8) {
        println!("  {name:<40} {:8.1} MB", megabytes(*bytes));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
