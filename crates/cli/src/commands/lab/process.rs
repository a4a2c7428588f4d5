//! `weir lab process`: the lab itself, started by `weir lab up` and by nobody else.

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
