//! Says in a ledger that a recording was read, before anything of it is shown.
//!
//! Nobody who has a recording's file and a key can be made to say so; this is for those who want it on record.

use super::folder::failed;
use crate::exit::ExpectedError;
use ledger_model::{Fact, SignerKey};
use ledger_store::{Ledger, LedgerOptions};
use session_record::SessionId;
use std::path::PathBuf;

/// Entries of one commit.
const A_COMMIT: usize = 256;
const SOURCE: &str = "weir-sessions";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who reads")]
pub(crate) struct AuditArgs {
    /// Write into this ledger that it was read, before it is shown; where that fails, nothing is shown
    #[arg(long, value_name = "DIR", env = "WEIR_AUDIT_LEDGER", requires = "audit_key")]
    audit_ledger: Option<PathBuf>,
    /// The file of the secret key that signs that ledger, as `weir ledger key` makes it
    #[arg(long, value_name = "FILE", env = "WEIR_AUDIT_KEY", requires = "audit_ledger")]
    audit_key: Option<PathBuf>,
    /// Who it is, in that entry
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    pub(crate) by: String,
}

impl AuditArgs {
    /// How a recording was read, in one word.
    pub(crate) fn viewed(&self, session: SessionId, how: &str) -> Result<(), ExpectedError> {
        self.viewed_all(&[session], how)
    }

    pub(crate) fn viewed_all(
        &self,
        sessions: &[SessionId],
        how: &str,
    ) -> Result<(), ExpectedError> {
        let viewed = |session: &SessionId| Fact::SessionViewed {
            session: session.to_string(),
            by: self.by.clone(),
            how: how.to_owned(),
        };
        self.append(&sessions.iter().map(viewed).collect::<Vec<_>>())
    }

    pub(crate) fn append(&self, facts: &[Fact]) -> Result<(), ExpectedError> {
        let (Some(folder), Some(key)) = (&self.audit_ledger, &self.audit_key) else {
            return Ok(());
        };
        if facts.is_empty() {
            return Ok(());
        }
        let key = secret_key(key)?;
        let options = LedgerOptions::new(folder.clone(), key, SOURCE, env!("CARGO_PKG_VERSION"));
        let ledger = Ledger::open(options).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let written = runtime.block_on(async {
            for facts in facts.chunks(A_COMMIT) {
                ledger.append_all(facts.to_vec()).await?;
            }
            ledger.close().await
        });
        written.map_err(failed)
    }
}

fn secret_key(path: &std::path::Path) -> Result<SignerKey, ExpectedError> {
    let text = super::folder::read_text(path)?;
    text.trim().parse().map_err(|why: ledger_model::KeyError| {
        ExpectedError::Usage(format!("{} is no secret key of a ledger: {why}", path.display()))
    })
}
