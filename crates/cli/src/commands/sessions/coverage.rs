//! `weir sessions coverage`.

mod report;

use super::folder::{FolderArgs, failed};
use super::in_ledger::LedgerArgs;
use crate::commands::gateway::install::BreakGlassArgs;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use bypass_checks::{
    AuditLog, AuditPolicy, Component, Coverage, GATEWAY_IDENTITY, LedgerOpening, LedgerRefusal,
    Limits, LogReader, Question, Sessions, log_files,
};
use ledger_model::{Fact, SessionOpened};
use session_store::Condition;
use std::path::{Path, PathBuf};

/// Compare the API server's audit log with recordings, and list each privileged call without one
///
/// A call counts as recorded if the gateway made it, and its caller, verb, object, command and time are those of one
/// recording that no other call has. What the log cannot speak of (silence, lines that cannot be read, an audit policy
/// that looks away) is listed as unknown and never counts as recorded. Exits with 0 only if every call is recorded and the
/// log can tell for the whole time.
#[derive(Debug, clap::Args)]
pub(crate) struct CoverageArgs {
    /// Files of the audit log (JSON lines, also .gz), or folders of them; of every API server. `-` is standard input
    #[arg(required = true, value_name = "AUDIT-LOG")]
    audit_log: Vec<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    asked: AskedArgs,
    #[command(flatten)]
    break_glass: BreakGlassArgs,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: CoverageFormat,
}

/// What is asked of the log.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is compared")]
struct AskedArgs {
    /// The log's cluster, as recordings call it; all recordings are of it where this is left out
    #[arg(long)]
    cluster: Option<String>,
    /// From this time: RFC 3339, or a date (UTC)
    #[arg(long, value_name = "TIME", value_parser = super::folder::parse_time)]
    since: Option<i64>,
    /// Until this time
    #[arg(long, value_name = "TIME", value_parser = super::folder::parse_time)]
    until: Option<i64>,
    /// As whom a gateway speaks to the API server; again for each
    #[arg(long, value_name = "USER", default_value = GATEWAY_IDENTITY)]
    gateway_identity: Vec<String>,
    /// A user that may use proxies and tokens as part of the cluster; again for each
    #[arg(long, value_name = "USER")]
    component: Vec<String>,
    /// How many API servers there are, each with a log of its own
    #[arg(long, value_name = "N")]
    servers: Option<usize>,
    /// The audit policy of the API servers: what it looks away from is unknown
    #[arg(long, value_name = "FILE")]
    audit_policy: Option<PathBuf>,
    /// Compare reading of logs too
    #[arg(long)]
    with_logs: bool,
    /// How far the clocks of gateway and API servers may be apart
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    clock_skew: u32,
    /// For how long a log may have nothing and still be believed to have everything
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    max_silence: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum CoverageFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

const SECOND_US: i64 = 1_000_000;

pub(crate) fn run(args: &CoverageArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let log = args.read_log()?;
    let (sessions, ledger_is_sound) = args.sessions(console)?;
    let coverage = Coverage::of(&log, &sessions, &args.question()?);
    match args.output {
        CoverageFormat::Text => report::text(&coverage, console)?,
        CoverageFormat::Json => report::json(&coverage, console)?,
    }
    let is_covered = coverage.has_no_gap() && coverage.is_certain() && ledger_is_sound;
    Ok(if is_covered { Outcome::Yes } else { Outcome::No })
}

impl CoverageArgs {
    fn read_log(&self) -> Result<AuditLog, ExpectedError> {
        let limits = Limits {
            silence_us: i64::from(self.asked.max_silence) * SECOND_US,
            with_logs: self.asked.with_logs,
            ..Limits::default()
        };
        let components =
            self.asked.component.iter().map(|user| Component { user: user.clone() }).collect();
        let mut reader = LogReader::new(limits, components);
        let (streams, files): (Vec<PathBuf>, Vec<PathBuf>) =
            self.audit_log.iter().cloned().partition(|path| path == Path::new("-"));
        for file in log_files(&files).map_err(failed)? {
            reader.read_file(&file).map_err(failed)?;
        }
        if !streams.is_empty() {
            reader.read(&mut std::io::stdin().lock(), Path::new("-"), "standard input");
        }
        Ok(reader.finish())
    }

