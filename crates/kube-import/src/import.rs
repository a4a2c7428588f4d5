//! Runs the reading: files in batches, documents of a batch on all cores, results in order.

mod standing;
mod what_if;

pub use standing::{Changed, Standing, StandingFile};
pub use what_if::{ObjectName, ObjectNameError, WhatIf, import_what_if};

use crate::assemble::{Assembled, assemble};
use crate::document::{self, Keep, Limits, Segment};
use crate::objects::Lowered;
use crate::reader::{self, ImportError, Input, Source, SourceText};
use finding_model::{FileId, Finding, Severity, SourceFiles};
use policy_model::{LeftOut, LeftOutScope, Snapshot, WorkloadRef};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether the caller goes on where there are errors. Reading does so always; the caller asks
    /// [`Imported::must_stop`].
    pub keep_going: bool,
    /// Larger files are refused.
    pub max_file_bytes: u64,
    /// What one document may cost.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { keep_going: false, max_file_bytes: 96_000_000, limits: Limits::default() }
    }
}

/// Everything that the input says.
#[derive(Debug)]
pub struct Imported {
    pub snapshot: Snapshot,
    /// In the order of files, lines and columns.
    pub findings: Vec<Finding>,
    pub files: SourceFiles,
    /// `apiVersion/Kind` to number, of the objects that say nothing of reachability.
    pub other_kinds: BTreeMap<String, usize>,
    /// Objects of all kinds, those with errors included.
    pub n_objects: usize,
    /// Pods that have come to their end and are left away.
    pub n_terminated: usize,
    /// How many pods a workload asks for, where its manifest says. No verdict depends on it.
    pub replicas: BTreeMap<WorkloadRef, u32>,
    /// Of what is written of the pods that a workload makes: another number where that is another text,
    /// whatever the order of keys. No verdict depends on it.
    pub templates: BTreeMap<WorkloadRef, u64>,
}

impl Imported {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Whether no answer may be given.
    pub fn must_stop(&self, options: &Options) -> bool {
        self.has_errors() && !options.keep_going
    }
}

/// Files are read until they have this many bytes together, then decoded and, but for their text,
/// forgotten.
const BATCH_BYTES: usize = 32_000_000;

/// Documents that a thread takes at once.
const CHUNK: usize = 32;

/// Below this much text, starting threads costs more than it saves.
const PARALLEL_BYTES: usize = 200_000;

pub fn import(inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let mut reading = Reading::new(options);
    reading.read(inputs)?;
    let Reading { options: _, files, lowered } = reading;
    Ok(assembled(lowered, files))
}

fn assembled(mut lowered: Lowered, files: SourceFiles) -> Imported {
    let Assembled { snapshot, findings, n_terminated, replicas, templates } =
        assemble(&mut lowered, &files);
    Imported {
        snapshot,
        findings,
        files,
        other_kinds: lowered.other_kinds,
        n_objects: lowered.n_objects,
        n_terminated,
        replicas,
        templates,
    }
}

/// Reads texts that are already there; they can only give findings.
pub fn import_texts<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Imported {
    let inputs: Vec<Input> = texts
        .into_iter()
        .map(|(name, text)| Input::Text { name: name.to_owned(), text: text.to_owned() })
        .collect();
    import(&inputs, &Options::default()).unwrap_or_else(|_| Imported {
        // Not reached: a text needs nothing of the world.
        snapshot: Snapshot::default(),
        findings: Vec::new(),
        files: SourceFiles::default(),
        other_kinds: BTreeMap::new(),
        n_objects: 0,
        n_terminated: 0,
        replicas: BTreeMap::new(),
        templates: BTreeMap::new(),
    })
}

pub fn import_text(name: &str, text: &str) -> Imported {
    import_texts([(name, text)])
}

struct Reading<'o> {
    options: &'o Options,
    files: SourceFiles,
    lowered: Lowered,
}

impl Reading<'_> {
    fn sources(&mut self, sources: Vec<Source>) -> Result<(), ImportError> {
        let mut batch: Vec<SourceText> = Vec::new();
        let mut n_bytes = 0;
        for source in sources {
            let n_findings = self.lowered.findings.len();
            let read =
                reader::read(source, self.options, &mut self.files, &mut self.lowered.findings)?;
            match read {
                Some(text) => {
                    n_bytes += text.text.len();
                    batch.push(text);
                }
                None => self.leave_file_out(n_findings),
            }
            if n_bytes >= BATCH_BYTES {
                self.batch(std::mem::take(&mut batch));
                n_bytes = 0;
            }
        }
        self.batch(batch);
        Ok(())
    }

    /// The last finding says why a whole file is not read.
    fn leave_file_out(&mut self, n_findings: usize) {
        let span = self.lowered.findings.get(n_findings).and_then(|finding| finding.span);
        let object = "a file that could not be read".to_owned();
        self.lowered.left_out.push(LeftOut { object, scope: LeftOutScope::Cluster, span });
    }

    fn batch(&mut self, batch: Vec<SourceText>) {
        let documents: Vec<(FileId, Segment<'_>)> = batch
            .iter()
            .flat_map(|source| {
                document::split(&source.text).into_iter().map(|segment| (source.file, segment))
            })
            .collect();
        let n_bytes: usize = batch.iter().map(|source| source.text.len()).sum();
        let n_threads = if n_bytes < PARALLEL_BYTES {
            1
        } else {
            thread::available_parallelism().map_or(1, usize::from).min(documents.len()).max(1)
        };
        for lowered in lower_all(&documents, self.options.limits, n_threads) {
            self.lowered.append(lowered);
        }
        for source in batch {
            self.files.keep_text(source.file, source.text);
        }
    }
}

/// One result for each chunk of documents, in order.
fn lower_all(
    documents: &[(FileId, Segment<'_>)],
    limits: Limits,
    n_threads: usize,
) -> Vec<Lowered> {
    let chunks: Vec<&[(FileId, Segment<'_>)]> = documents.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = chunks.get(index) else { return done };
            done.push((index, lower_chunk(chunk, limits)));
        }
    };
    let mut results = thread::scope(|scope| {
        let threads: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for thread in threads {
            match thread.join() {
                Ok(done) => results.extend(done),
                // A panic in a thread is our own bug, and must not look like an empty file.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, lowered)| lowered).collect()
}

fn lower_chunk(chunk: &[(FileId, Segment<'_>)], limits: Limits) -> Lowered {
    let mut lowered = Lowered::default();
    for (file, segment) in chunk {
        match document::parse(*segment, limits, Keep::WhatObjectsNeed) {
            Ok(document) => lowered.document(*file, document),
            Err(fault) => lowered.unreadable(*file, *fault),
        }
    }
    lowered
}
