//! `weir lab explain`: as `weir explain`, of what the lab is at this moment.

use super::WhichArgs;
use crate::commands::explain::{ExplainFormat, QuestionArgs, answer};
use crate::{CheckWorld, Console, ExpectedError, Outcome, PeerIndex};
use lab::Picture;
use report_formats::Palette;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  weir lab explain --from shop/web --to pay/db --port 5432
  weir lab explain --from shop/web --to service/pay/db --port postgres
  weir lab explain --from shop/web --to pay/db --port 5432 --staged

Exit codes: 0 allowed, 1 denied or undefined, 2 the arguments have errors, 3 the lab could not be asked.";

/// Explain a verdict of the lab: by which rules, what nearly matched, and how to allow it
///
/// As `weir explain` does it, of the pods that run and the policies that are enforced now.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    question: QuestionArgs,

    /// As if staged and observed policies were enforced too
    #[arg(long, help_heading = "Question")]
    staged: bool,

    #[command(flatten)]
    which: WhichArgs,

    /// How to print the explanation
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: ExplainFormat,
}

/// Whose verdict is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policies {
    Enforced,
    /// With those that are staged or observed.
    All,
}

pub(super) fn run(args: &ExplainArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let picture = args.which.client()?.picture()?;
    let policies = if args.staged { Policies::All } else { Policies::Enforced };
    let form = (args.output, console.out_palette);
    explain(&picture, (&args.question, policies), form, &mut console.out)
}

pub(super) fn explain(
    picture: &Picture,
    (question, policies): (&QuestionArgs, Policies),
    form: (ExplainFormat, Palette),
    out: &mut dyn Write,
) -> Result<Outcome, ExpectedError> {
    let world = CheckWorld {
        program: match policies {
            Policies::Enforced => picture.enforced(),
            Policies::All => picture.all(),
        },
        snapshot: picture.snapshot(),
        files: picture.files(),
        index: &PeerIndex::new(picture.snapshot()),
    };
    answer(world, question, form, out)
}
