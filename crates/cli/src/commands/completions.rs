//! `weir completions`: a script that completes commands and options in a shell.

use super::WeirArgs;
use crate::{Console, ExpectedError, Outcome};
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;

const EXAMPLES: &str = "\
Examples:
  source <(weir completions bash)
  weir completions zsh > ~/.zfunc/_weir
  weir completions fish > ~/.config/fish/completions/weir.fish";

/// Print a script that completes weir's commands and options
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    // The generator panics where its writer fails, and a Vec never does.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut WeirArgs::command(), "weir", &mut script);
    console.out.write_all(&script)?;
    Ok(Outcome::Yes)
}
