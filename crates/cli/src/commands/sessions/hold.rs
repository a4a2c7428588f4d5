//! `weir sessions hold` and `release`.

use super::audit::AuditArgs;
use super::folder::{MaybeFolderArgs, failed};
use super::gateway::GatewayArgs;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_model::Fact;
use report_formats::visible;
use serde_json::json;
use session_store::{Hold, RealDisk};
use std::io::Write as _;

/// Keep a recording from being deleted when its time is over
///
/// Here the folder is told, and an audit ledger where one is given; a gateway enters holds into its own ledger when
/// they come over its API, as they do with --gateway.
#[derive(Debug, clap::Args)]
pub(crate) struct HoldArgs {
    /// The session's id, or its beginning
    id: String,
    /// Why, for whoever asks later
    #[arg(long)]
    why: String,
    #[command(flatten)]
    folder: MaybeFolderArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
    #[command(flatten)]
    audit: AuditArgs,
}

/// Let a held recording be deleted when its time is over
#[derive(Debug, clap::Args)]
pub(crate) struct ReleaseArgs {
    /// The session's id, or its beginning
    id: String,
    /// Why, for whoever asks later
    #[arg(long, default_value = "")]
    why: String,
    #[command(flatten)]
    folder: MaybeFolderArgs,
    #[command(flatten)]
    gateway: GatewayArgs,
    #[command(flatten)]
    audit: AuditArgs,
}

pub(crate) fn run(args: &HoldArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if args.gateway.gateway.is_some() {
        let gateway = args.gateway.open()?;
        let session = gateway.find(&args.id)?;
        gateway.act(session, "hold", &json!({ "why": args.why }))?;
        writeln!(console.out, "session {session} is held")?;
        return Ok(Outcome::Yes);
    }
    let folder = args.folder.folder()?;
    let session = folder.find(&args.id)?;
    let (by, why) = (args.audit.by.clone(), args.why.clone());
    let hold =
        Hold { by: by.clone(), why: why.clone(), at_ms: chrono::Utc::now().timestamp_millis() };
    folder.open()?.hold(&RealDisk, session, hold).map_err(failed)?;
    args.audit.append(&[Fact::HoldPlaced { session: session.to_string(), by, why }])?;
    writeln!(console.out, "session {session} is held")?;
    Ok(Outcome::Yes)
}

pub(crate) fn release(args: &ReleaseArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if args.gateway.gateway.is_some() {
        let gateway = args.gateway.open()?;
        let session = gateway.find(&args.id)?;
        let why = if args.why.is_empty() { "let go" } else { &args.why };
        gateway.take_back(session, "hold", &json!({ "why": why }))?;
        writeln!(console.out, "session {session} is not held by you any more")?;
        return Ok(Outcome::Yes);
    }
    let folder = args.folder.folder()?;
    let session = folder.find(&args.id)?;
    let (by, why) = (args.audit.by.clone(), args.why.clone());
    let recordings = folder.open()?;
    if !recordings.holds(session).map_err(failed)?.iter().any(|hold| hold.by == by) {
        let message = format!("`{by}` does not hold the recording of session {session}");
        return Err(ExpectedError::Usage(message));
    }
    // What ends a hold is on record before it is over.
    let lifted = Fact::HoldLifted { session: session.to_string(), by: by.clone(), why };
    args.audit.append(&[lifted])?;
    recordings.lift(&RealDisk, session, &by).map_err(failed)?;
    writeln!(console.out, "session {session} is not held by {} any more", visible(&by))?;
    Ok(Outcome::Yes)
}
