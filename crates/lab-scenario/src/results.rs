//! What a run came to. Everything that a report shows is here.

use crate::scenario::Promise;
use finding_model::SourceSpan;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioResult {
    pub name: String,
    pub span: SourceSpan,
    /// What is not as the manifests say.
    pub notes: Vec<String>,
    pub steps: Vec<StepResult>,
    pub traffic: Vec<TrafficResult>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepResult {
    pub title: String,
    pub span: SourceSpan,
    pub outcome: StepOutcome,
    /// Worth knowing whatever the outcome is.
    pub notes: Vec<String>,
    pub took_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Passed,
    /// A line each, and not empty: what is not as expected.
    Failed(Vec<String>),
    /// It could not be done; nothing behind it was.
    Broken(String),
    /// A step before it could not be done.
    NotRun,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficResult {
    pub title: String,
    pub span: SourceSpan,
    pub promise: Option<Promise>,
    pub tally: TrafficTally,
    /// Empty: what was promised held. The first few where it did not, or why nothing is known.
    pub problems: Vec<String>,
}

/// Of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficTally {
    pub passed: u64,
    pub failed: u64,
    /// The slowest that passed.
    pub slowest_ms: u64,
}

impl ScenarioResult {
    pub fn passed(&self) -> bool {
        self.n_failed() == 0
    }

    /// Steps and traffic.
    pub fn n_checks(&self) -> usize {
        self.steps.len() + self.traffic.len()
    }

    pub fn n_failed(&self) -> usize {
        let steps = self.steps.iter().filter(|step| !step.passed()).count();
        steps + self.traffic.iter().filter(|traffic| !traffic.problems.is_empty()).count()
    }

    /// Whether something could not be done.
    pub fn is_broken(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, StepOutcome::Broken(_)))
    }
}

impl StepResult {
    pub fn passed(&self) -> bool {
        self.outcome == StepOutcome::Passed
    }
}
