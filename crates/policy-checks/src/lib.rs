//! Checks: what is wrong, or probably not meant, with policies that read without an error.
//!
//! Each check is one file in `checks/`. Its first comment is its manual: `docs/findings/CODE.md` is
//! the same text, and a test keeps the two equal.
//!
//! **Invariants.** A check reports what it can show: a finding about connections carries one, and
//! [`Program::decide`](policy_engine::Program::decide) was asked about it. What the input does not
//! hold (labels of namespaces that nobody declared, workloads of other teams) is not taken as wrong.
//! [`run`] is a function of its arguments, and its findings are sorted. Deliberately absent: faults of
//! single documents (see `kube-import`) and rendering (see `report-formats`).

mod checks;
mod contain;
mod destinations;
mod dns;
mod forks;
mod known;
mod near;
mod points;
mod registry;
mod scopes;
mod words;
mod world;
mod yaml;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

pub use registry::{CHECKS, Check, Settings, run};
