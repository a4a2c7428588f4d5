//! Whether what began has ended, and what ended has begun.

use super::{Findings, codes};
use crate::{Entry, Fact};
use finding_model::{Finding, Severity};
use std::collections::BTreeMap;

/// How many sessions there are, and how they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionSummary {
    pub opened: u64,
    pub sealed: u64,
    pub open: u64,
    pub refused: u64,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_name: BTreeMap<String, Session>,
    refused: u64,
}

#[derive(Debug, Default)]
struct Session {
    opened: Option<Opened>,
    /// The entry that says how it ended.
    sealed: Option<u64>,
    last_chunk: Option<u64>,
    holds: u64,
}

#[derive(Debug)]
struct Opened {
    index: u64,
    source: String,
    /// How often the source had started by then.
    runs: u64,
}

impl Sessions {
    pub(super) fn entry(&mut self, index: u64, entry: &Entry, runs: u64, findings: &mut Findings) {
        match &entry.fact {
            Fact::SessionOpened(opened) => {
                let session = self.by_name.entry(opened.session.clone()).or_default();
                let before =
                    session.opened.replace(Opened { index, source: entry.source.clone(), runs });
                if let Some(before) = before {
                    findings.add(opened_twice(&opened.session, before.index, index));
                }
            }
            Fact::SessionSealed(sealed) => {
                let session = self.begun(&sealed.session, index, findings);
                if let Some(before) = session.sealed.replace(index) {
                    findings.add(sealed_twice(&sealed.session, before, index));
                }
                if session.last_chunk.is_some_and(|last| last > sealed.chunks) {
                    findings.add(cut(&sealed.session, sealed.chunks, index));
                }
                if sealed.state == "damaged" {
                    findings.add(damaged(&sealed.session, index));
                }
            }
            Fact::SessionHead { session: name, chunk, chain: _ } => {
                let session = self.begun(name, index, findings);
                if session.last_chunk.is_some_and(|last| last > *chunk) {
                    findings.add(cut(name, *chunk, index));
                }
                session.last_chunk = session.last_chunk.max(Some(*chunk));
            }
            Fact::SessionKilled { session, .. }
            | Fact::SessionFrozen { session, .. }
            | Fact::SessionThawed { session, .. } => {
                self.begun(session, index, findings);
            }
            Fact::SessionRefused { .. } => self.refused += 1,
            Fact::HoldPlaced { session, .. } => {
                self.by_name.entry(session.clone()).or_default().holds += 1;
            }
            Fact::HoldLifted { session, .. } => {
                let session = self.by_name.entry(session.clone()).or_default();
                session.holds = session.holds.saturating_sub(1);
            }
            Fact::RecordingDeleted { session: name, .. } => {
                if self.by_name.entry(name.clone()).or_default().holds > 0 {
                    findings.add(deleted_under_hold(name, index));
                }
            }
            Fact::SourceStarted { .. }
            | Fact::SourceStopped
            | Fact::Heartbeat
            | Fact::SessionViewed { .. }
            | Fact::SessionNoted { .. }
            | Fact::Approved { .. }
            | Fact::RulesChanged { .. }
            | Fact::BreakGlass { .. }
            | Fact::KeyRotated { .. }
            | Fact::Other { .. } => {}
        }
    }

    /// A session that something is said of that needs it to have been opened.
    fn begun(&mut self, name: &str, index: u64, findings: &mut Findings) -> &mut Session {
        let session = self.by_name.entry(name.to_owned()).or_default();
        if session.opened.is_none() {
            findings.add(not_opened(name, index));
            // Said once.
            session.opened = Some(Opened { index, source: String::new(), runs: 0 });
        }
        session
    }

    /// `runs` has how often each source has started by the end.
    pub(super) fn finish(
        self,
        runs: &dyn Fn(&str) -> Option<u64>,
        findings: &mut Findings,
    ) -> SessionSummary {
        let mut summary = SessionSummary { refused: self.refused, ..SessionSummary::default() };
        for (name, session) in &self.by_name {
            let Some(opened) = &session.opened else { continue };
            summary.opened += 1;
            if session.sealed.is_some() {
                summary.sealed += 1;
                continue;
            }
            summary.open += 1;
            if opened.source.is_empty() {
                continue;
            }
            let restarted = runs(&opened.source).is_some_and(|runs| runs > opened.runs);
            findings.add(if restarted {
                not_sealed(name, opened)
            } else {
                still_open(name, opened)
            });
        }
        summary
    }
}

fn opened_twice(session: &str, before: u64, index: u64) -> Finding {
    Finding::new(
        codes::SESSION_OPENED_TWICE,
        Severity::Error,
        format!("session {session} was opened at entry {before} and again at entry {index}"),
        "a session has a name of its own: two recordings with one name cannot be told apart by this ledger; \
         compare the digests of their headers",
    )
}

fn not_opened(session: &str, index: u64) -> Finding {
    Finding::new(
        codes::SESSION_NOT_OPENED,
        Severity::Error,
        format!("entry {index} is about session {session}, which no entry opened before"),
        "the entry that opens a session is durable before anything reaches the cluster: it is missing here, or \
         the session was opened in another ledger",
    )
}

fn sealed_twice(session: &str, before: u64, index: u64) -> Finding {
    Finding::new(
        codes::SESSION_SEALED_TWICE,
        Severity::Error,
        format!("session {session} was sealed at entry {before} and again at entry {index}"),
        "a recording is sealed once: verify the file against both digests with `weir sessions verify`",
    )
}

fn cut(session: &str, chunk: u64, index: u64) -> Finding {
    Finding::new(
        codes::RECORDING_CUT,
        Severity::Error,
        format!(
            "session {session} is at chunk {chunk} by entry {index}, and was further by an entry before"
        ),
        "the recording lost what it had already: look for another copy of it, for the entry before tells by \
         its chain value what was there",
    )
}

fn damaged(session: &str, index: u64) -> Finding {
    Finding::new(
        codes::RECORDING_DAMAGED,
        Severity::Warning,
        format!("session {session} was sealed as damaged at entry {index}"),
        "what could be read of it is sealed; `weir sessions show` says what is missing",
    )
}

fn not_sealed(session: &str, opened: &Opened) -> Finding {
    Finding::new(
        codes::SESSION_NOT_SEALED,
        Severity::Error,
        format!(
            "session {session}, opened at entry {}, was never sealed, and {} has started again since",
            opened.index, opened.source
        ),
        "a source that starts seals what was open as recovered: the recording was not there any more, or \
         sealing it failed; look for it with `weir sessions ls`",
    )
}

fn still_open(session: &str, opened: &Opened) -> Finding {
    Finding::new(
        codes::SESSION_OPEN,
        Severity::Info,
        format!("session {session}, opened at entry {}, is not sealed yet", opened.index),
        "it goes on, or its gateway has not started again since it ended",
    )
}

fn deleted_under_hold(session: &str, index: u64) -> Finding {
    Finding::new(
        codes::DELETED_UNDER_HOLD,
        Severity::Error,
        format!(
            "the recording of session {session} was deleted at entry {index}, while a hold was on it"
        ),
        "a hold keeps a recording from being deleted: ask who deleted it, and look for another copy",
    )
}
