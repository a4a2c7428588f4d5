//! Runs `cargo test` and ends with one line that sums what every test binary counted.
//!
//! It counts only what the binaries themselves reported, and is printed only where that is the whole truth.
//! Every binary runs, also after one failed.

use crate::workspace;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ExitCode, Stdio};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<ExitCode> {
    let mut test = workspace::cargo(root);
    test.args(["test", "--no-fail-fast"]).args(arguments).stdout(Stdio::piped());
    let mut child = test.spawn().context("starting cargo test")?;
    let output = child.stdout.take().context("cargo test has no standard output")?;
    let mut counted: Option<Counts> = None;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading what cargo test prints")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(counts) = summary(&line) {
            counted = Some(counted.unwrap_or_default().plus(counts));
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    let Counts { passed, failed } = verdict(status.success(), counted)?;
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The counts, where they tell the truth: a run that ran nothing, did not build, or lost a binary before its
/// summary has no closing line.
fn verdict(cargo_succeeded: bool, counted: Option<Counts>) -> Result<Counts> {
    match counted {
        Some(counts) if counts.passed + counts.failed == 0 => bail!("no test ran"),
        Some(counts) if cargo_succeeded == (counts.failed == 0) => Ok(counts),
        Some(_) => bail!("cargo test and its test binaries disagree: one died before its summary"),
        None => bail!("cargo test counted nothing"),
    }
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// The counts of a binary's closing line: `test result: ok. 3 passed; 0 failed; …`.
fn summary(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut parts = counts.split("; ");
    let passed = parts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = parts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some(Counts { passed, failed })
}

#[cfg(test)]
mod tests {
    use super::{Counts, summary, verdict};

    #[test]
    fn reads_the_closing_line_of_a_test_binary() {
        let line = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(summary(line), Some(Counts { passed: 3, failed: 0 }));
        let line =
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(summary(line), Some(Counts { passed: 12, failed: 2 }));
    }

    #[test]
    fn other_lines_count_nothing() {
        for line in
            ["test a::b ... ok", "running 3 tests", "test result: broken", "7 passed; 1 failed", ""]
        {
            assert_eq!(summary(line), None, "{line}");
        }
    }

    #[test]
    fn counts_add_up() {
        let sum = Counts { passed: 3, failed: 1 }.plus(Counts { passed: 4, failed: 0 });
        assert_eq!(sum, Counts { passed: 7, failed: 1 });
    }

    #[test]
    fn counts_are_told_only_where_they_are_the_truth() {
        let counts = |passed, failed| Some(Counts { passed, failed });
        assert_eq!(verdict(true, counts(2, 0)).ok(), counts(2, 0));
        assert_eq!(verdict(false, counts(2, 1)).ok(), counts(2, 1));
        for (cargo, counted) in
            [(false, counts(2, 0)), (true, counts(2, 1)), (true, counts(0, 0)), (false, None)]
        {
            assert_eq!(verdict(cargo, counted).ok(), None, "{counted:?}");
        }
    }
}
