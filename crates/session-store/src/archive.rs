//! Sealed recordings in object storage that speaks S3.
//!
//! An object has the name that the file has below `sealed/`. A copy counts once it was read back and had the digest of
//! the file; only then may the file go ([`Archive::release`]).

mod confirm;
mod remote;
mod state;
mod upload;

pub use upload::Uploaded;

use crate::layout::{self, Part};
use crate::recordings::{FetchError, RecordingSource, Recordings};
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use remote::RemoteSource;
use session_record::{Continued, Keys, ReadError, Reader, SessionId};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

/// Object storage that takes long objects in parts.
pub trait Objects: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Objects for T {}

/// Recordings in object storage.
#[derive(Debug, Clone)]
pub struct Archive {
    objects: Arc<dyn Objects>,
    prefix: String,
    part_bytes: usize,
}

/// Where a bucket is.
#[derive(Clone)]
pub struct S3Config {
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub access: S3Access,
}

/// How the bucket is opened.
#[derive(Clone)]
pub enum S3Access {
    Key {
        id: String,
        secret: String,
    },
    /// As the environment says: keys, a web identity, or the machine's role.
    Environment,
}

/// Something is wrong with the archive, or with getting a recording there or back.
#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("cannot {what} in the archive")]
    Objects {
        what: String,
        #[source]
        source: object_store::Error,
    },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("cannot {what}")]
    Disk {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error("recording {0} is not sealed and settled")]
    NotSettled(SessionId),
    #[error("the archive has something else as `{name}`; nothing was overwritten")]
    Conflict { name: String },
    #[error("what the archive gives back as `{name}` is not what was put there")]
    NotAsPut { name: String },
    #[error("how far recording {session} was copied is not written as its format says")]
    State {
        session: SessionId,
        #[source]
        source: serde_json::Error,
    },
    #[error("the archive has no recording of session {0}")]
    NoRecording(SessionId),
    #[error("the work was given up")]
    GivenUp,
}

impl ArchiveError {
    fn objects(what: impl Into<String>) -> impl FnOnce(object_store::Error) -> Self {
        let what = what.into();
        |source| Self::Objects { what, source }
    }

    fn disk(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Disk { what, source }
    }
}

/// Parts that a store takes must have 5 MiB, but for the last one.
const PART_BYTES: usize = 8 << 20;

