//! Copies a recording into the archive, and goes on where a crash ended it.
//!
//! Every step is written down before the next: which upload the store began, which parts it has. A part that was sent
//! and not written down is sent again, which a store takes as the same part. An object that is there already is read,
//! and is never overwritten.

use super::confirm::{Fingerprint, of_file, of_object, piece};
use super::state::{FileState, Multipart, UploadState};
use super::{Archive, ArchiveError};
use crate::disk::Disk;
use crate::layout::Part;
use crate::recordings::{Condition, FetchError, Recordings};
use object_store::multipart::PartId;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStoreExt, PutPayload};
use session_record::SessionId;
use std::path::PathBuf;
use std::sync::Arc;

/// What of a recording is in the archive now, by object, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    pub objects: Vec<String>,
    pub bytes: u64,
}

impl Archive {
    /// Copies a settled recording and its wrapped keys, and reads the copy back. May be called again after whatever
    /// went wrong.
    pub async fn upload(
        &self,
        recordings: &Recordings,
        disk: &Arc<dyn Disk>,
        session: SessionId,
    ) -> Result<Uploaded, ArchiveError> {
        let Condition::Sealed { opening, .. } = recordings.look(session)?.condition else {
            return Err(ArchiveError::NotSettled(session));
        };
        let files = recordings.files(session)?;
        let recording = files.recording().ok_or(FetchError::NoRecording(session))?;
        if recording.starts_with(recordings.layout.open_folder()) {
            return Err(ArchiveError::NotSettled(session));
        }
        let parts = if files.path(Part::Packed).is_some() {
            vec![Part::Keys, Part::Packed]
        } else {
            vec![Part::Keys, Part::Raw, Part::Continuation]
        };
        let mut upload = Upload {
            archive: self,
            disk: disk.as_ref(),
            state: UploadState::load(&recording, session)?,
            recording,
        };
        let (mut objects, mut bytes) = (Vec::new(), 0);
        for part in parts {
            if let Some(path) = files.path(part) {
                let object = self.object(opening.at_ms, session, part);
                bytes += upload.file(part, path, &object).await?;
                objects.push(object.to_string());
            }
        }
        upload.state.confirm();
        upload.save()?;
        Ok(Uploaded { objects, bytes })
    }
}

struct Upload<'a> {
    archive: &'a Archive,
    disk: &'a dyn Disk,
    recording: PathBuf,
    state: UploadState,
}

impl Upload<'_> {
    fn save(&self) -> Result<(), ArchiveError> {
        self.state.save(self.disk, &self.recording)
    }

    fn change(
        &mut self,
        part: Part,
        change: impl FnOnce(&mut FileState),
    ) -> Result<(), ArchiveError> {
        if let Some(file) = self.state.files.get_mut(part.extension()) {
            change(file);
        }
        self.save()
    }

    /// How many bytes the file has.
    async fn file(
        &mut self,
        part: Part,
        path: PathBuf,
        object: &ObjectPath,
    ) -> Result<u64, ArchiveError> {
        let fingerprint = of_file(path.clone()).await?;
        let Fingerprint { bytes, sha256 } = fingerprint.clone();
        let known = self.state.files.get(part.extension());
        // Keys may be wrapped for somebody else meanwhile; what was begun with others is begun again.
        if known.is_none_or(|known| (known.bytes, &known.sha256) != (bytes, &sha256)) {
            let begun = FileState {
                object: object.to_string(),
                bytes,
                sha256,
                multipart: None,
                confirmed: false,
            };
            self.state.files.insert(part.extension().to_owned(), begun);
            self.save()?;
        } else if known.is_some_and(|known| known.confirmed) && self.is_there(object, bytes).await?
        {
            return Ok(bytes);
        }
        match of_object(self.archive.objects.as_ref(), object).await? {
            Some(there) if there == fingerprint => {}
            // Only keys are ever put anew.
            Some(_) if part != Part::Keys => {
                return Err(ArchiveError::Conflict { name: object.to_string() });
            }
            Some(_) | None => self.put(part, path, object, bytes).await?,
        }
        if of_object(self.archive.objects.as_ref(), object).await? != Some(fingerprint) {
            return Err(ArchiveError::NotAsPut { name: object.to_string() });
        }
        self.change(part, |file| file.confirmed = true)?;
        Ok(bytes)
    }

    async fn is_there(&self, object: &ObjectPath, bytes: u64) -> Result<bool, ArchiveError> {
        match self.archive.objects.head(object).await {
            Ok(meta) => Ok(meta.size == bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(ArchiveError::objects(format!("find `{object}`"))(error)),
        }
    }

    async fn put(
        &mut self,
        part: Part,
        path: PathBuf,
        object: &ObjectPath,
        bytes: u64,
    ) -> Result<(), ArchiveError> {
        let part_bytes = self.archive.part_bytes as u64;
        if bytes <= part_bytes {
            let payload = PutPayload::from(piece(path, 0, bytes).await?);
            let put = self.archive.objects.put(object, payload).await;
            put.map_err(ArchiveError::objects(format!("write `{object}`")))?;
            return Ok(());
        }
        let begun = self.state.files.get(part.extension()).and_then(|file| file.multipart.clone());
        if let Some(multipart) = begun {
            match self.parts(part, &path, object, multipart).await {
                // The store forgot what was begun, as stores do after some days.
                Err(ArchiveError::Objects { source, .. }) if is_forgotten(&source) => {}
                other => return other,
            }
        }
        let id = self.archive.objects.create_multipart(object).await;
        let id = id.map_err(ArchiveError::objects(format!("begin `{object}`")))?;
        let multipart = Multipart { id, part_bytes, parts: Vec::new() };
        self.change(part, |file| file.multipart = Some(multipart.clone()))?;
        self.parts(part, &path, object, multipart).await
    }

    /// Sends the parts that the store does not have yet, and ends the object.
    async fn parts(
        &mut self,
        part: Part,
        path: &std::path::Path,
        object: &ObjectPath,
        mut multipart: Multipart,
    ) -> Result<(), ArchiveError> {
        let objects = Arc::clone(&self.archive.objects);
        loop {
            let offset = multipart.parts.len() as u64 * multipart.part_bytes;
            let payload = piece(path.to_owned(), offset, multipart.part_bytes).await?;
            if payload.is_empty() {
                break;
            }
            let number = multipart.parts.len();
            let sent =
                objects.put_part(object, &multipart.id, number, PutPayload::from(payload)).await;
            let sent =
                sent.map_err(ArchiveError::objects(format!("write part {number} of `{object}`")))?;
            multipart.parts.push(sent.content_id);
            self.change(part, |file| file.multipart = Some(multipart.clone()))?;
        }
        let parts = multipart.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
        let ended = objects.complete_multipart(object, &multipart.id, parts).await;
        ended.map(|_| ()).map_err(ArchiveError::objects(format!("end `{object}`")))
    }
}

/// Whether the store does not know the upload: it says so with 404, or as an error without a code of its own.
fn is_forgotten(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. })
        || error.to_string().contains("NoSuchUpload")
}
