//! What becomes of recordings that are over: copied to object storage, and deleted when their time is over.
//!
//! One thing after the other, now and then. A deletion is in the ledger before it happens, and nothing is deleted that
//! is to be copied and was not. What fails is told and tried again the next time; no session waits for any of it.

use crate::chain::chain;
use crate::clock::now_ms;
use crate::config::Upkeep;
use crate::evidence::Evidence;
use ledger_model::Fact;
use session_record::SessionId;
use session_store::{Archive, ArchiveError, Deletion, Disk, Recordings};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

pub(crate) struct Keeper {
    recordings: Recordings,
    disk: Arc<dyn Disk>,
    archive: Option<Archive>,
    keep: Option<Duration>,
    every: Duration,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Retention(#[from] session_store::RetentionError),
    #[error("the ledger did not take that a recording is deleted")]
    Ledger(#[from] ledger_store::AppendError),
    #[error("the work was given up")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl Keeper {
    /// None where nothing is to be done.
    pub(crate) fn new(
        recordings: Recordings,
        upkeep: &Upkeep,
        disk: Arc<dyn Disk>,
    ) -> Result<Option<Self>, ArchiveError> {
        let Upkeep { archive, keep, every } = upkeep.clone();
        if archive.is_none() && keep.is_none() {
            return Ok(None);
        }
        let archive = archive.map(|to| Archive::s3(to.storage, &to.prefix)).transpose()?;
        Ok(Some(Self { recordings, disk, archive, keep, every }))
    }

    /// Goes on until the gateway stops; a round that was begun is finished.
    pub(crate) async fn run(self, evidence: &Evidence, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
            if let Err(error) = self.copy(evidence).await {
                failed(evidence, &error, "recordings were not copied to the archive");
            }
            if let Err(error) = self.delete(evidence).await {
                failed(evidence, &error, "recordings whose time is over were not deleted");
            }
        }
    }

    async fn copy(&self, evidence: &Evidence) -> Result<(), UpkeepError> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let (recordings, of) = (self.recordings.clone(), archive.clone());
        for session in spawn_blocking(move || of.to_upload(&recordings)).await?? {
            match archive.upload(&self.recordings, &self.disk, session).await {
                Ok(_uploaded) => evidence.metrics.archived(),
                // Another one may well be copied.
                Err(error) => failed(evidence, &error, "a recording was not copied to the archive"),
            }
        }
        Ok(())
    }

    async fn delete(&self, evidence: &Evidence) -> Result<(), UpkeepError> {
        let Some(keep) = self.keep else { return Ok(()) };
        let before_ms =
            now_ms().saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let recordings = self.recordings.clone();
        let expired = spawn_blocking(move || recordings.expired(before_ms)).await??;
        let waiting = match &self.archive {
            None => Vec::new(),
            Some(archive) => {
                let (recordings, archive) = (self.recordings.clone(), archive.clone());
                spawn_blocking(move || archive.to_upload(&recordings)).await??
            }
        };
        for listed in expired.into_iter().filter(|listed| !waiting.contains(&listed.session)) {
            let session = listed.session;
            if let Err(error) = self.delete_one(evidence, session).await {
                tracing::error!(%session, error = chain(&error), "a recording was not deleted");
                evidence.metrics.upkeep_failure();
            }
        }
        Ok(())
    }

    async fn delete_one(&self, evidence: &Evidence, session: SessionId) -> Result<(), UpkeepError> {
        let recordings = self.recordings.clone();
        let deleting = spawn_blocking(move || recordings.begin_deletion(session)).await??;
        let chain = deleting.seal().head.chain;
        evidence.append(Fact::RecordingDeleted { session: session.to_string(), chain }).await?;
        let disk = Arc::clone(&self.disk);
        let deletion = Deletion { at_ms: now_ms(), why: "its time is over".to_owned() };
        let deleted = spawn_blocking(move || deleting.finish(disk.as_ref(), deletion));
        let tombstone = deleted.await??;
        if let Some(archive) = &self.archive {
            self.delete_copy(archive, session, &tombstone).await?;
        }
        tracing::info!(%session, "a recording was deleted: its time is over");
        evidence.metrics.deleted();
        Ok(())
    }

    async fn delete_copy(
        &self,
        archive: &Archive,
        session: SessionId,
        tombstone: &session_store::Tombstone,
    ) -> Result<(), UpkeepError> {
        match archive.delete(session, tombstone).await {
            Ok(()) | Err(ArchiveError::NoRecording(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn failed(evidence: &Evidence, error: &dyn std::error::Error, what: &str) {
    tracing::error!(error = chain(error), "{what}");
    evidence.metrics.upkeep_failure();
}