impl Archive {
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, prefix: &str) -> Self {
        Self { objects, prefix: prefix.trim_matches('/').to_owned(), part_bytes: PART_BYTES }
    }

    /// With parts of another size, for stores that take smaller ones.
    #[must_use]
    pub fn with_part_bytes(self, part_bytes: usize) -> Self {
        Self { part_bytes: part_bytes.max(1), ..self }
    }

    pub fn s3(config: S3Config, prefix: &str) -> Result<Self, ArchiveError> {
        let S3Config { endpoint, bucket, region, access } = config;
        let builder = match access {
            S3Access::Environment => AmazonS3Builder::from_env(),
            S3Access::Key { id, secret } => {
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret)
            }
        };
        let objects = builder
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint)
            .with_bucket_name(bucket)
            .with_region(region)
            // The store compares each part with its digest before it takes it.
            .with_checksum_algorithm(Checksum::SHA256)
            .build()
            .map_err(ArchiveError::objects("open a bucket"))?;
        Ok(Self::new(Arc::new(objects), prefix))
    }

    fn object(&self, opened_at_ms: i64, session: SessionId, part: Part) -> ObjectPath {
        let name =
            format!("{}/{}/{session}.{}", self.prefix, layout::day(opened_at_ms), part.extension());
        ObjectPath::from(name)
    }

    /// Every recording in the archive, and on which day it is.
    async fn found(&self) -> Result<BTreeMap<SessionId, BTreeMap<Part, ObjectPath>>, ArchiveError> {
        let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        let root = ObjectPath::from(self.prefix.as_str());
        let what = || ArchiveError::objects("list the recordings");
        let days =
            self.objects.list_with_delimiter(Some(&root)).await.map_err(what())?.common_prefixes;
        for day in days {
            for object in
                self.objects.list_with_delimiter(Some(&day)).await.map_err(what())?.objects
            {
                let path = std::path::PathBuf::from(object.location.to_string());
                if let Some((session, part)) = layout::parsed(&path) {
                    found.entry(session).or_default().insert(part, object.location);
                }
            }
        }
        Ok(found)
    }

    /// Every session of which the archive has a recording.
    pub async fn sessions(&self) -> Result<Vec<SessionId>, ArchiveError> {
        let is_recording = |parts: &BTreeMap<Part, ObjectPath>| {
            parts.contains_key(&Part::Packed) || parts.contains_key(&Part::Raw)
        };
        let found = self.found().await?;
        Ok(found
            .into_iter()
            .filter(|(_, parts)| is_recording(parts))
            .map(|(session, _)| session)
            .collect())
    }

    /// Opens a recording in the archive and gives it to `read`, which may take its time: it runs on a thread for that.
    pub async fn read<T: Send + 'static>(
        &self,
        session: SessionId,
        keys: Keys,
        read: impl FnOnce(Reader<RecordingSource>) -> T + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let source = self.sources(session).await?;
        let opened = spawn_blocking(move || {
            let source = source.joined()?;
            Ok::<_, ReadError>(read(Reader::open(source, &keys)?))
        });
        Ok(opened.await.or(Err(ArchiveError::GivenUp))?.map_err(FetchError::from)?)
    }

    /// The wrapped keys of a recording in the archive.
    pub async fn keys_file(&self, session: SessionId) -> Result<crate::KeysFile, ArchiveError> {
        let found =
            self.found().await?.remove(&session).ok_or(ArchiveError::NoRecording(session))?;
        let path = found.get(&Part::Keys).ok_or(FetchError::NoKeys(session))?;
        let range = 0..crate::key_wrap::KEYS_FILE_MAX_BYTES;
        let json = self
            .objects
            .get_range(path, range)
            .await
            .map_err(ArchiveError::objects("read wrapped keys"))?;
        Ok(crate::KeysFile::parse(&json).map_err(FetchError::from)?)
    }

    /// Settled recordings of which there is no copy yet that was read back.
    pub fn to_upload(&self, recordings: &Recordings) -> Result<Vec<SessionId>, ArchiveError> {
        let mut waiting = Vec::new();
        for session in recordings.sessions()? {
            let files = recordings.files(session)?;
            let Some(recording) = files.recording() else { continue };
            let is_settled = !recording.starts_with(recordings.layout.open_folder());
            if is_settled && !state::UploadState::load(&recording, session)?.is_confirmed() {
                waiting.push(session);
            }
        }
        Ok(waiting)
    }

    /// Removes the files of a recording whose copy was read back and is still there; what stays says so.
    pub async fn release(
        &self,
        recordings: &Recordings,
        disk: &dyn crate::Disk,
        session: SessionId,
    ) -> Result<(), ArchiveError> {
        let files = recordings.files(session)?;
        let Some(recording) = files.recording() else { return Ok(()) };
        let state = state::UploadState::load(&recording, session)?;
        if !state.is_confirmed() {
            return Err(ArchiveError::NotAsPut { name: session.to_string() });
        }
        for file in state.files.values() {
            let meta = self.objects.head(&ObjectPath::from(file.object.as_str())).await;
            let meta = meta.map_err(ArchiveError::objects(format!("find `{}`", file.object)))?;
            if meta.size != file.bytes {
                return Err(ArchiveError::NotAsPut { name: file.object.clone() });
            }
        }
        let what = || format!("remove recording {session}, of which the archive has a copy");
        for part in [Part::Continuation, Part::Raw, Part::Packed, Part::Keys] {
            if let Some(path) = files.path(part) {
                let folder = path.parent().unwrap_or(recordings.layout.root());
                disk.remove(&path)
                    .and_then(|()| disk.sync_folder(folder))
                    .map_err(ArchiveError::disk(what()))?;
            }
        }
        Ok(())
    }

    async fn sources(&self, session: SessionId) -> Result<Sources, ArchiveError> {
        let found =
            self.found().await?.remove(&session).ok_or(ArchiveError::NoRecording(session))?;
        let first = found.get(&Part::Packed).or_else(|| found.get(&Part::Raw));
        let first = self.remote(first.ok_or(ArchiveError::NoRecording(session))?).await?;
        let more =
            match found.get(&Part::Continuation).filter(|_| !found.contains_key(&Part::Packed)) {
                Some(path) => Some(self.remote(path).await?),
                None => None,
            };
        Ok(Sources { first, more })
    }

    async fn remote(&self, path: &ObjectPath) -> Result<RemoteSource, ArchiveError> {
        let length = self
            .objects
            .head(path)
            .await
            .map_err(ArchiveError::objects(format!("find `{path}`")))?
            .size;
        Ok(RemoteSource::new(Arc::clone(&self.objects), path.clone(), length, Handle::current()))
    }

    /// Removes a recording that nobody holds: the keys first, then the rest as far as the store lets it go. What is
    /// left says that it was there. Storage with a lock keeps the rest, which is noise without the keys.
    pub async fn delete(
        &self,
        session: SessionId,
        tombstone: &crate::Tombstone,
    ) -> Result<(), ArchiveError> {
        let found =
            self.found().await?.remove(&session).ok_or(ArchiveError::NoRecording(session))?;
        let gone = self.object(tombstone.opened_at_ms, session, Part::Tombstone);
        let json = serde_json::to_vec_pretty(tombstone)
            .map_err(|source| ArchiveError::State { session, source })?;
        self.objects
            .put(&gone, PutPayload::from(json))
            .await
            .map_err(ArchiveError::objects(format!("write `{gone}`")))?;
        for part in [Part::Keys, Part::Continuation, Part::Raw, Part::Packed] {
            if let Some(path) = found.get(&part) {
                self.objects
                    .delete(path)
                    .await
                    .map_err(ArchiveError::objects(format!("remove `{path}`")))?;
            }
        }
        Ok(())
    }
}

/// A recording's objects.
struct Sources {
    first: RemoteSource,
    more: Option<RemoteSource>,
}

impl Sources {
    fn joined(self) -> Result<RecordingSource, ReadError> {
        let Self { first, more } = self;
        Ok(match more {
            None => Box::new(first),
            Some(more) => Box::new(Continued::new(first, more)?),
        })
    }
}

impl std::fmt::Debug for S3Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, bucket, region, access: _ } = self;
        write!(formatter, "S3Config({endpoint}, {bucket}, {region})")
    }
}

impl std::fmt::Debug for S3Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("S3Access")
    }
}
