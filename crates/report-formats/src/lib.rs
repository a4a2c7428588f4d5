//! Renders maps, differences, findings and results of tests and scenarios: one file for each format.
//!
//! Every renderer takes a value and a writer. Names, paths and lines of source come from people who
//! may be hostile to whoever reads the report, so each format goes through [`visible()`] or the escaping
//! of its own syntax. **Invariants.** The same value gives the same bytes. No output holds a control
//! character that the format itself does not need, nor a character that hides or reorders text; colour
//! comes only from a [`Palette`]. Deliberately absent: what is being reported, and where it is written to.

pub mod check;
mod count;
pub mod diff;
pub mod explain;
pub mod findings;
pub mod map;
pub mod markdown;
pub mod scenario_results;
pub mod test_results;

pub use check::{Asked, CheckReport, Overall};
pub use count::counted;
pub use diff::DiffReport;
pub use findings::FindingReport;
pub use safe_output::{Palette, Role, is_hidden, json, visible, visible_lines};
pub use scenario_results::ScenarioReport;
pub use test_results::{TestReport, TestRun};
