//! Manifests in, a [`Snapshot`](policy_model::Snapshot) and findings out.
//!
//! The way of a manifest: `reader` finds files and checks that they are text; `document` cuts a file
//! into documents and reads each, as JSON or YAML, into a tree whose every value knows its place;
//! `objects` decodes a tree into the types of `policy-model`, policies as strictly as the API server
//! does; `assemble` puts the objects together, with `owners` saying which pod belongs to which workload.
//!
//! **Invariants.** Bad input gives findings, never a panic and never silence: what is not part of the
//! answers was reported or is counted in [`Imported::other_kinds`], and an object with an error is in
//! [`Snapshot::left_out`](policy_model::Snapshot). The order of documents and files does not matter to
//! the snapshot. Time and memory grow with the input at most linearly, aliases included.
//!
//! Deliberately absent: anything that connects objects by their meaning (a selector that selects
//! nothing is for `policy-checks`), and reading from a live cluster.

mod assemble;
pub mod codes;
pub mod document;
mod import;
mod names;
mod objects;
mod owners;
mod reader;
mod scenario_file;
mod test_file;
mod weir_file;

pub use document::Limits;
pub use import::{
    Changed, Imported, ObjectName, ObjectNameError, Options, Standing, StandingFile, WhatIf,
    import, import_text, import_texts, import_what_if,
};
pub use reader::{ImportError, Input, SourceText, read_texts};
pub use scenario_file::read_scenarios;
pub use test_file::read_tests;
