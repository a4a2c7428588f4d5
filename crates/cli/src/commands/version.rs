//! `weir version`: which weir this is.

use crate::{Console, ExpectedError, Outcome};
use std::io::Write as _;

/// Print the version
#[derive(Debug, clap::Args)]
pub(crate) struct VersionArgs {}

pub(crate) fn run(args: &VersionArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let VersionArgs {} = args;
    writeln!(console.out, "weir {}", env!("CARGO_PKG_VERSION"))?;
    Ok(Outcome::Yes)
}
