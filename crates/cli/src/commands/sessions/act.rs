//! `weir sessions kill`, `freeze` and `thaw`: what only the gateway that has the session can do.

use super::gateway::GatewayArgs;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use serde_json::json;
use std::io::Write as _;

/// End a session that goes on; its person is told who did and why
#[derive(Debug, clap::Args)]
pub(crate) struct KillArgs {
    /// The session's id, or its beginning
    id: String,
    /// Why, for its person, the recording and the ledger
    #[arg(long)]
    why: String,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Stop a session's streams until it is thawed; nothing of it is lost
#[derive(Debug, clap::Args)]
pub(crate) struct FreezeArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    gateway: GatewayArgs,
}

/// Let a frozen session go on
#[derive(Debug, clap::Args)]
pub(crate) struct ThawArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    gateway: GatewayArgs,
}

pub(crate) fn kill(args: &KillArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let gateway = args.gateway.open()?;
    let session = gateway.find(&args.id)?;
    gateway.act(session, "kill", &json!({ "why": args.why }))?;
    writeln!(console.out, "session {session} is ended")?;
    Ok(Outcome::Yes)
}

pub(crate) fn freeze(args: &FreezeArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let gateway = args.gateway.open()?;
    let session = gateway.find(&args.id)?;
    gateway.act(session, "freeze", &json!({}))?;
    writeln!(console.out, "session {session} is frozen")?;
    Ok(Outcome::Yes)
}

pub(crate) fn thaw(args: &ThawArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let gateway = args.gateway.open()?;
    let session = gateway.find(&args.id)?;
    gateway.act(session, "thaw", &json!({}))?;
    writeln!(console.out, "session {session} goes on")?;
    Ok(Outcome::Yes)
}
