//! `weir lab exec` and `weir lab shell`: a command of the user's in a pod's network, on the user's
//! terminal.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use lab::Entry;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

/// Run a command in the network of a pod, a node or a peer outside
///
/// The command sees the machine's files, with the pod's /etc/resolv.conf and /etc/hosts, and exits with
/// the command's code. It ends when the lab does.
#[derive(Debug, clap::Args)]
pub(crate) struct ExecArgs {
    /// namespace/name of a pod or workload, a node's name, or an address
    #[arg(value_name = "POD")]
    peer: String,

    /// What to run
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<OsString>,

    #[command(flatten)]
    which: WhichArgs,
}

/// Open a shell in the network of a pod, a node or a peer outside
#[derive(Debug, clap::Args)]
pub(crate) struct ShellArgs {
    /// namespace/name of a pod or workload, a node's name, or an address
    #[arg(value_name = "POD")]
    peer: String,

    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn exec(args: &ExecArgs) -> Result<Outcome, ExpectedError> {
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(ExpectedError::Usage("there is no command to run".to_owned()));
    };
    let entry = args.which.client()?.enter(&args.peer)?;
    run_in(entry, &args.which, Command::new(program).args(arguments))
}

pub(super) fn shell(args: &ShellArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let entry = args.which.client()?.enter(&args.peer)?;
    writeln!(console.err, "in the network of {}; `exit` leaves it", entry.host)?;
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    run_in(entry, &args.which, &mut Command::new(shell))
}

fn run_in(
    entry: Entry,
    which: &WhichArgs,
    command: &mut Command,
) -> Result<Outcome, ExpectedError> {
    command.env("WEIR_LAB_HOST", &entry.host);
    let status = lab::run_inside(entry, &which.folder()?, command)?;
    Ok(Outcome::OfCommand(code(status)))
}

/// As a shell says it: 128 and the signal's number.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
