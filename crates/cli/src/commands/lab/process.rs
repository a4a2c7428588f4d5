//! `weir lab process` and `weir lab agent`: the lab itself, started by `weir lab up`, and what it starts on
//! each of its nodes.

use super::WhichArgs;
use crate::{ExpectedError, Outcome};

#[derive(Debug, clap::Args)]
pub(crate) struct ProcessArgs {
    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn run(args: &ProcessArgs) -> Result<Outcome, ExpectedError> {
    lab::run(&args.which.folder()?)?;
    Ok(Outcome::Yes)
}

pub(super) fn agent() -> Result<Outcome, ExpectedError> {
    lab::run_agent()?;
    Ok(Outcome::Yes)
}
