//! Commands: run to their end, or left running with a log.

use anyhow::{Context as _, Result, bail};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a command to its end; what it said is in the error.
pub(crate) fn run(command: &mut Command) -> Result<Output> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, said.trim());
    }
    Ok(output)
}

/// A process that runs as long as the testbed, which ends it.
pub(crate) struct Spawned {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Spawned {
    pub(crate) fn start(name: &str, command: &mut Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // Ctrl-C is for who holds the testbed; the testbed goes when nobody does.
        let child = command.process_group(0).spawn();
        Ok(Self {
            name: name.to_owned(),
            child: child.with_context(|| format!("starting {name}"))?,
            log,
        })
    }

    /// An error with the end of its log when the process is over.
    pub(crate) fn still_running(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(12);
            let last = lines.get(last..).unwrap_or_default();
            bail!("{} ended with {status}:\n{}", self.name, last.join("\n"));
        }
        Ok(())
    }

    /// After its namespace ended it.
    pub(crate) fn reap(&mut self) {
        drop(self.child.wait());
    }
}

/// Waits until something holds, looking every few milliseconds.
pub(crate) fn until(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let end = Instant::now() + limit;
    while !holds()? {
        if Instant::now() > end {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
