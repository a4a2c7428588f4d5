//! Digests of a file and of an object.

use super::{ArchiveError, Objects};
use crate::files::FileSource;
use crate::retention::hexadecimal;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use session_record::Source;
use std::io;
use std::path::PathBuf;
use tokio::task::spawn_blocking;

const PIECE_BYTES: u64 = 4 << 20;

/// Length and SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

pub(super) async fn of_file(path: PathBuf) -> Result<Fingerprint, ArchiveError> {
    let what = format!("read `{}`", path.display());
    let taken = spawn_blocking(move || {
        let source = FileSource::open(&path)?;
        let (mut context, mut bytes) = (Context::new(&SHA256), 0);
        loop {
            let piece = source.read(bytes, usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX));
            let piece = piece.map_err(io::Error::other)?;
            if piece.is_empty() {
                return Ok(Fingerprint { bytes, sha256: hexadecimal(context.finish().as_ref()) });
            }
            context.update(&piece);
            bytes += piece.len() as u64;
        }
    });
    taken.await.or(Err(ArchiveError::GivenUp))?.map_err(ArchiveError::disk(what))
}

/// A piece of a file.
pub(super) async fn piece(path: PathBuf, offset: u64, length: u64) -> Result<Bytes, ArchiveError> {
    let what = format!("read `{}`", path.display());
    let read = spawn_blocking(move || {
        let source = FileSource::open(&path)?;
        source.read(offset, usize::try_from(length).unwrap_or(usize::MAX)).map_err(io::Error::other)
    });
    read.await.or(Err(ArchiveError::GivenUp))?.map_err(ArchiveError::disk(what))
}

/// Reads a whole object; none where there is none.
pub(super) async fn of_object(
    objects: &dyn Objects,
    path: &ObjectPath,
) -> Result<Option<Fingerprint>, ArchiveError> {
    let failed = || ArchiveError::objects(format!("read `{path}` back"));
    let bytes = match objects.head(path).await {
        Ok(meta) => meta.size,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed()(error)),
    };
    let (mut context, mut offset) = (Context::new(&SHA256), 0);
    while offset < bytes {
        let piece = objects
            .get_range(path, offset..bytes.min(offset + PIECE_BYTES))
            .await
            .map_err(failed())?;
        if piece.is_empty() {
            return Err(ArchiveError::NotAsPut { name: path.to_string() });
        }
        context.update(&piece);
        offset += piece.len() as u64;
    }
    Ok(Some(Fingerprint { bytes, sha256: hexadecimal(context.finish().as_ref()) }))
}
