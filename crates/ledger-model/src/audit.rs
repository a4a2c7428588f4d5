//! What a ledger's entries say about whether any are missing.
//!
//! The tree shows that nothing was changed or taken away after it was written. That all was written in the first
//! place it cannot show; counts, heartbeats and pairs of entries that belong together show where not.

mod codes;
mod sessions;
mod sources;

use crate::Entry;
use finding_model::{Finding, Severity};
use sessions::Sessions;
use sources::Sources;
use std::collections::BTreeMap;

pub use sessions::SessionSummary;
pub use sources::SourceSummary;

/// More findings than these are counted and not kept.
const MAX_FINDINGS: usize = 1000;

/// Looks at entries in the order of the ledger.
#[derive(Debug)]
pub struct Audit {
    sources: Sources,
    sessions: Sessions,
    unknown_kinds: BTreeMap<String, u64>,
    unreadable: u64,
    findings: Findings,
}

/// What an audit came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audited {
    pub findings: Vec<Finding>,
    /// By name.
    pub sources: BTreeMap<String, SourceSummary>,
    pub sessions: SessionSummary,
    /// Kinds that this version does not know, and how many entries there are of each.
    pub unknown_kinds: BTreeMap<String, u64>,
    /// Entries that are not Weir's.
    pub unreadable: u64,
}

/// Findings, as many as anybody reads.
#[derive(Debug, Default)]
struct Findings {
    kept: Vec<Finding>,
    left_out: u64,
}

impl Audit {
    /// `heartbeat_ms` is how often a source says that it is there when nothing happens.
    #[must_use]
    pub fn new(heartbeat_ms: i64) -> Self {
        Self {
            sources: Sources::new(heartbeat_ms),
            sessions: Sessions::default(),
            unknown_kinds: BTreeMap::new(),
            unreadable: 0,
            findings: Findings::default(),
        }
    }

    /// Takes the next entry.
    pub fn entry(&mut self, index: u64, entry: &Entry) {
        if let crate::Fact::Other { kind, .. } = &entry.fact {
            *self.unknown_kinds.entry(kind.clone()).or_default() += 1;
        }
        self.sources.entry(index, entry, &mut self.findings);
        let runs = self.sources.runs(&entry.source);
        self.sessions.entry(index, entry, runs, &mut self.findings);
    }

    /// Takes an entry that cannot be read, and why.
    pub fn unreadable(&mut self, index: u64, why: &str) {
        self.unreadable += 1;
        let finding = Finding::new(
            codes::ENTRY_UNREADABLE,
            Severity::Warning,
            format!("entry {index} cannot be read: {why}"),
            "it is in the ledger and was not altered; look at it with `weir ledger show`, and ask whoever can \
             write to this ledger what it is",
        );
        self.findings.add(finding);
    }

    /// What there is to say when there are no more entries.
    #[must_use]
    pub fn finish(mut self) -> Audited {
        let sources = self.sources.finish();
        let runs = |source: &str| sources.get(source).map(|summary: &SourceSummary| summary.runs);
        let sessions = self.sessions.finish(&runs, &mut self.findings);
        Audited {
            findings: self.findings.finish(),
            sources,
            sessions,
            unknown_kinds: self.unknown_kinds,
            unreadable: self.unreadable,
        }
    }
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        if self.kept.len() < MAX_FINDINGS { self.kept.push(finding) } else { self.left_out += 1 }
    }

    fn finish(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            self.kept.push(Finding::new(
                codes::MORE_FINDINGS,
                Severity::Error,
                format!("there are {} findings more", self.left_out),
                "look into the first ones; they are in the order of the ledger",
            ));
        }
        self.kept
    }
}

/// A time that people read: `1 h 2 min`, `3.5 s`.
fn duration_text(ms: i64) -> String {
    let (seconds, minutes) = (ms / 1000, ms / 60_000);
    match (minutes / 60, minutes) {
        (0, 0) => format!("{}.{} s", seconds, ms % 1000 / 100),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours, minutes) => format!("{hours} h {} min", minutes % 60),
    }
}

#[cfg(test)]
mod tests;
