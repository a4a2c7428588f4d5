//! `weir ledger show`.

use super::arguments::{OutputArgs, PlaceArgs, failed, runtime};
use super::entry_view;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_store::{LedgerReader, decode_entry};
use memchr::memmem;

const WIDTH: u64 = 256;

/// List a ledger's entries
///
/// Lists what the files have; that it is what was written is for `weir ledger verify` to say.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// Only the entry with this index
    #[arg(value_name = "INDEX")]
    index: Option<u64>,

    /// Only entries that have this text: the id of a session, a user, …
    #[arg(long, value_name = "TEXT", help_heading = "Which entries")]
    about: Option<String>,

    /// Only entries of this kind: session.opened, session.refused, …
    #[arg(long, value_name = "KIND", help_heading = "Which entries")]
    kind: Option<String>,

    /// From this index on
    #[arg(long, value_name = "INDEX", help_heading = "Which entries")]
    from: Option<u64>,

    /// No more than so many
    #[arg(long, value_name = "NUMBER", help_heading = "Which entries")]
    limit: Option<u64>,

    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &ShowArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let reader = args.place.reader()?;
    let runtime = runtime()?;
    let checkpoint = runtime.block_on(reader.checkpoint()).map_err(failed)?;
    let size = checkpoint.map_or(0, |checkpoint| checkpoint.head().size);
    let shown = runtime.block_on(list(args, &reader, size, console))?;
    Ok(if shown > 0 { Outcome::Yes } else { Outcome::No })
}

async fn list(
    args: &ShowArgs,
    reader: &LedgerReader,
    size: u64,
    console: &mut Console,
) -> Result<u64, ExpectedError> {
    let (from, until) = match args.index {
        Some(index) => (index, index.saturating_add(1).min(size)),
        None => (args.from.unwrap_or(0), size),
    };
    let limit = args.limit.unwrap_or(u64::MAX);
    let about = args.about.as_deref().map(memmem::Finder::new);
    let mut shown = 0;
    for file in from / WIDTH..until.div_ceil(WIDTH) {
        let entries = reader.entries(file, size).await.map_err(failed)?;
        for (index, bytes) in (file * WIDTH..).zip(entries) {
            let asked = index >= from && index < until && shown < limit;
            let wanted = about.as_ref().is_none_or(|about| about.find(&bytes).is_some())
                && args.kind.as_deref().is_none_or(|kind| is_of(&bytes, kind));
            if asked && wanted {
                let palette = console.out_palette;
                entry_view::write(&mut console.out, (index, &bytes), args.output.output, palette)?;
                shown += 1;
            }
        }
    }
    Ok(shown)
}

/// Whether an entry is of a kind, which may be one that this version does not know.
fn is_of(bytes: &[u8], kind: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Kind {
        kind: String,
    }
    decode_entry(bytes).is_ok()
        && serde_json::from_slice::<Kind>(bytes).is_ok_and(|read| read.kind == kind)
}
