//! The parts of a record as JSON has them.
//!
//! Each part borrows what it writes and owns what it reads, so that one type says what a field is called.

mod end;
mod flow;
mod trace;
mod words;

pub(crate) use end::EndLine;
pub(crate) use flow::FlowLine;
pub(crate) use trace::{RuleLine, TraceLine, rule_lines, rules};
pub(crate) use words::Time;
