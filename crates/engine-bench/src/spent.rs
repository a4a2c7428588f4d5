//! CPU time and peak memory of a command, or of a part of this process.
//!
//! The system tells a process only of all its children together, so each command is measured by a process
//! of its own that has no other child.

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// User and system time of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) wall_seconds: f64,
    /// 0 for a part of this process.
    pub(crate) peak_bytes: u64,
    pub(crate) output_bytes: u64,
}

impl Spent {
    /// The middle of each figure by itself.
    pub(crate) fn median(all: &[Self]) -> Self {
        let seconds = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = all.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let bytes = |figure: fn(&Self) -> u64| {
            let mut figures: Vec<u64> = all.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        Self {
            cpu_seconds: seconds(|spent| spent.cpu_seconds),
            wall_seconds: seconds(|spent| spent.wall_seconds),
            peak_bytes: bytes(|spent| spent.peak_bytes),
            output_bytes: bytes(|spent| spent.output_bytes),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_seconds, wall_seconds, peak_bytes, output_bytes: _ } = self;
        write!(f, "{cpu_seconds:8.3} s CPU  {wall_seconds:8.3} s")?;
        match peak_bytes {
            0 => Ok(()),
            bytes => write!(f, "  {:6} MB", bytes / 1_000_000),
        }
    }
}

/// What a command spends, several times.
pub(crate) fn on_command<A: AsRef<OsStr>>(
    program: &OsStr,
    arguments: &[A],
    runs: usize,
) -> Result<Spent> {
    let me = std::env::current_exe().context("finding this program")?;
    let mut all = Vec::new();
    for _ in 0..runs.max(1) {
        let mut command = Command::new(&me);
        command.args(["spent", "--"]).arg(program).args(arguments).stderr(Stdio::inherit());
        let output = command.output().context("measuring a command")?;
        if !output.status.success() {
            bail!("a measured command failed");
        }
        all.push(serde_json::from_slice(&output.stdout).context("reading what was measured")?);
    }
    Ok(Spent::median(&all))
}

/// The other end of [`on_command`]: this process measures its only child.
pub(crate) fn run(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no command is named")?;
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {program}"))?;
    let mut output = child.stdout.take().context("the command has no output")?;
    let output_bytes = io::copy(&mut output, &mut io::sink()).context("reading its output")?;
    let status = child.wait().context("waiting for the command")?;
    let wall_seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{} ended with {status}", command.join(" "));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("asking what was spent")?;
    // Linux counts in units of 1,024 bytes.
    let peak_bytes = u64::try_from(usage.max_rss()).unwrap_or_default() * 1024;
    let spent = Spent { cpu_seconds: cpu_seconds(&usage), wall_seconds, peak_bytes, output_bytes };
    println!("{}", serde_json::to_string(&spent)?);
    Ok(())
}

/// What a part of this process spends, and what it gives.
pub(crate) fn on<T>(part: impl FnOnce() -> T) -> Result<(Spent, T)> {
    let before = cpu_seconds(&getrusage(UsageWho::RUSAGE_SELF)?);
    let start = Instant::now();
    let result = part();
    let wall_seconds = start.elapsed().as_secs_f64();
    let cpu_seconds = cpu_seconds(&getrusage(UsageWho::RUSAGE_SELF)?) - before;
    Ok((Spent { cpu_seconds, wall_seconds, ..Spent::default() }, result))
}

fn cpu_seconds(usage: &Usage) -> f64 {
    let duration = |time: TimeVal| {
        let microseconds = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(u64::try_from(time.tv_sec()).unwrap_or_default())
            + Duration::from_micros(microseconds)
    };
    (duration(usage.user_time()) + duration(usage.system_time())).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::Spent;

    #[test]
    fn one_slow_run_does_not_move_the_median() {
        let of = |cpu_seconds| Spent { cpu_seconds, peak_bytes: 7, ..Spent::default() };
        assert_eq!(Spent::median(&[of(3.0), of(900.0), of(1.0)]), of(3.0));
        assert_eq!(Spent::median(&[]), Spent::default());
    }

    #[test]
    fn work_in_this_process_costs_time() {
        let work = || (0..20_000_000_u64).map(std::hint::black_box).fold(0_u64, u64::wrapping_add);
        let (spent, sum) = super::on(work).unwrap();
        assert_eq!(sum, 199_999_990_000_000);
        assert!(spent.cpu_seconds > 0.0 && spent.wall_seconds > 0.0);
    }
}
