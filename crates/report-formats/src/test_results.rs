//! Results of policy tests in every format.

pub mod json;
pub mod junit;
pub mod tap;
pub mod text;
mod told;

use finding_model::SourceFiles;
use policy_assertions::{CheckResult, Coverage, Results};
use policy_engine::Assumptions;

/// Tests that ran against the same manifests under the same assumptions.
#[derive(Clone, Copy, Debug)]
pub struct TestRun<'a> {
    pub results: &'a Results,
    /// Of the tests and of the manifests.
    pub files: &'a SourceFiles,
    pub assumptions: &'a Assumptions,
}

/// What all formats render.
#[derive(Clone, Copy, Debug)]
pub struct TestReport<'a> {
    pub runs: &'a [TestRun<'a>],
    /// The least percentage of rules that cases must decide by, in each run.
    pub coverage_min: Option<usize>,
}

/// How many checks there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckCounts {
    pub(crate) tests: usize,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
}

impl TestReport<'_> {
    /// Whether a check failed, or too few rules are covered.
    pub fn fails(&self) -> bool {
        self.counts().failed > 0
            || self.runs.iter().any(|run| self.is_too_low(&run.results.coverage))
    }

    pub(crate) fn is_too_low(&self, coverage: &Coverage) -> bool {
        self.coverage_min.is_some_and(|least| coverage.percent() < least)
    }

    pub(crate) fn counts(&self) -> CheckCounts {
        let mut counts = CheckCounts::default();
        for run in self.runs {
            let failed = run.results.n_failed();
            counts.tests += run.results.tests.len();
            counts.failed += failed;
            counts.passed += run.results.checks().count() - failed;
        }
        counts
    }
}

/// Every check with the name of its test, in order.
pub(crate) fn checks<'r>(run: &TestRun<'r>) -> impl Iterator<Item = (&'r str, &'r CheckResult)> {
    let tests = run.results.tests.iter();
    tests.flat_map(|test| test.checks.iter().map(|check| (test.name.as_str(), check)))
}

#[cfg(test)]
mod fixtures;
