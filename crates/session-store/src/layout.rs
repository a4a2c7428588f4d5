//! Which file of a recording is where.
//!
//! `open/` has the files of recordings that are being written, or that the ledger does not know to have ended. Every
//! other recording is in `sealed/YYYY-MM-DD/`, by the day (UTC) on which its session opened. A recording's files have
//! the session's id as name.

use chrono::DateTime;
use session_record::SessionId;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// A file of a recording, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// As it was written, chunk by chunk.
    Raw,
    /// What could not, or must not, be appended to the raw file any more.
    Continuation,
    /// Compressed; the raw file is gone then.
    Packed,
    /// The keys, wrapped.
    Keys,
    /// Who holds the recording, and why.
    Hold,
    /// What people wrote about its moments.
    Notes,
    /// What is left of a recording that was deleted.
    Tombstone,
    /// How far it is copied to object storage.
    Upload,
}

impl Part {
    pub(crate) const ALL: [Self; 8] = [
        Self::Raw,
        Self::Continuation,
        Self::Packed,
        Self::Keys,
        Self::Hold,
        Self::Notes,
        Self::Tombstone,
        Self::Upload,
    ];

    pub(crate) const fn extension(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Continuation => "more",
            Self::Packed => "rec",
            Self::Keys => "keys",
            Self::Hold => "hold",
            Self::Notes => "notes",
            Self::Tombstone => "gone",
            Self::Upload => "upload",
        }
    }

    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.extension() == extension)
    }
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Held as long as a recorder runs: another would recover what this one writes.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Held while somebody holds a recording, lets go of one, or deletes one.
    pub(crate) fn retention_lock(&self) -> PathBuf {
        self.root.join("retention.lock")
    }

    /// Space that is given up so that recordings can be ended when there is no other.
    pub(crate) fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }

    pub(crate) fn open_folder(&self) -> PathBuf {
        self.root.join("open")
    }

    /// Files that begin like no recording.
    pub(crate) fn unreadable_folder(&self) -> PathBuf {
        self.root.join("unreadable")
    }

    pub(crate) fn sealed_folder(&self) -> PathBuf {
        self.root.join("sealed")
    }

    pub(crate) fn day_folder(&self, at_ms: i64) -> PathBuf {
        self.sealed_folder().join(day(at_ms))
    }
}

/// A recording's file in a folder.
pub(crate) fn file(folder: &Path, session: SessionId, part: Part) -> PathBuf {
    folder.join(format!("{session}.{}", part.extension()))
}

/// What a file's name says.
pub(crate) fn parsed(path: &Path) -> Option<(SessionId, Part)> {
    let name = path.file_name()?.to_str()?;
    let (session, extension) = name.split_once('.')?;
    Some((session.parse().ok()?, Part::of_extension(extension)?))
}

/// The day of a moment (UTC) as `YYYY-MM-DD`.
pub(crate) fn day(at_ms: i64) -> String {
    let moment = DateTime::from_timestamp_millis(at_ms);
    // A moment that no calendar has comes from a header that nobody's clock wrote.
    moment.map_or_else(|| "undated".to_owned(), |moment| moment.date_naive().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [0, 951_782_399_999, 951_782_400_000, 1_709_164_800_000, -1, i64::MAX].map(day);
        let expected =
            ["1970-01-01", "2000-02-28", "2000-02-29", "2024-02-29", "1969-12-31", "undated"];
        assert_eq!(days, expected);
    }

    #[test]
    fn a_name_is_read_as_it_is_written() {
        let session = SessionId(7);
        for part in Part::ALL {
            assert_eq!(parsed(&file(Path::new("x"), session, part)), Some((session, part)));
        }
        let others = ["x/y.raw", "x/00000000-0000-0000-0000-000000000007.other", "x/lock"];
        assert!(others.iter().all(|other| parsed(Path::new(other)).is_none()));
    }
}
