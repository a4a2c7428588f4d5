//! Policy unit tests: cases, set assertions and rule coverage.
//!
//! [`PolicyTest`] is what a person wrote, [`run_tests`] asks the engine, [`Results`] is what came out.
//! A set is looked up in `members.rs`; `blocks.rs` walks all connections between two sets, by class and
//! by the pieces of the address space that policies tell apart; `case.rs`, `assertion.rs`,
//! `requirement.rs` and `isolation.rs` judge them; `coverage.rs` notes which rules decided.
//!
//! **Invariants.** A check that speaks of nothing fails: every set, exception and port name that is
//! written down must stand for something. An assertion is checked exactly, on every port and address,
//! never on a sample. A failure names a connection that anyone can ask `weir check` about.
//! Deliberately absent: reading test files (`kube-import`), and the layout of reports.

mod assertion;
mod blocks;
mod case;
mod coverage;
mod isolation;
mod lookup;
mod members;
mod requirement;
mod results;
mod run;
mod service_case;
mod spec;
mod violations;
mod witness;
mod world;

pub use policy_engine::{Semantics, Verdict};
pub use results::{
    CheckKind, CheckResult, Coverage, Example, Problem, ProblemKind, Results, RuleCoverage,
    SideWitness, TestResult, Witness,
};
pub use run::run_tests;
pub use spec::{
    Assertion, Case, Claim, Decider, ManifestPath, OnUndefined, PeerSet, PodSelection, PolicyTest,
    Quantifier, Scope, Whole,
};
