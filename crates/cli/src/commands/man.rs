//! `weir man`: the manual, a page for each command.

use super::WeirArgs;
use crate::{Console, ExpectedError, Outcome};
use clap::CommandFactory as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  weir man ~/.local/share/man/man1 && man weir-lint";

/// Write the manual, a page for weir and one for each command, into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Made if it does not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &ManArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let ManArgs { dir } = args;
    fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(WeirArgs::command(), dir))
        .map_err(|source| ExpectedError::WriteFile { path: dir.display().to_string(), source })?;
    if console.verbose {
        writeln!(console.err, "wrote the manual to {}", dir.display())?;
    }
    Ok(Outcome::Yes)
}
