//! The Python client of Kubernetes, installed once into the cache.

use crate::parts::{alone, cache_folder};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `testbed/python-client/client.py`, as a program that needs nothing else; its argument is a kubeconfig.
///
/// # Errors
/// Python is missing, or its packages cannot be installed.
pub fn python_client() -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed/python-client");
    let wanted = fs::read_to_string(sources.join("requirements.txt"))?;
    let script = fs::read_to_string(sources.join("client.py"))?;
    let cache = cache_folder()?;
    let folder = cache.join("python-client");
    let _alone = alone(&cache, "python-client")?;
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).ok().as_deref() != Some(wanted.as_str()) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(sources.join("requirements.txt")))?;
        fs::write(&stamp, wanted)?;
    }
    let program = folder.join("client");
    let script = format!("#!{}\n{script}", folder.join("bin/python3").display());
    // One that others are reading is left alone.
    if fs::read_to_string(&program).ok().as_deref() != Some(script.as_str()) {
        fs::write(&program, script)?;
        run(Command::new("chmod").arg("755").arg(&program))?;
    }
    Ok(program)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.with_context(|| format!("running {command:?}: install python3 and python3-venv"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
