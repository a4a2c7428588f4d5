//! Tokens that were accepted a moment ago, by their digest.
//!
//! Refusals are not remembered: a token may become one that is known, and there is no end to wrong ones.

use access_model::Identity;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As long as the API server itself remembers.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<BTreeMap<String, (Instant, Identity)>>);

impl Remembered {
    pub(super) fn find(&self, digest: &str) -> Option<Identity> {
        let accepted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, identity) = accepted.get(digest)?;
        (since.elapsed() < REMEMBERED_FOR).then(|| identity.clone())
    }

    pub(super) fn keep(&self, digest: String, identity: Identity) {
        let mut accepted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if accepted.len() >= MOST {
            accepted.retain(|_, (since, _)| since.elapsed() < REMEMBERED_FOR);
        }
        // With so many at once the API server is asked each time; it is right as well.
        if accepted.len() < MOST {
            accepted.insert(digest, (Instant::now(), identity));
        }
    }
}
