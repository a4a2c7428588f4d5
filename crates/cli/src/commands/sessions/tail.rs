//! `weir sessions tail`.

mod live;

use super::audit::AuditArgs;
use super::folder::{KeyArgs, MaybeFolderArgs, failed, fetch};
use super::gateway::GatewayArgs;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use session_formats::{Export, Format, Input};
use session_record::{Reader, SessionId};
use session_store::{Condition, RecordingSource, Recordings};
use std::io::Write as _;
use std::time::Duration;

/// How often a recording that grows is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// After so many looks at which nothing was new, whether it was sealed elsewhere is looked up.
const QUIET_LOOKS: u32 = 10;

/// Print what a session shows, line by line, and with -f while it goes on
///
/// Reads the recording's file, so it never slows the session, and shows what is on disk: within the commit interval.
/// With -f it ends with the session. With a gateway it shows what goes on there, and ends with the session too.
#[derive(Debug, clap::Args)]
pub(crate) struct TailArgs {
    /// The session's id, or its beginning
    id: String,
    /// Go on while the session does
    #[arg(short, long)]
    follow: bool,
    /// Every byte with time and stream, instead of lines
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    folder: MaybeFolderArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    audit: AuditArgs,
}

pub(crate) fn run(args: &TailArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let format = if args.raw { Format::RawText } else { Format::Text };
    if args.gateway.gateway.is_some() {
        let gateway = args.gateway.open()?;
        return live::run(&gateway, gateway.find(&args.id)?, format, console);
    }
    let folder = args.folder.folder()?;
    let recordings = folder.open()?;
    let session = folder.find(&args.id)?;
    let mut reader = args.keys.reader(&recordings, session)?;
    args.audit.viewed(session, if args.follow { "live" } else { "tail" })?;
    let mut export = Export::begin(format, Input::LeftOut, reader.opening(), &mut console.out)?;
    let (mut n_given, mut n_quiet) = (0_u64, 0_u32);
    loop {
        let n_before = n_given;
        while let Some(step) = reader.next_step().map_err(failed)? {
            n_given += 1;
            export.step(&step, &mut console.out)?;
        }
        console.out.flush()?;
        if !args.follow || reader.is_over() {
            break;
        }
        n_quiet = if n_given == n_before { n_quiet + 1 } else { 0 };
        if n_quiet >= QUIET_LOOKS {
            n_quiet = 0;
            if let Some(sealed) = sealed_elsewhere(args, &recordings, session, n_given)? {
                reader = sealed;
                continue;
            }
        }
        std::thread::sleep(LOOK);
    }
    export.end(&mut console.out)?;
    Ok(Outcome::Yes)
}

/// The end of a recording may be in another file than its beginning: it was recovered, or compressed.
fn sealed_elsewhere(
    args: &TailArgs,
    recordings: &Recordings,
    session: SessionId,
    n_given: u64,
) -> Result<Option<Reader<RecordingSource>>, ExpectedError> {
    let found = recordings.look(session).map_err(fetch)?;
    if !matches!(found.condition, Condition::Sealed { .. }) {
        return Ok(None);
    }
    let mut reader = args.keys.reader(recordings, session)?;
    for _ in 0..n_given {
        reader.next_step().map_err(failed)?;
    }
    Ok(Some(reader))
}
