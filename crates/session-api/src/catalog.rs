//! Which recordings there are. What a seal closed stays as it is, so it is looked at once.
//!
//! Proofs do not ask here: they read the file.

use crate::known::Known;
use session_record::SessionId;
use session_store::{Condition, FetchError, Listed, Recordings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Catalog {
    recordings: Recordings,
    sealed: Mutex<BTreeMap<SessionId, Arc<Known>>>,
}

/// What a folder holds at a moment.
#[derive(Debug, Default)]
pub(crate) struct InFolder {
    pub(crate) known: Vec<Arc<Known>>,
    /// There is a file, and it does not say what it is.
    pub(crate) unreadable: Vec<SessionId>,
    pub(crate) sessions: BTreeSet<SessionId>,
}

impl Catalog {
    pub(crate) fn new(recordings: Recordings) -> Self {
        Self { recordings, sealed: Mutex::default() }
    }

    /// Blocks as long as the disk takes.
    pub(crate) fn all(&self) -> Result<InFolder, FetchError> {
        let mut found = InFolder::default();
        for session in self.recordings.sessions()? {
            found.sessions.insert(session);
            match self.one(session) {
                Ok(Some(known)) => found.known.push(known),
                Ok(None) => found.unreadable.push(session),
                // It was deleted meanwhile.
                Err(FetchError::NoRecording(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.locked().retain(|session, _| found.sessions.contains(session));
        Ok(found)
    }

    /// None where there is a file that does not say what it is. Blocks as long as the disk takes.
    pub(crate) fn one(&self, session: SessionId) -> Result<Option<Arc<Known>>, FetchError> {
        if let Some(known) = self.locked().get(&session) {
            return Ok(Some(Arc::clone(known)));
        }
        let listed: Listed = self.recordings.look(session)?;
        let Some(known) = Known::of_listed(&listed).map(Arc::new) else { return Ok(None) };
        if matches!(listed.condition, Condition::Sealed { .. }) {
            self.locked().insert(session, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    // A map of values that do not change is whole whoever panicked beside it.
    fn locked(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Known>>> {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
