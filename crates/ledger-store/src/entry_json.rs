//! Entries as the bytes that a ledger keeps: one JSON object, `docs/formats/ledger.md`.
//!
//! The bytes are hashed as they are written and never written again from what was read, so that nothing depends
//! on two programs writing JSON alike. What a later version adds is read past: unknown fields are ignored, and
//! an unknown kind is [`Fact::Other`].

mod fact_json;

use fact_json::{FactJson, KINDS};
use ledger_model::{Entry, Fact, MAX_ENTRY_BYTES};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of the object around a fact.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    at_ms: i64,
    source: &'a str,
    sequence: u64,
    #[serde(flatten, with = "FactJson")]
    fact: &'a Fact,
}

#[derive(Serialize)]
struct OtherWritten<'a> {
    v: u32,
    at_ms: i64,
    source: &'a str,
    sequence: u64,
    kind: &'a str,
    fact: &'a RawValue,
}

#[derive(Deserialize)]
struct Read<'a> {
    v: u32,
    at_ms: i64,
    #[serde(borrow)]
    source: Cow<'a, str>,
    sequence: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    fact: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct ReadFact(#[serde(with = "FactJson")] Fact);

#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("the entry is not one of Weir's")]
    NotOurs(#[source] serde_json::Error),
    #[error("the entry is of version {0}, and this program knows version {VERSION}")]
    Version(u32),
    #[error("the entry says that it is `{kind}`, and not what a {kind} says")]
    Fact { kind: String, source: serde_json::Error },
    #[error("the entry has {0} bytes, and one has no more than {MAX_ENTRY_BYTES}")]
    TooLarge(usize),
    #[error("the entry could not be written as JSON")]
    Write(#[source] serde_json::Error),
}

/// What is around a fact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub at_ms: i64,
    pub source: &'a str,
    pub sequence: u64,
}

/// Appends an entry, as a ledger keeps it, to `to`, which is as it was when that fails.
pub(crate) fn write_entry(
    around: Around<'_>,
    fact: &Fact,
    to: &mut Vec<u8>,
) -> Result<(), EntryError> {
    let before = to.len();
    let written = write_json(around, fact, to).map_err(EntryError::Write);
    let bytes = to.len() - before;
    let checked = match written {
        Ok(()) if bytes > MAX_ENTRY_BYTES => Err(EntryError::TooLarge(bytes)),
        other => other,
    };
    if checked.is_err() {
        to.truncate(before);
    }
    checked
}

fn write_json(
    Around { at_ms, source, sequence }: Around<'_>,
    fact: &Fact,
    to: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let v = VERSION;
    if let Fact::Other { kind, body } = fact {
        let fact: &RawValue = serde_json::from_str(body)?;
        serde_json::to_writer(to, &OtherWritten { v, at_ms, source, sequence, kind, fact })
    } else {
        serde_json::to_writer(to, &Written { v, at_ms, source, sequence, fact })
    }
}

/// The bytes that a ledger keeps of an entry.
///
/// # Errors
/// When it has more bytes than fit.
pub fn encode_entry(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let Entry { at_ms, source, sequence, fact } = entry;
    let mut bytes = Vec::new();
    write_entry(Around { at_ms: *at_ms, source, sequence: *sequence }, fact, &mut bytes)?;
    Ok(bytes)
}

/// What the bytes of an entry say.
///
/// # Errors
/// When they are not those of an entry.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, EntryError> {
    let read: Read<'_> = serde_json::from_slice(bytes).map_err(EntryError::NotOurs)?;
    if read.v != VERSION {
        return Err(EntryError::Version(read.v));
    }
    let fact = match read.kind.as_ref() {
        "source.stopped" => Fact::SourceStopped,
        "heartbeat" => Fact::Heartbeat,
        kind if KINDS.contains(&kind) => {
            // Read as a whole again: what is around the fact is skipped.
            let fact: Result<ReadFact, _> = serde_json::from_slice(bytes);
            fact.map_err(|source| EntryError::Fact { kind: kind.to_owned(), source })?.0
        }
        kind => {
            let body = read.fact.map_or("null", RawValue::get);
            Fact::Other { kind: kind.to_owned(), body: body.to_owned() }
        }
    };
    Ok(Entry { at_ms: read.at_ms, source: read.source.into_owned(), sequence: read.sequence, fact })
}

/// The session that a fact is about, also of a kind that this version does not know.
pub(crate) fn session_of(fact: &Fact) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct About {
        session: String,
    }
    if let Fact::Other { body, .. } = fact {
        let about: Option<About> = serde_json::from_str(body).ok();
        return about.map(|about| Cow::Owned(about.session));
    }
    fact.session().map(Cow::Borrowed)
}

/// Who wrote an entry, and which of its own it is. For who looks for no more than that.
pub(crate) fn source_of(bytes: &[u8]) -> Option<(String, u64)> {
    let read: Read<'_> = serde_json::from_slice(bytes).ok()?;
    (read.v == VERSION).then(|| (read.source.into_owned(), read.sequence))
}

#[cfg(test)]
mod tests;
