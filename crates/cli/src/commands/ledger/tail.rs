//! `weir ledger tail`.

use super::arguments::{OutputArgs, PlaceArgs, failed, runtime};
use super::entry_view;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_store::LedgerReader;
use std::io::Write as _;
use std::time::Duration;

const WIDTH: u64 = 256;

/// How often a ledger that grows is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Print the last entries, and new ones as they are published
#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// How many of the last entries to begin with
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10)]
    entries: u64,

    /// Go on with new ones until interrupted
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &TailArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let reader = args.place.reader()?;
    runtime()?.block_on(follow(args, &reader, console))
}

async fn follow(
    args: &TailArgs,
    reader: &LedgerReader,
    console: &mut Console,
) -> Result<Outcome, ExpectedError> {
    let mut next = size(reader).await?.saturating_sub(args.entries);
    loop {
        let size = size(reader).await?;
        if size < next {
            let message = format!(
                "the ledger has {size} entries now and had {next}: an older state is there"
            );
            return Err(ExpectedError::Usage(message));
        }
        print(args, reader, (next, size), console).await?;
        next = size;
        if !args.follow {
            return Ok(Outcome::Yes);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn size(reader: &LedgerReader) -> Result<u64, ExpectedError> {
    let checkpoint = reader.checkpoint().await.map_err(failed)?;
    Ok(checkpoint.map_or(0, |checkpoint| checkpoint.head().size))
}

async fn print(
    args: &TailArgs,
    reader: &LedgerReader,
    (from, until): (u64, u64),
    console: &mut Console,
) -> Result<(), ExpectedError> {
    if from == until {
        return Ok(());
    }
    for file in from / WIDTH..until.div_ceil(WIDTH) {
        let entries = reader.entries(file, until).await.map_err(failed)?;
        for (index, bytes) in (file * WIDTH..).zip(entries).filter(|(index, _)| *index >= from) {
            let palette = console.out_palette;
            entry_view::write(&mut console.out, (index, &bytes), args.output.output, palette)?;
        }
    }
    Ok(console.out.flush()?)
}
