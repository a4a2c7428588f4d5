//! What scenarios of a lab came to, in every format.

pub mod json;
pub mod junit;
pub mod text;

use finding_model::SourceFiles;
use lab_scenario::{Promise, ScenarioResult, StepOutcome, TrafficResult};

/// What all formats render.
#[derive(Clone, Copy, Debug)]
pub struct ScenarioReport<'a> {
    pub results: &'a [ScenarioResult],
    /// Of the scenarios.
    pub files: &'a SourceFiles,
}

impl ScenarioReport<'_> {
    pub fn fails(&self) -> bool {
        self.results.iter().any(|result| !result.passed())
    }

    fn n_failed(&self) -> usize {
        self.results.iter().map(ScenarioResult::n_failed).sum()
    }

    fn n_checks(&self) -> usize {
        self.results.iter().map(ScenarioResult::n_checks).sum()
    }
}

/// The code of what went wrong, and a line for each thing to say. Not yet fit to show.
fn of_outcome(outcome: &StepOutcome) -> Option<(&'static str, Vec<String>)> {
    match outcome {
        StepOutcome::Passed => None,
        StepOutcome::Failed(lines) => Some(("failed", lines.clone())),
        StepOutcome::Broken(why) => Some(("broken", vec![why.clone()])),
        StepOutcome::NotRun => {
            Some(("not-run", vec!["not run: a step before it could not be done".to_owned()]))
        }
    }
}

/// `412 passed, 3 failed, the slowest took 4 ms`, and what was promised.
fn tally(traffic: &TrafficResult) -> String {
    let TrafficResult { tally, promise, .. } = traffic;
    let promise =
        promise.map_or_else(String::new, |promise| format!("; {}", Promise::as_str(promise)));
    format!(
        "{} passed, {} failed, the slowest took {} ms{promise}",
        tally.passed, tally.failed, tally.slowest_ms
    )
}

#[cfg(test)]
mod fixtures;
