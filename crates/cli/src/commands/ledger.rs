//! `weir ledger`: a ledger, verified, proved from, read and published, with nothing but its files.

mod arguments;
mod entry_view;
mod key;
mod prove;
mod publish;
mod recording;
mod report_view;
mod rotate;
mod show;
mod tail;
mod verify;

pub(crate) use arguments::{parse_key, runtime};
pub(crate) use key::read_secret;

use crate::exit::ExpectedError;
use crate::{Console, Outcome};

const EXAMPLES: &str = "\
Examples:
  weir ledger key --name ledger.example/prod --out ledger.key
  weir ledger verify /var/lib/weir/ledger --key ledger.key.pub
  weir ledger verify s3://evidence/prod --key ledger.key.pub --remembered last-month
  weir ledger prove /var/lib/weir/ledger --session ID --recording FILE --out ID.bundle
  weir ledger verify ID.bundle --key ledger.key.pub
  weir ledger tail /var/lib/weir/ledger --follow

Exit codes: 0 yes or done, 1 no: findings at or over --fail-on, 2 wrong usage, 3 it could not be done.";

/// Verify, prove from, read and publish a ledger: the list of entries that can only grow
///
/// Works with files alone: nothing here asks a gateway.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LedgerCommand {
    Verify(verify::VerifyArgs),
    Prove(prove::ProveArgs),
    Show(show::ShowArgs),
    Tail(tail::TailArgs),
    Key(key::KeyArgs),
    Rotate(rotate::RotateArgs),
    Publish(publish::PublishArgs),
    Cosign(publish::CosignArgs),
}

pub(crate) fn run(args: &LedgerArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        LedgerCommand::Verify(args) => verify::run(args, console),
        LedgerCommand::Prove(args) => prove::run(args, console),
        LedgerCommand::Show(args) => show::run(args, console),
        LedgerCommand::Tail(args) => tail::run(args, console),
        LedgerCommand::Key(args) => key::run(args, console),
        LedgerCommand::Rotate(args) => rotate::run(args, console),
        LedgerCommand::Publish(args) => publish::run(args, console),
        LedgerCommand::Cosign(args) => publish::cosign(args, console),
    }
}
