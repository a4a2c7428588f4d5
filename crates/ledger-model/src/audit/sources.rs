//! Who wrote, whether all of it is there, and whether anybody was there when nothing was written.

use super::{Findings, codes, duration_text};
use crate::{Entry, Fact};
use finding_model::{Finding, Severity};
use std::collections::BTreeMap;

/// A heartbeat may be late by this, and a clock be set back by this: machines are busy, and clocks are corrected.
const SLACK_MS: i64 = 5_000;

/// What is known of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    pub entries: u64,
    pub first_at_ms: i64,
    pub last_at_ms: i64,
    pub last_sequence: u64,
    /// How often it started.
    pub runs: u64,
    pub running: bool,
}

#[derive(Debug)]
pub(super) struct Sources {
    heartbeat_ms: i64,
    by_name: BTreeMap<String, SourceSummary>,
}

impl Sources {
    pub(super) fn new(heartbeat_ms: i64) -> Self {
        Self { heartbeat_ms, by_name: BTreeMap::new() }
    }

    /// How often a source has started so far.
    pub(super) fn runs(&self, source: &str) -> u64 {
        self.by_name.get(source).map_or(0, |summary| summary.runs)
    }

    pub(super) fn finish(self) -> BTreeMap<String, SourceSummary> {
        self.by_name
    }

    pub(super) fn entry(&mut self, index: u64, entry: &Entry, findings: &mut Findings) {
        let Entry { at_ms, source, sequence, fact } = entry;
        match self.by_name.get(source) {
            Some(before) => {
                counted(source, before.last_sequence.saturating_add(1), *sequence, findings);
                self.timed(index, entry, before, findings);
            }
            None => counted(source, 0, *sequence, findings),
        }
        let summary = self.by_name.entry(source.clone()).or_insert_with(|| SourceSummary {
            entries: 0,
            first_at_ms: *at_ms,
            last_at_ms: *at_ms,
            last_sequence: *sequence,
            runs: 0,
            running: false,
        });
        if !summary.running && !matches!(fact, Fact::SourceStarted { .. }) {
            findings.add(Finding::new(
                codes::SOURCE_NOT_STARTED,
                Severity::Warning,
                format!("entry {index} is of {source}, which had not said that it started"),
                "every source says when it starts and stops; one that does not may be another program with the \
                 same name: compare with the machines that run it",
            ));
        }
        summary.entries += 1;
        summary.last_at_ms = *at_ms;
        summary.last_sequence = *sequence;
        summary.running = !matches!(fact, Fact::SourceStopped);
        summary.runs += u64::from(matches!(fact, Fact::SourceStarted { .. }));
    }

    /// What the time since the source's entry before says.
    fn timed(&self, index: u64, entry: &Entry, before: &SourceSummary, findings: &mut Findings) {
        let Entry { at_ms, source, sequence: _, fact } = entry;
        let passed = at_ms.saturating_sub(before.last_at_ms);
        let starts = matches!(fact, Fact::SourceStarted { .. });
        if starts && before.running {
            findings.add(Finding::new(
                codes::SOURCE_NOT_STOPPED,
                Severity::Info,
                format!(
                    "{source} started at entry {index} without having stopped; its entry before is {} older",
                    duration_text(passed.max(0))
                ),
                "it crashed or was killed in between; sessions that were open then are sealed as recovered",
            ));
        } else if before.running && passed > 2 * self.heartbeat_ms + SLACK_MS {
            findings.add(Finding::new(
                codes::SILENCE,
                Severity::Warning,
                format!(
                    "{source} wrote nothing for {} before entry {index}, though it was running",
                    duration_text(passed)
                ),
                "it writes at least a heartbeat in that time; its machine may have been paused, or the ledger's \
                 disk have stood still: what it did in that time is not shown to be here",
            ));
        }
        if passed < -SLACK_MS {
            findings.add(Finding::new(
                codes::CLOCK_BACK,
                Severity::Warning,
                format!(
                    "entry {index} of {source} is {} older than the one before it",
                    duration_text(passed.saturating_neg())
                ),
                "the clock of its machine was set back; the order of entries is right, their times are not",
            ));
        }
    }
}

fn counted(source: &str, expected: u64, found: u64, findings: &mut Findings) {
    if found > expected {
        let missing = found - expected;
        findings.add(Finding::new(
            codes::SEQUENCE_GAP,
            Severity::Error,
            format!("{missing} entries of {source} are missing, from its number {expected} to {}", found - 1),
            "the source counted them and the ledger does not have them: they were never written, or this is \
             another ledger than the one it wrote to before; compare with its witnesses and backups",
        ));
    } else if found < expected {
        findings.add(Finding::new(
            codes::SEQUENCE_REPEATED,
            Severity::Error,
            format!("{source} wrote number {found} after number {}", expected - 1),
            "two programs write under one name, or the source lost its count: give each its own name",
        ));
    }
}
