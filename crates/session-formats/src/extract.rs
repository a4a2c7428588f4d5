//! Files of a copy, written into a folder of their own.
//!
//! Names in a recording are hostile, so none of them becomes a name on disk: a file is called after the digest of what
//! is in it, and `files.json` says which path it had. The folder must not exist, nothing in it can be run, and what
//! is not a file (links, devices) is only in the list.

use crate::json::moment;
use safe_output::json::{API_VERSION, write_pretty};
use serde_json::{Value, json};
use session_record::Opening;
use session_replay::{Direction, FileEntry, FileList, FilePart};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A folder that files are written into.
#[derive(Debug)]
pub struct Extraction {
    folder: PathBuf,
    limit_bytes: u64,
    left_bytes: u64,
    open: Option<BufWriter<File>>,
    failed: Option<ExtractError>,
}

#[derive(Debug, Error)]
pub enum ExtractError {
    #[error("cannot make the folder `{}`, which must not exist", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write into `{}`", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the files are larger than the {limit_bytes} bytes that were allowed")]
    TooLarge { limit_bytes: u64 },
}

/// The file that is being written; its digest is not known yet.
const PART: &str = "part";

impl Extraction {
    /// Makes the folder.
    pub fn begin(folder: &Path, limit_bytes: u64) -> Result<Self, ExtractError> {
        let path = || folder.to_owned();
        fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(|source| ExtractError::Folder { path: path(), source })?;
        Ok(Self { folder: path(), limit_bytes, left_bytes: limit_bytes, open: None, failed: None })
    }

    /// Writes a part. What goes wrong is said by [`Self::end`]; nothing is written after it.
    pub fn part(&mut self, part: &FilePart<'_>) {
        if self.failed.is_none()
            && let Err(error) = self.written(part)
        {
            self.failed = Some(error);
        }
    }

    fn written(&mut self, part: &FilePart<'_>) -> Result<(), ExtractError> {
        match part {
            FilePart::Begin(entry) => {
                self.left_bytes = self
                    .left_bytes
                    .checked_sub(entry.size)
                    .ok_or(ExtractError::TooLarge { limit_bytes: self.limit_bytes })?;
                let path = self.folder.join(PART);
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
                self.open = Some(BufWriter::new(file.map_err(|source| self.failed(source))?));
                Ok(())
            }
            FilePart::Bytes(bytes) => match &mut self.open {
                Some(file) => file.write_all(bytes).map_err(|source| self.failed(source)),
                None => Ok(()),
            },
            FilePart::End(entry) => {
                let (Some(mut file), Some(name)) = (self.open.take(), name(entry)) else {
                    return Ok(());
                };
                file.flush().map_err(|source| self.failed(source))?;
                // The same content twice is the same file.
                fs::rename(self.folder.join(PART), self.folder.join(name))
                    .map_err(|source| self.failed(source))
            }
        }
    }

    fn failed(&self, source: io::Error) -> ExtractError {
        ExtractError::Write { path: self.folder.clone(), source }
    }

    /// Writes the list of what there was.
    pub fn end(mut self, opening: &Opening, list: &FileList) -> Result<(), ExtractError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.open.take().is_some() {
            // The stream ended in the middle of a file, which has no digest to be called after.
            let whole = self.folder.join(PART);
            fs::rename(whole, self.folder.join("cut-off")).map_err(|source| self.failed(source))?;
        }
        let write = || {
            let file = self.folder.join("files.json");
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            let mut out = BufWriter::new(file);
            write_pretty(&mut out, &files_json(opening, list))?;
            out.flush()
        };
        write().map_err(|source| self.failed(source))
    }
}

fn name(entry: &FileEntry) -> Option<String> {
    entry.sha256.as_ref().map(|digest| format!("sha256-{}", hex(digest)))
}

/// A digest as people write it.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a session carried.
fn files_json(opening: &Opening, list: &FileList) -> Value {
    let items: Vec<Value> = list.found.iter().map(file_json).collect();
    json!({
        "apiVersion": API_VERSION, "kind": "SessionFiles", "session": opening.session.to_string(),
        "startedAt": moment(opening.at_ms), "items": items, "moreItems": list.n_more,
        "unreadableFromByte": list.unreadable_from, "withheldBytes": list.withheld_bytes,
    })
}

/// One member of what was copied.
#[must_use]
pub fn file_json(file: &FileEntry) -> Value {
    let FileEntry { at_us, direction, path, mode, size, is_folder, link, sha256, warnings } = file;
    let warnings: Vec<&str> = warnings.iter().map(|warning| warning.text()).collect();
    json!({
        "atUs": at_us, "path": path, "size": size, "mode": format!("{mode:o}"), "folder": is_folder, "link": link,
        "direction": match direction {
            Direction::Upload => "upload",
            Direction::Download => "download",
        },
        "sha256": sha256.as_ref().map(|digest| hex(digest)), "warnings": warnings,
    })
}
