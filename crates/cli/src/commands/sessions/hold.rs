//! `weir sessions hold` and `release`.

use super::folder::{FolderArgs, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use session_store::{Hold, RealDisk};
use std::io::Write as _;

/// Keep a recording from being deleted when its time is over
///
/// A gateway that has a ledger writes holds into it when they come over its API; here only the folder knows.
#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Why, for whoever asks later
    #[arg(long)]
    why: String,
    /// Who wants it
    #[arg(long, env = "USER")]
    by: String,
}

/// Let a held recording be deleted when its time is over
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Who wanted it
    #[arg(long, env = "USER")]
    by: String,
}

pub(crate) fn run(args: &HoldArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let session = args.folder.find(&args.id)?;
    let hold = Hold {
        by: args.by.clone(),
        why: args.why.clone(),
        at_ms: chrono::Utc::now().timestamp_millis(),
    };
    args.folder.open()?.hold(&RealDisk, session, hold).map_err(failed)?;
    writeln!(console.out, "session {session} is held")?;
    Ok(Outcome::Yes)
}

pub(crate) fn release(args: &ReleaseArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let session = args.folder.find(&args.id)?;
    args.folder.open()?.lift(&RealDisk, session, &args.by).map_err(failed)?;
    writeln!(console.out, "session {session} is not held by {} any more", args.by)?;
    Ok(Outcome::Yes)
}
