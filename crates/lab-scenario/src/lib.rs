//! Scenarios of a lab: what is done to it, what is expected of it meanwhile, and what came of it.
//!
//! [`Scenario`] is what a person wrote, [`ScenarioResult`] is what a run came to. `kube-import` reads the
//! first, `lab` turns it into the second, `report-formats` writes it. `docs/design/scenario.md` describes
//! the format. **Invariants.** Every step and every generator of traffic has one result, in the order of
//! the file; what was not run because of a failure before it says so and does not pass. Deliberately
//! absent: doing anything.

mod results;
mod scenario;

pub use results::{ScenarioResult, StepOutcome, StepResult, TrafficResult, TrafficTally};
pub use scenario::{
    Action, AgentChoice, Decider, Expectation, LabOptions, Manifests, Mode, Promise, Question,
    Reading, Relabel, Scenario, Step, Subject, Traffic, TrafficKind, Wanted,
};
