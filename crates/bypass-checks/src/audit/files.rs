//! Which files a log is in.
//!
//! Each API server writes its own log and renames it when it is full: `audit.log`, `audit-2026-03-31T08-00-00.000.log`.
//! Files of one folder whose names differ only in that time are one *series*, the log of one server.

use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A file of a log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogFile {
    /// What all files of one server's log have in common.
    pub series: PathBuf,
    pub path: PathBuf,
}

/// A log cannot be opened.
#[derive(Debug, Error)]
pub enum LogFileError {
    #[error("cannot look for audit logs in `{}`", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read the audit log `{}`", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` has no audit logs: of a folder the .log and .log.gz files are read", path.display())]
    NoLogs { path: PathBuf },
}

/// The files at these paths, each once, in order. Of a folder its own `.log` and `.log.gz` files are meant.
///
/// # Errors
/// A path cannot be looked at, or a folder has no logs.
pub fn log_files(paths: &[PathBuf]) -> Result<Vec<LogFile>, LogFileError> {
    let mut found: BTreeMap<PathBuf, LogFile> = BTreeMap::new();
    for path in paths {
        let failed = |source| LogFileError::Folder { path: path.clone(), source };
        if !path.is_dir() {
            found.insert(path.clone(), LogFile::at(path));
            continue;
        }
        let mut n_logs = 0;
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            if entry.is_file() && is_log(&entry) {
                n_logs += 1;
                found.insert(entry.clone(), LogFile::at(&entry));
            }
        }
        if n_logs == 0 {
            return Err(LogFileError::NoLogs { path: path.clone() });
        }
    }
    Ok(found.into_values().collect())
}

impl LogFile {
    fn at(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let (stem, end) = name.rsplit_once('.').map_or((name, ""), |(stem, end)| (stem, end));
        let series = format!("{}.{end}", without_time(stem));
        Self { series: path.with_file_name(series), path: path.to_owned() }
    }

    /// Its text, whether it is compressed or not.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<Box<dyn BufRead>, LogFileError> {
        let failed = |source| LogFileError::File { path: self.path.clone(), source };
        let mut file =
            BufReader::with_capacity(BUFFER_BYTES, File::open(&self.path).map_err(failed)?);
        let is_compressed = file.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
        Ok(if is_compressed { decompressed(file) } else { Box::new(file) })
    }
}

const BUFFER_BYTES: usize = 256 << 10;

fn decompressed(file: impl Read + 'static) -> Box<dyn BufRead> {
    let decoder = MultiGzDecoder::new(BufReader::new(file));
    Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
}

fn is_log(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".log", ".log.gz", ".jsonl", ".jsonl.gz"].iter().any(|end| name.ends_with(end))
}

/// `audit-2026-03-31T08-00-00.000` as `audit`: what the API server adds when it renames a full file.
fn without_time(stem: &str) -> &str {
    const PATTERN: &[u8] = b"-0000-00-00T00-00-00.000";
    let Some((start, end)) =
        stem.len().checked_sub(PATTERN.len()).and_then(|at| stem.split_at_checked(at))
    else {
        return stem;
    };
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte == *wanted,
    };
    if !start.is_empty() && end.bytes().zip(PATTERN).all(fits) { start } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_files_are_of_one_series() {
        let series = |path: &str| LogFile::at(Path::new(path)).series.display().to_string();
        assert_eq!(series("a/audit.log"), "a/audit.log");
        assert_eq!(series("a/audit-2026-03-31T08-00-00.000.log"), "a/audit.log");
        assert_eq!(series("a/audit-2026-03-31T08-00-00.000.log.gz"), "a/audit.log");
        assert_eq!(series("b/audit.log"), "b/audit.log");
        assert_eq!(series("a/audit-one.log"), "a/audit-one.log");
        assert_eq!(series("a/-2026-03-31T08-00-00.000.log"), "a/-2026-03-31T08-00-00.000.log");
    }
}