    /// Recordings first: their facts are more than the ledger's. Whether the ledger is as it must be, too; what is wrong
    /// with it is printed.
    fn sessions(&self, console: &mut Console) -> Result<(Sessions, bool), ExpectedError> {
        let mut sessions = Sessions::of_recordings();
        for listed in self.folder.open()?.list().map_err(failed)? {
            let id = listed.session.to_string();
            match (&listed.condition, listed.opening()) {
                (Condition::Unreadable { why }, _) => sessions.add_unreadable(id, why.to_string()),
                (Condition::Sealed { seal, .. }, Some(opening)) => {
                    sessions.add_recording(opening, Some(seal));
                }
                (Condition::Open { .. }, Some(opening)) => sessions.add_recording(opening, None),
                (Condition::Sealed { .. } | Condition::Open { .. }, None) => {
                    sessions.add_unreadable(id, "it has no header".to_owned());
                }
            }
        }
        let mut facts = Vec::new();
        let read = self.ledger.each(console, &mut |at_ms, fact| facts.push((at_ms, fact)))?;
        facts.into_iter().for_each(|(at_ms, fact)| take(&mut sessions, at_ms, fact));
        Ok((sessions, read.is_none_or(|read| read.faults.is_empty())))
    }

    fn question(&self) -> Result<Question, ExpectedError> {
        let asked = &self.asked;
        let audit_policy = match &asked.audit_policy {
            None => None,
            Some(path) => {
                let text = super::folder::read_text(path)?;
                Some(AuditPolicy::parse(&text).map_err(failed)?)
            }
        };
        Ok(Question {
            cluster: asked.cluster.clone(),
            from_us: asked.since.map(|at_ms| at_ms.saturating_mul(1_000)),
            until_us: asked.until.map(|at_ms| at_ms.saturating_mul(1_000)),
            gateways: asked.gateway_identity.clone(),
            break_glass: self.break_glass.identities(),
            skew_us: i64::from(asked.clock_skew) * SECOND_US,
            servers: asked.servers,
            audit_policy,
            with_logs: asked.with_logs,
        })
    }
}

/// What of the ledger says something of sessions.
fn take(sessions: &mut Sessions, at_ms: i64, fact: Fact) {
    match fact {
        Fact::SessionOpened(opened) => {
            let SessionOpened {
                session, cluster, user, verb, namespace, object, container, ..
            } = opened;
            sessions.add_ledger_opening(LedgerOpening {
                session,
                at_ms,
                cluster,
                user,
                verb,
                namespace,
                name: object,
                container,
            });
        }
        Fact::SessionSealed(sealed) => {
            sessions.add_ledger_sealing(&sealed.session, at_ms, &sealed.ending);
        }
        Fact::RecordingDeleted { session, .. } => sessions.add_ledger_deletion(&session),
        Fact::SessionRefused { cluster, user, verb, object, why } => {
            sessions.add_refusal(LedgerRefusal { at_ms, cluster, user, verb, object, why });
        }
        Fact::SourceStarted { .. }
        | Fact::SourceStopped
        | Fact::Heartbeat
        | Fact::SessionHead { .. }
        | Fact::SessionViewed { .. }
        | Fact::SessionKilled { .. }
        | Fact::SessionFrozen { .. }
        | Fact::SessionThawed { .. }
        | Fact::SessionNoted { .. }
        | Fact::HoldPlaced { .. }
        | Fact::HoldLifted { .. }
        | Fact::Approved { .. }
        | Fact::RulesChanged { .. }
        | Fact::BreakGlass { .. }
        | Fact::KeyRotated { .. }
        | Fact::Other { .. } => {}
    }
}
