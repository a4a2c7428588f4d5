//! What the fuzz targets do with arbitrary bytes: each function takes them all the way that a hostile
//! file takes, and panics where a promise is broken. `docs/fuzzing.md` says how to run them.
//!
//! The targets in `targets/` only call these functions, and so does a test that replays the seeds, so
//! that they are compiled and run with every other test. Time and memory are bounded by the fuzzer.

mod batch;
mod classifier;
mod flow;
mod ledger;
mod manifest;
mod recording;
mod replay;
mod spdy;
mod test_file;
mod websocket;

mod wire;

pub use batch::{answered, batch};
pub use classifier::{classified, classifier};
pub use flow::{flow, flows_of};
pub use ledger::{ledger, ledger_read};
pub use manifest::manifest;
pub use recording::{recording, steps_read};
pub use replay::{commands_found, replay};
pub use spdy::{spdy, spdy_events};
pub use test_file::test_file;
pub use websocket::{websocket, websocket_events};

use finding_model::{Finding, SourceFiles};

/// Takes the bytes that a fuzzer makes.
pub type Target = fn(&[u8]);

/// Runs each file that the command line names through a target.
pub fn run_files(target: Target) -> std::io::Result<()> {
    std::env::args_os().skip(1).try_for_each(|path| {
        target(&std::fs::read(path)?);
        Ok(())
    })
}

/// Every place that a finding names is a place of the input.
fn places_exist(findings: &[Finding], files: &SourceFiles) {
    for finding in findings {
        assert!(!finding.message.is_empty(), "{} says nothing", finding.code);
        if let Some(span) = finding.span {
            assert!(span.line > 0 && span.column > 0 && span.length > 0, "{finding:?}");
            assert!(!files.name(span.file).is_empty(), "{finding:?}");
        }
    }
}
