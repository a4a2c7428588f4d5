//! The commands of `weir`: arguments in, an answer on standard output and an exit code out.
//!
//! A command is one file in `commands/`, with its clap `Args` and a `run` that ends in an [`Outcome`]
//! or an [`ExpectedError`]; those two decide the exit code, in `exit.rs`. Answers go to standard
//! output, everything about the run to standard error. **Invariants.** Nothing happens before the
//! arguments are parsed. A command never answers from input that has errors, unless `--keep-going`
//! asks for it. Deliberately absent: policy semantics and the layout of reports.

mod arguments;
mod commands;
mod exit;
mod finding_pages;
mod load;
mod progress;
mod terminal;

pub use arguments::{
    AssumptionArgs, InputArgs, KindArgument, PeerArgument, PeerArgumentError, PortArgument,
    PortArgumentError, ProfileArgument, ReadingArgs, SeverityArgument,
};
pub use commands::{Answered, BatchAnswerer, CheckWorld};
pub use exit::{ExpectedError, FAILED, INPUT, NO, Outcome, YES};
pub use load::load;
pub use question_syntax::{AddressedPeers, Peer, PeerError, PeerIndex};
pub use terminal::Console;

use clap::Parser as _;
use commands::WeirArgs;
use std::process::ExitCode;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = match WeirArgs::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::of_clap(&error),
    };
    let mut console = Console::of_process(args.color, args.verbose);
    let result = commands::run(&args.command, &mut console);
    exit::finish(result, console)
}
