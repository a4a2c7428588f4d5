//! What the ledger says of each session: its beginning, how far it was, its seal, and who looked.
//!
//! Entries are read once, in their order, and kept as far as answers need them. The ledger's own signatures are not
//! verified here: this server writes it, so its word would add nothing. `weir ledger verify` does, elsewhere.

use ledger_model::{Fact, SessionOpened};
use ledger_store::{Ledger, LedgerReader, Place, ReadError, decode_entry};
use session_record::{Anchors, Head, SessionId};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use tokio::sync::{Mutex, MutexGuard};

/// Entries of one file of the ledger.
const A_FILE: u64 = 256;
/// Of one session; the last ones count.
const HEADS: usize = 8192;
const VIEWS: usize = 200;

#[derive(Debug)]
pub(crate) struct LedgerIndex {
    ledger: Ledger,
    reader: LedgerReader,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Entries before this one were taken.
    next: u64,
    sessions: BTreeMap<SessionId, OfSession>,
}

#[derive(Debug, Default, Clone)]
pub(crate) struct OfSession {
    pub(crate) at_ms: i64,
    pub(crate) opened: Option<SessionOpened>,
    pub(crate) anchors: Anchors,
    /// Oldest first.
    pub(crate) views: VecDeque<View>,
    pub(crate) n_more_views: u64,
    pub(crate) is_deleted: bool,
}

/// Somebody looked at a recording.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) at_ms: i64,
    pub(crate) by: String,
    pub(crate) how: String,
}

impl LedgerIndex {
    pub(crate) fn new(ledger: Ledger, folder: PathBuf) -> Self {
        let reader = LedgerReader::new(Place::Folder(folder));
        Self { ledger, reader, read: Mutex::default() }
    }

    /// All that is published: within moments of its acknowledgement.
    pub(crate) async fn published(&self) -> Result<MutexGuard<'_, Read>, ReadError> {
        let mut read = self.read.lock().await;
        let size = self.ledger.progress().borrow().published;
        while read.next < size {
            let file = read.next / A_FILE;
            let known = usize::try_from(read.next % A_FILE).unwrap_or_default();
            let entries = self.reader.entries(file, size).await?;
            if entries.len() <= known {
                break;
            }
            for entry in entries.iter().skip(known) {
                read.next += 1;
                // A kind of a later version says nothing of sessions that is known here.
                if let Ok(entry) = decode_entry(entry) {
                    read.take(entry.at_ms, entry.fact);
                }
            }
        }
        Ok(read)
    }

    /// All that was acknowledged, what was entered a moment ago included.
    pub(crate) async fn acknowledged(&self) -> Result<MutexGuard<'_, Read>, ReadError> {
        // A ledger that takes nothing more still says what it took.
        if let Err(error) = self.ledger.flush().await {
            tracing::warn!(%error, "the ledger publishes nothing");
        }
        self.published().await
    }
}

impl Read {
    pub(crate) fn of(&self, session: SessionId) -> Option<&OfSession> {
        self.sessions.get(&session)
    }

    /// Sessions that began here and whose recordings were not deleted.
    pub(crate) fn begun(&self) -> impl Iterator<Item = (SessionId, &OfSession, &SessionOpened)> {
        self.sessions
            .iter()
            .filter(|(_, of)| !of.is_deleted)
            .filter_map(|(session, of)| of.opened.as_ref().map(|opened| (*session, of, opened)))
    }

    fn take(&mut self, at_ms: i64, fact: Fact) {
        let Some(session) = fact.session().and_then(|session| session.parse().ok()) else { return };
        match fact {
            Fact::SessionOpened(opened) => {
                let of = self.sessions.entry(session).or_default();
                of.at_ms = at_ms;
                of.anchors.header = Some(opened.header);
                of.opened = Some(opened);
            }
            Fact::SessionHead { session: _, chunk, chain } => {
                let heads = &mut self.sessions.entry(session).or_default().anchors.heads;
                heads.push(Head { chunks: chunk, chain });
                // Half at once, so that a long session is not moved in memory for each.
                if heads.len() > HEADS {
                    heads.drain(..HEADS / 2);
                }
            }
            Fact::SessionSealed(sealed) => {
                self.sessions.entry(session).or_default().anchors.seal = Some(sealed.file);
            }
            Fact::SessionViewed { session: _, by, how } => {
                let of = self.sessions.entry(session).or_default();
                of.views.push_back(View { at_ms, by, how });
                if of.views.len() > VIEWS {
                    of.views.pop_front();
                    of.n_more_views += 1;
                }
            }
            Fact::RecordingDeleted { .. } => {
                self.sessions.entry(session).or_default().is_deleted = true;
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
}
