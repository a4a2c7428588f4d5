//! Generated worlds of a given size, made once and kept.

use crate::Setting;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) workloads: u32,
    /// 0: workloads without live pods.
    pub(crate) pods_per_workload: u32,
}

impl Size {
    pub(crate) fn workloads(workloads: u32) -> Self {
        Self { workloads, pods_per_workload: 0 }
    }

    pub(crate) fn words(self) -> String {
        match self.pods_per_workload {
            0 => format!("{} workloads", self.workloads),
            pods => format!("{} pods", self.workloads * pods),
        }
    }
}

/// The folder of a world; it holds one file.
pub(crate) fn folder(setting: &Setting, size: Size) -> Result<PathBuf> {
    let name = format!("{}-{}", size.workloads, size.pods_per_workload);
    let folder = setting.worlds.join(name);
    if folder.join(FILE).exists() {
        return Ok(folder);
    }
    let script = setting.generator.join("genbench.py");
    let mut command = Command::new("python3");
    command.arg(&script).arg(size.workloads.to_string());
    // Into a folder of another name first, so that a world that was cut off is not taken for one.
    let unfinished = folder.with_extension("unfinished");
    command.arg(&unfinished).stdout(Stdio::null());
    if size.pods_per_workload > 0 {
        command.args(["--pods", &size.pods_per_workload.to_string()]);
    }
    let status = command.status().context("running python3, which generates the worlds")?;
    if !status.success() {
        bail!("{} ended with {status}", script.display());
    }
    fs::rename(&unfinished, &folder).context("keeping the world")?;
    Ok(folder)
}

pub(crate) fn text(setting: &Setting, size: Size) -> Result<String> {
    let file = folder(setting, size)?.join(FILE);
    fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
}

/// What the generator calls its output.
pub(crate) const FILE: &str = "all.yaml";
