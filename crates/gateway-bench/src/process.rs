//! The process in between: a gateway or a splice, and what the kernel says that it used.

use anyhow::{Context as _, Result, bail};
use nix::unistd::{SysconfVar, sysconf};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that ends with its owner.
pub(crate) struct Watched {
    child: Child,
}

impl Watched {
    /// Starts it and waits until something listens at `address`.
    pub(crate) fn start(mut command: Command, address: SocketAddr) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let mut watched = Self { child };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = watched.child.try_wait()? {
                bail!("{command:?} ended with {status}");
            }
            if Instant::now() > until {
                bail!("{command:?} does not listen at {address}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(watched)
    }

    /// User and system time of all its threads so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = text.rsplit_once(')').context("reading /proc/PID/stat")?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        let a_second = sysconf(SysconfVar::CLK_TCK)?.context("ticks a second")?;
        Ok(Duration::from_secs_f64(ticks as f64 / a_second as f64))
    }

    /// Waits until it does nothing: what is left of a session before, such as compressing its recording, is no part of
    /// the next.
    pub(crate) async fn quiet(&self) -> Result<()> {
        const LOOK: Duration = Duration::from_millis(500);
        let until = Instant::now() + Duration::from_secs(120);
        let mut before = self.cpu()?;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) * 20 <= LOOK {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("the process in between is busy with nothing to do");
            }
            before = now;
        }
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib * 1024)
    }
}

impl Watched {
    pub(crate) fn end(&mut self) {
        // A process that is gone already is what was wanted.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end();
    }
}

/// A port of the loopback that nothing listened on a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
