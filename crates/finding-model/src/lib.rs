//! Findings: what is wrong with something a person wrote, where it stands, and what to do.
//!
//! A finding is a value. Nothing here reads files, prints or decides exit codes. Every
//! [`Code`] has a page `docs/findings/CODE.md`; `cargo xtask tidy` checks it.

mod finding;
mod source;

pub use finding::{Code, Finding, Fix, Related, Severity};
pub use source::{FileId, SourceFiles, SourceSpan};
