//! `weir sessions tail`.

use super::folder::{FolderArgs, KeyArgs, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use session_formats::{Export, Format, Input};
use std::io::Write as _;
use std::time::Duration;

/// How often a recording that grows is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Print what a session shows while it goes on, line by line
///
/// Reads the recording's file, so it never slows the session, and shows what is on disk: within the commit interval.
/// Ends with the session.
#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Every byte with time and stream, instead of lines
    #[arg(long)]
    raw: bool,
    /// Print what is there and end
    #[arg(long)]
    no_follow: bool,
}

pub(crate) fn run(args: &TailArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let mut reader = args.keys.reader(&recordings, session)?;
    let format = if args.raw { Format::RawText } else { Format::Text };
    let mut export = Export::begin(format, Input::LeftOut, reader.opening(), &mut console.out)?;
    loop {
        while let Some(step) = reader.next_step().map_err(failed)? {
            export.step(&step, &mut console.out)?;
        }
        console.out.flush()?;
        if args.no_follow || reader.is_over() {
            break;
        }
        std::thread::sleep(LOOK);
    }
    export.end(&mut console.out)?;
    Ok(Outcome::Yes)
}
