//! A program under test among a testbed's processes: it ends with the testbed, however that ends.
//!
//! Its parent is an `nsenter`, because a process cannot enter another process namespace, only be born in it.
//! So a [`Child`] would be the wrong process to send signals to; [`Process`] is the right one.

use crate::apart::only_child;
use crate::spawned::until;
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

/// A running program of [`Testbed::beside`](crate::Testbed::beside). Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    nsenter: Child,
    pid: u32,
}

impl Process {
    /// Starts a command of [`Testbed::beside`](crate::Testbed::beside), with the arguments, environment and
    /// standard streams that were added to it.
    ///
    /// # Errors
    /// It cannot be started, or ended before it was there.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut nsenter = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let mut pid = None;
        let found = until("the program is there", Duration::from_secs(10), || {
            pid = only_child(nsenter.id()).ok();
            if pid.is_none()
                && let Some(status) = nsenter.try_wait()?
            {
                bail!("{command:?} ended with {status}");
            }
            Ok(pid.is_some())
        });
        match (found, pid) {
            (Ok(()), Some(pid)) => Ok(Self { nsenter, pid }),
            (found, _) => {
                drop(nsenter.kill());
                drop(nsenter.wait());
                found.and(Err(anyhow::anyhow!("the program is not there")))
            }
        }
    }

    /// The program's own number, as the machine sees it.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.pid
    }

    /// For its standard streams. Signals to this child would not reach the program.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.nsenter
    }

    /// Sends the program a signal.
    ///
    /// # Errors
    /// It ended already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid)?);
        kill(pid, signal).with_context(|| format!("sending {signal} to process {pid}"))
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        if self.nsenter.try_wait()?.is_none() {
            // It may end by itself in between.
            drop(self.signal(Signal::SIGKILL));
        }
        self.wait()
    }

    /// Waits for its end. A signal that ended it is in the status, as for a child.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.nsenter.wait().context("waiting for a program")
    }

    /// Whether it ended, without waiting.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.nsenter.try_wait().context("asking for a program's end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.kill());
    }
}
