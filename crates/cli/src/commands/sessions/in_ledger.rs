//! What a ledger says of sessions, after the ledger itself was verified.

use super::folder::{FilterArgs, failed, read_text};
use crate::Console;
use crate::exit::ExpectedError;
use finding_model::Severity;
use ledger_model::{Fact, SessionOpened, VerifierKey};
use ledger_store::{LedgerReader, Place, VerifyOptions, decode_entry, verify};
use session_record::{Anchors, Head, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Entries of one file of the ledger.
const A_FILE: u64 = 256;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Ledger")]
pub(crate) struct LedgerArgs {
    /// The ledger's folder; it is verified first
    #[arg(long, value_name = "DIR", requires = "ledger_key")]
    ledger: Option<PathBuf>,
    /// The ledger's public key, or the file that it is in; again after a rotation
    #[arg(long, value_name = "KEY", requires = "ledger")]
    ledger_key: Vec<String>,
}

/// A ledger that was read to its end.
pub(crate) struct ReadLedger {
    /// What is wrong with the ledger itself.
    pub(crate) faults: Vec<String>,
    pub(crate) entries: u64,
}

/// Everything that a ledger has of sessions.
#[derive(Default)]
pub(crate) struct InLedger {
    /// What is wrong with the ledger itself.
    pub(crate) faults: Vec<String>,
    pub(crate) entries: u64,
    sessions: BTreeMap<SessionId, OfSession>,
}

#[derive(Default)]
pub(crate) struct OfSession {
    pub(crate) anchors: Anchors,
    pub(crate) opened_at_ms: i64,
    pub(crate) opened: Option<SessionOpened>,
    pub(crate) views: Vec<View>,
    is_deleted: bool,
}

/// Somebody read the recording.
pub(crate) struct View {
    pub(crate) at_ms: i64,
    pub(crate) by: String,
    pub(crate) how: String,
}

impl LedgerArgs {
    /// Verifies and reads the ledger, where one is given. What is wrong with it is printed; its entries are used all
    /// the same, so that a person sees what they would say.
    pub(crate) fn read(&self, console: &mut Console) -> Result<Option<InLedger>, ExpectedError> {
        let mut ledger = InLedger::default();
        let Some(read) = self.each(console, &mut |at_ms, fact| ledger.take(at_ms, fact))? else {
            return Ok(None);
        };
        let ReadLedger { faults, entries } = read;
        Ok(Some(InLedger { faults, entries, ..ledger }))
    }

    /// The same, for whoever keeps other facts.
    pub(crate) fn each(
        &self,
        console: &mut Console,
        take: &mut dyn FnMut(i64, Fact),
    ) -> Result<Option<ReadLedger>, ExpectedError> {
        let Some(folder) = &self.ledger else { return Ok(None) };
        let keys = self.ledger_key.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let place = Place::Folder(folder.clone());
        let options = VerifyOptions { keys, ..VerifyOptions::default() };
        let report = runtime.block_on(verify(&place, &options)).map_err(failed)?;
        let errors = report.findings.iter().filter(|finding| finding.severity >= Severity::Error);
        let faults: Vec<String> = errors.map(|finding| finding.message.clone()).collect();
        for fault in &faults {
            writeln!(console.err, "ledger: {}", report_formats::visible(fault))?;
        }
        let entries = report.head.map_or(0, |head| head.size);
        let reader = LedgerReader::new(place);
        for file in 0..entries.div_ceil(A_FILE) {
            for entry in runtime.block_on(reader.entries(file, entries)).map_err(failed)? {
                // A kind of a later version says nothing of sessions that is known here; `verify` counted it.
                if let Ok(entry) = decode_entry(&entry) {
                    take(entry.at_ms, entry.fact);
                }
            }
        }
        Ok(Some(ReadLedger { faults, entries }))
    }
}

fn key(text: &str) -> Result<VerifierKey, ExpectedError> {
    let file = Path::new(text);
    let written = if file.is_file() { read_text(file)? } else { text.to_owned() };
    written.trim().parse().map_err(|why: ledger_model::KeyError| {
        ExpectedError::Usage(format!("`{text}` is no key of a ledger: {why}"))
    })
}

impl InLedger {
    fn take(&mut self, at_ms: i64, fact: Fact) {
        match fact {
            Fact::SessionOpened(opened) => {
                let Ok(session) = opened.session.parse() else { return };
                let of = self.sessions.entry(session).or_default();
                of.anchors.header = Some(opened.header);
                of.opened_at_ms = at_ms;
                of.opened = Some(opened);
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
            Fact::SessionViewed { session, by, how } => {
                if let Some(of) = self.of(&session) {
                    of.views.push(View { at_ms, by, how });
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

    /// In a ledger of who read, there are views of sessions that were opened elsewhere.
    fn of(&mut self, session: &str) -> Option<&mut OfSession> {
        Some(self.sessions.entry(session.parse().ok()?).or_default())
    }

    /// None where the ledger never heard of the session's beginning.
    pub(crate) fn opened(&self, session: SessionId) -> Option<&OfSession> {
        self.sessions.get(&session).filter(|of| of.opened.is_some())
    }

    pub(crate) fn take_views(&mut self, session: SessionId) -> Vec<View> {
        self.sessions.remove(&session).map(|of| of.views).unwrap_or_default()
    }

    /// Sessions that began, that were not deleted, and of which there is no recording.
    pub(crate) fn missing<'a>(
        &'a self,
        there: &[SessionId],
        filter: &'a FilterArgs,
    ) -> impl Iterator<Item = (SessionId, &'a OfSession)> {
        let there: BTreeSet<SessionId> = there.iter().copied().collect();
        let missing = move |(session, of): &(&SessionId, &OfSession)| {
            let is_wanted = of
                .opened
                .as_ref()
                .is_some_and(|opened| filter.wants_opened(of.opened_at_ms, opened));
            is_wanted && !of.is_deleted && !there.contains(session)
        };
        self.sessions.iter().filter(missing).map(|(session, of)| (*session, of))
    }
}
