//! `weir sessions note`.

use super::audit::AuditArgs;
use super::folder::{MaybeFolderArgs, failed, parse_moment};
use super::gateway::GatewayArgs;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_model::Fact;
use serde_json::json;
use session_store::{Note, RealDisk};
use std::io::Write as _;

/// Write a note about a moment of a recording
///
/// The note stands beside the recording, in the same folder, and changes nothing of it. With an audit ledger, the
/// note's digest is entered there first, so that a note that is changed or taken away later shows. With a gateway it
/// does all of that, and knows who wrote it.
#[derive(Debug, clap::Args)]
pub(crate) struct NoteArgs {
    /// The session's id, or its beginning
    id: String,
    /// What to write
    text: String,
    /// The moment: seconds, or h:mm:ss.t
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = parse_moment)]
    at: u64,
    #[command(flatten)]
    folder: MaybeFolderArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
    #[command(flatten)]
    audit: AuditArgs,
}

pub(crate) fn run(args: &NoteArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if args.gateway.gateway.is_some() {
        let gateway = args.gateway.open()?;
        let session = gateway.find(&args.id)?;
        gateway.act(session, "notes", &json!({ "atUs": args.at, "text": args.text }))?;
        writeln!(console.out, "noted at session {session}")?;
        return Ok(Outcome::Yes);
    }
    let folder = args.folder.folder()?;
    let recordings = folder.open()?;
    let session = folder.find(&args.id)?;
    recordings.look(session).map_err(super::folder::fetch)?;
    let note = Note {
        by: args.audit.by.clone(),
        written_at_ms: chrono::Utc::now().timestamp_millis(),
        at_us: args.at,
        text: args.text.clone(),
    };
    let noted = Fact::SessionNoted {
        session: session.to_string(),
        by: note.by.clone(),
        at_us: note.at_us,
        digest: note.digest().map_err(failed)?,
    };
    args.audit.append(&[noted])?;
    recordings.add_note(&RealDisk, session, note).map_err(failed)?;
    writeln!(console.out, "noted at session {session}")?;
    Ok(Outcome::Yes)
}
