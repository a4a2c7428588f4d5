//! How far recordings are, in the ledger: what comes before a head can no longer be cut off unseen.
//!
//! One task for all sessions, so that the heads of a moment are one commit. A session that shows much is told of more
//! often than one that shows little, and one that shows nothing not at all.

use crate::chain::chain;
use crate::evidence::Evidence;
use crate::registry::Live;
use ledger_model::Fact;
use session_record::{Head, SessionId};
use session_store::Recording;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked who has passed much.
const LOOK: Duration = Duration::from_secs(1);
/// After so many looks, whoever has passed anything is told of.
const LOOKS_UNTIL_ALL: u32 = 10;
const MUCH_BYTES: u64 = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Heads {
    followed: Mutex<BTreeMap<SessionId, Followed>>,
}

#[derive(Debug)]
struct Followed {
    recording: Recording,
    live: Arc<Live>,
    told_bytes: u64,
    told: Option<Head>,
}

/// Follows a recording until it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    heads: Arc<Heads>,
    session: SessionId,
}

impl Heads {
    pub(crate) fn follow(self: &Arc<Self>, recording: Recording, live: Arc<Live>) -> Following {
        let session = recording.session();
        let followed = Followed { recording, live, told_bytes: 0, told: None };
        self.locked().insert(session, followed);
        Following { heads: Arc::clone(self), session }
    }

    /// Tells the ledger now and then, until this is dropped.
    pub(crate) async fn tell(&self, evidence: &Evidence) {
        let mut looks = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            looks += 1;
            let facts = self.due(if looks % LOOKS_UNTIL_ALL == 0 { 1 } else { MUCH_BYTES });
            if facts.is_empty() {
                continue;
            }
            if let Err(error) = evidence.append_all(facts).await {
                let error = chain(&error);
                tracing::error!(error, "the ledger did not take how far recordings are");
            }
        }
    }

    /// Of the sessions that have passed so many bytes since they were told of.
    fn due(&self, bytes: u64) -> Vec<Fact> {
        let mut facts = Vec::new();
        for (session, followed) in self.locked().iter_mut() {
            let (from_client, to_client) = followed.live.bytes();
            let passed = from_client + to_client;
            if passed < followed.told_bytes + bytes {
                continue;
            }
            let head = followed.recording.head();
            // What passed may not be on disk yet.
            if followed.told.replace(head) != Some(head) {
                followed.told_bytes = passed;
                let Head { chunks: chunk, chain } = head;
                facts.push(Fact::SessionHead { session: session.to_string(), chunk, chain });
            }
        }
        facts
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<SessionId, Followed>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.heads.locked().remove(&self.session);
    }
}
