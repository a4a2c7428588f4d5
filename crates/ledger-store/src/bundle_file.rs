//! Bundles as files. The recording in one may be larger than memory.

use crate::verify::RecordingDigest;
use aws_lc_rs::digest::{Context, SHA256};
use ledger_model::{Bundle, BundleError, FirstLine};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum BundleFileError {
    #[error("could not read {path}")]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write {path}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the bundle cannot be written")]
    Bundle(#[from] BundleError),
    #[error(
        "the recording in {path} changed while it was read: it has {found} bytes and had {expected}"
    )]
    Changed { path: PathBuf, expected: u64, found: u64 },
}

/// A bundle that was read, and the digest of the recording that is in it.
pub type ReadBundle = (Result<Bundle, BundleError>, Option<RecordingDigest>);

/// Reads a bundle. What is wrong with it is for [`crate::verify_bundle`] to say.
///
/// # Errors
/// When the file cannot be read.
pub fn read_bundle(path: &Path) -> Result<ReadBundle, BundleFileError> {
    let error = |source| BundleFileError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(error)?);
    read_from(&mut file).map_err(error)
}

fn read_from(file: &mut impl BufRead) -> io::Result<ReadBundle> {
    let mut line = Vec::new();
    file.by_ref().take(256).read_until(b'\n', &mut line)?;
    let first = match FirstLine::parse(&line) {
        Ok(first) => first,
        Err(error) => return Ok((Err(error), None)),
    };
    let mut head = Vec::new();
    file.by_ref().take(first.head_bytes as u64).read_to_end(&mut head)?;
    let bundle = Bundle::parse(&first, &head);
    let rest = digest_of(file)?;
    let recording = match bundle.as_ref().map(|bundle| bundle.recording) {
        Ok(Some(_)) => Some(rest),
        // Bytes that nothing speaks of are not passed over.
        Ok(None) if rest.bytes > 0 => return Ok((Err(BundleError::Trailing), None)),
        Ok(None) | Err(_) => None,
    };
    Ok((bundle, recording))
}

/// The digest of a recording.
///
/// # Errors
/// When it cannot be read.
pub fn recording_digest(path: &Path) -> Result<RecordingDigest, BundleFileError> {
    let error = |source| BundleFileError::Read { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(error)?);
    digest_of(&mut file).map_err(error)
}

fn digest_of(file: &mut impl Read) -> io::Result<RecordingDigest> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(buffer.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
    let sha256 = context.finish().as_ref().try_into().unwrap_or_default();
    Ok(RecordingDigest { bytes, sha256 })
}

/// Writes a bundle, with the recording behind it if it says that there is one.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_bundle(
    path: &Path,
    bundle: &Bundle,
    recording: Option<&Path>,
) -> Result<(), BundleFileError> {
    let error = |source| BundleFileError::Write { path: path.to_owned(), source };
    let head = bundle.to_bytes()?;
    let mut file = File::create(path).map_err(error)?;
    file.write_all(&head).map_err(error)?;
    if let (Some(expected), Some(recording)) = (bundle.recording, recording) {
        let read = |source| BundleFileError::Read { path: recording.to_owned(), source };
        let mut from = File::open(recording).map_err(read)?;
        let found = io::copy(&mut from, &mut file).map_err(error)?;
        if found != expected {
            let path = recording.to_owned();
            return Err(BundleFileError::Changed { path, expected, found });
        }
    }
    file.sync_all().map_err(error)
}
