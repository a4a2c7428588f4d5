//! What the ledger has already of sessions that a gateway before this one left open.
//!
//! That one may have been killed between a recording's beginning and its entry, or between its end and that one. What
//! is missing is entered, and nothing twice.

use ledger_model::Fact;
use ledger_store::{LedgerReader, Place, ReadError, decode_entry};
use std::collections::BTreeSet;
use std::path::Path;

/// Entries of one file of the ledger.
const A_FILE: u64 = 256;
/// Entries are read back to so long before the oldest session began, should the clock have been set.
const MARGIN_MS: i64 = 3_600_000;

#[derive(Debug, Default)]
pub(crate) struct InLedger {
    pub(crate) opened: BTreeSet<String>,
    pub(crate) sealed: BTreeSet<String>,
}

impl InLedger {
    /// Reads the newest entries, back to a moment.
    pub(crate) async fn since(folder: &Path, oldest_ms: i64) -> Result<Self, ReadError> {
        let reader = LedgerReader::new(Place::Folder(folder.to_owned()));
        let size = reader.checkpoint().await?.map_or(0, |checkpoint| checkpoint.head().size);
        let mut known = Self::default();
        for file in (0..size.div_ceil(A_FILE)).rev() {
            let mut is_old = false;
            for entry in reader.entries(file, size).await? {
                // A kind of a later version is about nothing that is known here.
                let Ok(entry) = decode_entry(&entry) else { continue };
                is_old |= entry.at_ms < oldest_ms.saturating_sub(MARGIN_MS);
                if let Fact::SessionOpened(opened) = entry.fact {
                    known.opened.insert(opened.session);
                } else if let Fact::SessionSealed(sealed) = entry.fact {
                    known.sealed.insert(sealed.session);
                }
            }
            if is_old {
                break;
            }
        }
        Ok(known)
    }
}
