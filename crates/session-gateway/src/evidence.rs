//! What outlives a session: its recording, and its entries in the ledger.
//!
//! A session begins with both on disk or not at all, and its end is in both. When the ledger takes no more entries,
//! no session begins and those that go on are ended: what nobody can prove later must not happen.

use crate::chain::chain;
use crate::in_ledger::InLedger;
use crate::metrics::{Metrics, ending_word};
use ledger_model::{Fact, SessionOpened, SessionSealed};
use ledger_store::{AppendError, Ledger};
use session_record::{Digest, Ending, Opening, SessionId};
use session_store::{Found, OpenError, Recorder, Recording, Recovered};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) recorder: Recorder,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Arc<Metrics>,
}

/// Why no recording began.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEvidence {
    #[error(transparent)]
    Recording(#[from] OpenError),
    #[error("the ledger did not take the session's entry")]
    Ledger(#[from] AppendError),
}

/// Who asked for what, of a request that goes no further.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) user: String,
    pub(crate) cluster: String,
    pub(crate) verb: &'static str,
    pub(crate) object: String,
    pub(crate) why: String,
}

impl Evidence {
    /// Begins a recording, and says so in the ledger. Both are durable when this returns.
    pub(crate) async fn begin(&self, opening: Opening) -> Result<Recording, NoEvidence> {
        let mut fact = opened(&opening, [0; 32]);
        let recording = self.recorder.open(opening).await?;
        fact.header = recording.header_digest();
        match self.append(Fact::SessionOpened(fact)).await {
            Ok(()) => Ok(recording),
            Err(error) => {
                let why = format!("the ledger did not take the session's entry: {}", chain(&error));
                if let Err(error) = recording.seal(Ending::RecordingFailed { why }).await {
                    tracing::warn!(
                        error = chain(&error),
                        "a recording that began in vain was not sealed"
                    );
                }
                Err(error.into())
            }
        }
    }

    /// Seals a recording, says so in the ledger, and files it. What fails here is done by the next start.
    pub(crate) async fn end(&self, recording: Recording, ending: Ending) {
        let session = recording.session();
        let word = ending_word(&ending);
        let sealed = match recording.seal(ending).await {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::error!(%session, error = chain(&error), "a recording was not sealed");
                return;
            }
        };
        drop(recording);
        let fact = SessionSealed {
            session: session.to_string(),
            ending: word.to_owned(),
            state: sealed.seal.state.word().to_owned(),
            chunks: sealed.seal.head.chunks,
            chain: sealed.seal.head.chain,
            file: sealed.digest,
        };
        if let Err(error) = self.append(Fact::SessionSealed(fact)).await {
            tracing::error!(%session, error = chain(&error), "the ledger did not take that a session ended");
            return;
        }
        if let Err(error) = self.recorder.settle(session, sealed.opened_at_ms).await {
            tracing::warn!(%session, error = chain(&error), "a sealed recording was not filed");
        }
    }

    /// Says what a gateway before this one left open, as far as the ledger does not have it.
    pub(crate) async fn recovered(
        &self,
        recovered: Recovered,
        known: &InLedger,
    ) -> Result<(), AppendError> {
        let Recovered { session, found } = recovered;
        match found {
            Found::Sealed { opening, seal, digest, loss, header } => {
                tracing::warn!(
                    %session,
                    state = seal.state.word(),
                    lost_at_most_ms = loss.at_most_ms,
                    torn_bytes = loss.torn_bytes,
                    "a recording was left open and is sealed now"
                );
                let name = session.to_string();
                if !known.opened.contains(&name) {
                    self.append(Fact::SessionOpened(opened(&opening, header))).await?;
                }
                let fact = SessionSealed {
                    session: name.clone(),
                    ending: ending_word(&seal.ending).to_owned(),
                    state: seal.state.word().to_owned(),
                    chunks: seal.head.chunks,
                    chain: seal.head.chain,
                    file: digest,
                };
                if !known.sealed.contains(&name) {
                    self.append(Fact::SessionSealed(fact)).await?;
                }
                if let Err(error) = self.recorder.settle(session, opening.at_ms).await {
                    tracing::warn!(%session, error = chain(&error), "a recovered recording was not filed");
                }
            }
            Found::NeverBegan { kept } => {
                tracing::warn!(%session, file = %kept.display(), "a recording had not begun");
            }
            Found::Unrecovered { why } => {
                tracing::error!(%session, error = chain(&why), "a recording cannot be recovered");
            }
        }
        Ok(())
    }

    /// Notes that somebody was refused. The refusal stands, whether the ledger takes it or not.
    pub(crate) async fn refused(&self, refusal: Refusal) {
        let Refusal { user, cluster, verb, object, why } = refusal;
        tracing::info!(user, cluster, verb, object, why, "refused");
        let verb = verb.to_owned();
        self.note(Fact::SessionRefused { user, cluster, verb, object, why }).await;
    }

    pub(crate) async fn killed(&self, session: SessionId, by: &str, why: &str) {
        let (by, why) = (by.to_owned(), why.to_owned());
        self.note(Fact::SessionKilled { session: session.to_string(), by, why }).await;
    }

    /// An entry whose loss is told by what failed: no session begins after it.
    async fn note(&self, fact: Fact) {
        if let Err(error) = self.append(fact).await {
            tracing::error!(error = chain(&error), "the ledger did not take an entry");
        }
    }

    pub(crate) async fn append(&self, fact: Fact) -> Result<(), AppendError> {
        self.append_all(vec![fact]).await
    }

    /// All of them, in one commit.
    pub(crate) async fn append_all(&self, facts: Vec<Fact>) -> Result<(), AppendError> {
        match self.ledger.append_all(facts).await {
            Ok(_committed) => Ok(()),
            Err(error) => {
                self.metrics.ledger_failure();
                Err(error)
            }
        }
    }
}

fn opened(opening: &Opening, header: Digest) -> SessionOpened {
    SessionOpened {
        session: opening.session.to_string(),
        cluster: opening.cluster.clone(),
        user: opening.user.name.clone(),
        verb: opening.access.verb.clone(),
        namespace: opening.access.namespace.clone(),
        object: opening.access.name.clone(),
        container: opening.access.container.clone(),
        rule: opening.rule.clone(),
        reason: opening.reason.clone(),
        header,
    }
}
