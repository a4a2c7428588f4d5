//! `weir sessions`: recordings of privileged access, read where they are.
//!
//! Reads a folder of recordings, without a gateway and without a network. What a recording holds is decrypted with the
//! caller's own age identities; without one there are still the facts, and whether anything was changed. What only a
//! gateway can do, and what it is asked to do with `--gateway`, goes over its API ([`gateway`]).
//!
//! Whoever has a recording's file and a key can read it without this program, so nothing here can force that reading is
//! put on record; [`audit`] puts it there for those who want that. A gateway's API is what forces it.

mod act;
mod audit;
mod coverage;
mod export;
mod folder;
mod gateway;
mod grep;
mod hold;
mod in_ledger;
mod ls;
mod note;
mod play;
mod show;
mod tail;
mod verify;

use crate::exit::ExpectedError;
use crate::{Console, Outcome};

const EXAMPLES: &str = "\
Examples:
  weir sessions ls --recordings /var/lib/weir/recordings --namespace prod --since 2026-10-01
  weir sessions show ID --recordings DIR --identity auditor.key
  weir sessions play ID --recordings DIR --identity auditor.key --max-idle 2
  weir sessions grep 'rm -rf' --recordings DIR --identity auditor.key
  weir sessions tail -f ID --recordings DIR --identity auditor.key
  weir sessions export ID --recordings DIR --identity auditor.key --format cast > session.cast
  weir sessions coverage /var/log/kubernetes --recordings DIR --cluster prod
  weir sessions verify --recordings DIR --ledger DIR --ledger-key 'gateway+…'
  weir sessions tail ID --gateway https://gateway.example:8444 --token-file token
  weir sessions kill ID --why 'not at night' --gateway https://gateway.example:8444 --token-file token

Exit codes: 0 yes, found or sound, 1 no, nothing found, altered or not covered, 2 wrong usage, 3 it could not be done.";

/// List, play, search, export, verify and end privileged sessions
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SessionsArgs {
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SessionsCommand {
    Ls(ls::LsArgs),
    Show(show::ShowArgs),
    Play(play::PlayArgs),
    Tail(tail::TailArgs),
    Grep(grep::GrepArgs),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Note(note::NoteArgs),
    Hold(hold::HoldArgs),
    Release(hold::ReleaseArgs),
    Coverage(coverage::CoverageArgs),
    Kill(act::KillArgs),
    Freeze(act::FreezeArgs),
    Thaw(act::ThawArgs),
}

pub(crate) fn run(args: &SessionsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        SessionsCommand::Ls(args) => ls::run(args, console),
        SessionsCommand::Show(args) => show::run(args, console),
        SessionsCommand::Play(args) => play::run(args, console),
        SessionsCommand::Tail(args) => tail::run(args, console),
        SessionsCommand::Grep(args) => grep::run(args, console),
        SessionsCommand::Export(args) => export::run(args, console),
        SessionsCommand::Verify(args) => verify::run(args, console),
        SessionsCommand::Note(args) => note::run(args, console),
        SessionsCommand::Hold(args) => hold::run(args, console),
        SessionsCommand::Release(args) => hold::release(args, console),
        SessionsCommand::Coverage(args) => coverage::run(args, console),
        SessionsCommand::Kill(args) => act::kill(args, console),
        SessionsCommand::Freeze(args) => act::freeze(args, console),
        SessionsCommand::Thaw(args) => act::thaw(args, console),
    }
}
