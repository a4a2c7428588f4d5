//! Goes through all entries, computes all tiles from them, and compares these with the files.

use super::{Found, codes};
use crate::entry_json::decode_entry;
use crate::place::{Place, ReadError};
use crate::reader::{COSIGNED, LedgerReader};
use finding_model::Severity;
use ledger_model::{
    Audit, Audited, Fact, KeyHistory, TILE_WIDTH, TileBuilder, TileFile, TileKind, TilePath,
    TreeHead, split_entries,
};
use std::collections::{BTreeMap, BTreeSet};

const RESTORE: &str = "restore the file from a copy of the ledger";

/// A way through the entries of a ledger.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    reader: LedgerReader,
    place: &'a Place,
    size: u64,
    tiles: TileBuilder,
    history: KeyHistory,
    audit: Audit,
    /// Heads at the sizes that somebody asked for.
    heads: BTreeMap<u64, Option<TreeHead>>,
    /// Files that were compared.
    compared: BTreeSet<TilePath>,
    whole: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(place: &'a Place, size: u64, audit: Audit) -> Self {
        Self {
            reader: LedgerReader::new(place.clone()),
            place,
            size,
            tiles: TileBuilder::default(),
            history: KeyHistory::default(),
            audit,
            heads: BTreeMap::new(),
            compared: BTreeSet::new(),
            whole: false,
        }
    }

    /// Notes the head of the tree when it has this size.
    pub(super) fn watch(&mut self, size: Option<u64>) {
        if let Some(size) = size {
            let empty = (size == 0).then(|| self.tiles.frontier().head());
            self.heads.insert(size, empty);
        }
    }

    /// The head at a size that was watched; nothing when the walk did not get there.
    pub(super) fn head_at(&self, size: u64) -> Option<TreeHead> {
        self.heads.get(&size).copied().flatten()
    }

    pub(super) fn head(&self) -> TreeHead {
        self.tiles.frontier().head()
    }

    pub(super) fn history(&self) -> &KeyHistory {
        &self.history
    }

    /// Whether all entries up to the checkpoint were there to be looked at.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn files(&self) -> u64 {
        self.compared.len() as u64
    }

    pub(super) fn finish(self) -> Audited {
        self.audit.finish()
    }

    pub(super) async fn run(&mut self, found: &mut Found) -> Result<(), ReadError> {
        let names = self.place.list().await?;
        self.whole = true;
        for file in 0..self.size.div_ceil(TILE_WIDTH as u64) {
            if !self.file(file, found).await? {
                self.whole = false;
                break;
            }
            for full in self.tiles.take_full() {
                self.compare(&full, found).await?;
            }
        }
        if self.whole {
            for partial in self.tiles.partial() {
                self.compare(&partial, found).await?;
            }
        }
        self.others(&names, found).await
    }

    /// Takes the entries of one file; `false` when they cannot be had.
    async fn file(&mut self, file: u64, found: &mut Found) -> Result<bool, ReadError> {
        let Some(path) = TilePath::of_tree(TileKind::Entries, file, self.size) else {
            return Ok(true);
        };
        let bytes = match self.reader.tile(path).await {
            Ok(bytes) => bytes,
            Err(ReadError::Missing { name, .. }) => {
                missing(&name, "the entries in it and all behind them cannot be checked", found);
                return Ok(false);
            }
            Err(ReadError::Tile { name, source, .. }) => {
                unreadable(&name, &source.to_string(), found);
                return Ok(false);
            }
            Err(ReadError::TooLarge { name, .. }) => {
                unreadable(&name, "it is larger than such a file can be", found);
                return Ok(false);
            }
            Err(other) => return Err(other),
        };
        self.compared.insert(path);
        match split_entries(&bytes, path.width()) {
            Ok(entries) => {
                for entry in entries {
                    self.entry(entry, found);
                }
                Ok(true)
            }
            Err(error) => {
                unreadable(&path.to_string(), &error.to_string(), found);
                Ok(false)
            }
        }
    }

    /// Takes the next entry.
    pub(super) fn entry(&mut self, bytes: &[u8], found: &mut Found) {
        let index = self.tiles.size();
        match decode_entry(bytes) {
            Ok(entry) => {
                if let Fact::KeyRotated { statement } = &entry.fact {
                    self.key_change(statement, index, found);
                }
                self.audit.entry(index, &entry);
            }
            Err(error) => self.audit.unreadable(index, &with_source(&error)),
        }
        // It came out of a file of entries, or a record, so that it is not too large.
        if self.tiles.push(bytes).is_err() {
            self.whole = false;
        }
        if let Some(head) = self.heads.get_mut(&(index + 1)) {
            *head = Some(self.tiles.frontier().head());
        }
    }

    fn key_change(&mut self, statement: &str, index: u64, found: &mut Found) {
        let before = self.tiles.frontier().head();
        if let Err(error) = self.history.take(statement, index, Some(before)) {
            found.error(
                codes::KEY_CHANGE_WRONG,
                format!("entry {index} names a new key of the ledger, which is not believed: {error}"),
                "ask the ledger's operator what happened there, and trust no checkpoint of the new key until then",
            );
        }
    }

    /// Compares a file with what the entries make it.
    async fn compare(&mut self, expected: &TileFile, found: &mut Found) -> Result<(), ReadError> {
        self.compared.insert(expected.path);
        let name = expected.path.to_string();
        let bytes = match self.reader.tile(expected.path).await {
            Ok(bytes) => bytes,
            Err(ReadError::Missing { .. }) => {
                missing(&name, "it can be computed from the entries, which are there", found);
                return Ok(());
            }
            Err(ReadError::Tile { .. } | ReadError::TooLarge { .. }) => Vec::new(),
            Err(other) => return Err(other),
        };
        if bytes != expected.bytes {
            found.error(codes::TILE_DIFFERS, differs(expected, &bytes), RESTORE);
        }
        Ok(())
    }

    /// Files that the tree does not need: smaller partial ones must be the beginning of what took their place;
    /// others should not be there.
    async fn others(&self, names: &[String], found: &mut Found) -> Result<(), ReadError> {
        for name in names {
            if name == "checkpoint" || name == COSIGNED {
                continue;
            }
            let Ok(path) = name.parse::<TilePath>() else {
                found.add(
                    codes::FILE_UNEXPECTED,
                    Severity::Warning,
                    format!("{name} is no file of a ledger"),
                    "find out what put it there, and remove it",
                );
                continue;
            };
            if self.compared.contains(&path) {
                continue;
            }
            match TilePath::of_tree(path.kind(), path.index(), self.size) {
                Some(now) if path.width() < now.width() => {
                    self.earlier(path, now, found).await?;
                }
                Some(_) if !self.whole => {}
                Some(_) | None => found.add(
                    codes::FILE_UNEXPECTED,
                    Severity::Info,
                    format!("{name} is beyond the {} entries of the checkpoint", self.size),
                    "it is of entries that are being published, or were when the machine stopped; opening the \
                     ledger again brings it in order",
                ),
            }
        }
        Ok(())
    }

    /// A partial file of a smaller tree.
    async fn earlier(
        &self,
        path: TilePath,
        now: TilePath,
        found: &mut Found,
    ) -> Result<(), ReadError> {
        let Some(bytes) = self.place.read(&path.to_string()).await? else { return Ok(()) };
        let wider = match self.reader.tile(now).await {
            Ok(wider) => wider,
            // Said where the file itself is compared.
            Err(
                ReadError::Missing { .. } | ReadError::Tile { .. } | ReadError::TooLarge { .. },
            ) => {
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        if path.cut(&wider).is_ok_and(|cut| cut == bytes) {
            return Ok(());
        }
        let message = format!("{path} is not the beginning of {now}, which took its place");
        found.error(codes::TILE_DIFFERS, message, RESTORE);
        Ok(())
    }
}

fn missing(name: &str, so: &str, found: &mut Found) {
    found.error(codes::TILE_MISSING, format!("{name} is missing: {so}"), RESTORE);
}

fn unreadable(name: &str, why: &str, found: &mut Found) {
    found.error(
        codes::ENTRIES_UNREADABLE,
        format!("{name} cannot be read: {why}; no entry from there on can be checked"),
        RESTORE,
    );
}

/// What differs, by the entries that it is about.
fn differs(expected: &TileFile, found: &[u8]) -> String {
    let TileFile { path, bytes } = expected;
    if bytes.len() != found.len() {
        return format!(
            "{path} has {} bytes and must have {} by the ledger's entries",
            found.len(),
            bytes.len()
        );
    }
    let first = bytes.iter().zip(found).position(|(one, other)| one != other).unwrap_or_default();
    let TileKind::Level(level) = path.kind() else {
        return format!("{path} is not the file of the ledger's entries");
    };
    let span = 256_u64.saturating_pow(u32::from(level));
    let hash = path.index() * TILE_WIDTH as u64 + first as u64 / 32;
    let (from, until) = (hash.saturating_mul(span), hash.saturating_mul(span) + span - 1);
    let of = if span == 1 { format!("entry {from}") } else { format!("entries {from} to {until}") };
    format!("{path} does not have the hash of {of} as {} stand{} in the ledger", it(span), s(span))
}

fn it(span: u64) -> &'static str {
    if span == 1 { "it" } else { "they" }
}

fn s(span: u64) -> &'static str {
    if span == 1 { "s" } else { "" }
}

fn with_source(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
