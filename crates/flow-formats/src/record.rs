//! The parts of a record as JSON has them.
//!
//! Each part borrows what it writes and owns what it reads, so that one type says what a field is called.

mod end;
mod flow;
mod trace;
mod words;

pub(crate) use end::{EndKind, EndLine};
pub(crate) use flow::{CountersLine, FlowLine, ServiceLine};
pub(crate) use trace::{RuleLine, TraceLine, rule_lines, rules};
pub(crate) use words::{
    CauseWord, PolicyKindWord, ProtocolWord, ReportWord, Time, WorkloadKindWord,
};
