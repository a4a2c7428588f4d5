//! Where the workspace is, and what `cargo` and `git` say about it.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of the messages that `cargo build` prints; other messages do not decode as it.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    // As cargo has it now: checkouts that share a target folder share this program.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = manifest.parent().context("xtask has no parent folder")?;
    Ok(root.to_owned())
}

/// The cargo that runs us, so that a toolchain override reaches nested calls.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Builds `weir` in a profile and gives its path.
pub(crate) fn build_weir(root: &Path, profile: &str) -> Result<PathBuf> {
    build(root, "weir", profile)
}

/// Builds the binary of a package that is called like the package, and gives its path.
pub(crate) fn build(root: &Path, package: &str, profile: &str) -> Result<PathBuf> {
    let mut build = cargo(root);
    build.args([
        "build",
        "--quiet",
        "--package",
        package,
        "--message-format",
        "json",
        "--profile",
        profile,
    ]);
    let output =
        build.stderr(std::process::Stdio::inherit()).output().context("running cargo build")?;
    if !output.status.success() {
        bail!("building {package} failed");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter(|artifact| artifact.target.name == package)
        .find_map(|artifact| artifact.executable)
        .context("cargo build named no executable")
}

/// Standard output of a command that must succeed.
pub(crate) fn output(root: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let program =
        if program == "cargo" { cargo(root).get_program().to_owned() } else { program.into() };
    let name = Path::new(&program)
        .file_name()
        .map(OsStr::to_string_lossy)
        .unwrap_or_default()
        .into_owned();
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("running {name}"))?;
    if !output.status.success() {
        bail!("{name} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed no UTF-8"))
}
