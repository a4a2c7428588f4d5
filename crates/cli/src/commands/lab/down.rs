//! `weir lab down`: the end of a lab.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use std::io::Write as _;

/// End a lab and leave nothing of it
#[derive(Debug, clap::Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn run(args: &DownArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    args.which.client()?.stop()?;
    writeln!(console.out, "lab {} is down", args.which.name)?;
    Ok(Outcome::Yes)
}
