//! What a ledger says of sessions, after the ledger itself was verified.

use super::super::folder::{FilterArgs, failed};
use crate::Console;
use crate::exit::ExpectedError;
use finding_model::Severity;
use ledger_model::Fact;
use ledger_store::{LedgerReader, Place, VerifyOptions, decode_entry, verify};
use session_record::{Anchors, Head, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

/// Entries of one file of the ledger.
const A_FILE: u64 = 256;

/// Everything that a ledger has of sessions.
#[derive(Default)]
pub(super) struct InLedger {
    pub(super) is_sound: bool,
    pub(super) entries: u64,
    sessions: BTreeMap<SessionId, OfSession>,
}

#[derive(Default)]
struct OfSession {
    anchors: Anchors,
    at_ms: i64,
    user: String,
    cluster: String,
    verb: String,
    namespace: Option<String>,
    object: Option<String>,
    is_deleted: bool,
}

pub(super) enum Anchored {
    Known(Anchors),
    Unknown,
}

/// Verifies and reads a ledger. What is wrong with it is printed; its entries are used all the same, so that
/// a person sees what they would say.
pub(super) fn read(
    folder: &Path,
    keys: &[String],
    console: &mut Console,
) -> Result<InLedger, ExpectedError> {
    let parse = |key: &String| {
        let wrong = |why| ExpectedError::Usage(format!("`{key}` is no key of a ledger: {why}"));
        key.parse().map_err(|why: ledger_model::KeyError| wrong(why.to_string()))
    };
    let keys = keys.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let place = Place::Folder(folder.to_owned());
    let options = VerifyOptions { keys, ..VerifyOptions::default() };
    let report = runtime.block_on(verify(&place, &options)).map_err(failed)?;
    for finding in report.findings.iter().filter(|finding| finding.severity >= Severity::Error) {
        writeln!(console.err, "ledger: {}", report_formats::visible(&finding.message))?;
    }
    let mut ledger = InLedger { is_sound: !report.has(Severity::Error), ..InLedger::default() };
    let size = report.head.map_or(0, |head| head.size);
    ledger.entries = size;
    let reader = LedgerReader::new(place);
    for file in 0..size.div_ceil(A_FILE) {
        for entry in runtime.block_on(reader.entries(file, size)).map_err(failed)? {
            // A kind of a later version says nothing of sessions that is known here; `verify` counted it.
            if let Ok(entry) = decode_entry(&entry) {
                ledger.take(entry.at_ms, entry.fact);
            }
        }
    }
    Ok(ledger)
}

impl InLedger {
    fn take(&mut self, at_ms: i64, fact: Fact) {
        match fact {
            Fact::SessionOpened(opened) => {
                let Ok(session) = opened.session.parse() else { return };
                let of = self.sessions.entry(session).or_default();
                of.anchors.header = Some(opened.header);
                of.at_ms = at_ms;
                of.user = opened.user;
                of.cluster = opened.cluster;
                of.verb = opened.verb;
                of.namespace = opened.namespace;
                of.object = opened.object;
            }
            Fact::SessionHead { session, chunk, chain } => {
                if let Some(of) = self.of(&session) {
                    of.anchors.heads.push(Head { chunks: chunk, chain });
                }
            }
            Fact::SessionSealed(sealed) => {
                if let Some(of) = self.of(&sealed.session) {
                    of.anchors.seal = Some(sealed.file);
                }
            }
            Fact::RecordingDeleted { session, .. } => {
                if let Some(of) = self.of(&session) {
                    of.is_deleted = true;
                }
            }
            Fact::SourceStarted { .. }
            | Fact::SourceStopped
            | Fact::Heartbeat
            | Fact::SessionRefused { .. }
            | Fact::SessionKilled { .. }
            | Fact::SessionFrozen { .. }
            | Fact::SessionThawed { .. }
            | Fact::SessionViewed { .. }
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

    fn of(&mut self, session: &str) -> Option<&mut OfSession> {
        self.sessions.get_mut(&session.parse().ok()?)
    }

    pub(super) fn session(&self, session: SessionId) -> Anchored {
        self.sessions
            .get(&session)
            .map_or(Anchored::Unknown, |of| Anchored::Known(of.anchors.clone()))
    }

    /// Sessions that began, that were not deleted, and of which there is no recording.
    pub(super) fn missing(&self, there: &[SessionId], filter: &FilterArgs) -> Vec<SessionId> {
        let there: BTreeSet<&SessionId> = there.iter().collect();
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        let wanted = |of: &OfSession| {
            is(&filter.user, Some(&of.user))
                && is(&filter.cluster, Some(&of.cluster))
                && is(&filter.verb, Some(&of.verb))
                && is(&filter.namespace, of.namespace.as_deref())
                && is(&filter.name, of.object.as_deref())
                && filter.since.is_none_or(|since| of.at_ms >= since)
                && filter.until.is_none_or(|until| of.at_ms < until)
        };
        let missing = self
            .sessions
            .iter()
            .filter(|(session, of)| !there.contains(session) && !of.is_deleted && wanted(of));
        missing.map(|(session, _)| *session).collect()
    }
}
