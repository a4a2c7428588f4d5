//! The provider's packages, in the cache.

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "server.mjs"];

/// The folder with the server and its packages; installed now where it was not yet.
pub(crate) fn installed() -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testbed/oidc-provider");
    let cache = cache_folder()?;
    let target = cache.join(format!("oidc-provider-{}", key(&sources)?));
    if target.is_dir() {
        return Ok(target);
    }
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("oidc-provider.lock"))?;
    lock.lock().context("waiting for another installation")?;
    if !target.is_dir() {
        install(&sources, &cache, &target)?;
    }
    Ok(target)
}

fn install(sources: &Path, cache: &Path, target: &Path) -> Result<()> {
    let unfinished = cache.join("oidc-provider.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    for file in FILES {
        fs::copy(sources.join(file), unfinished.join(file))
            .with_context(|| format!("copying {file}"))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&unfinished).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.args(["--prefer-offline", "--loglevel=error"]);
    let status = npm.status().context(
        "npm is missing: the OpenID Connect provider of these tests is installed with it; install Node.js from https://nodejs.org",
    )?;
    if !status.success() {
        bail!("npm ci in {} failed: {status}", unfinished.display());
    }
    fs::rename(&unfinished, target).context("putting the finished installation into its place")
}

fn key(sources: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for file in FILES {
        let path = sources.join(file);
        digest.update(fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
        digest.update([0]);
    }
    let mut key = String::new();
    for byte in digest.finalize().iter().take(6) {
        write!(key, "{byte:02x}")?;
    }
    Ok(key)
}

fn cache_folder() -> Result<PathBuf> {
    let cache = match std::env::var_os("WEIR_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let home = std::env::var_os("HOME").context("neither WEIR_CACHE nor HOME is set")?;
            PathBuf::from(home).join(".cache/weir")
        }
    };
    Ok(cache.join("testbed"))
}
