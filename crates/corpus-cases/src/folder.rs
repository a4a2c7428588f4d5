//! Where the corpora are, and what becomes of a test without them.

use crate::{Case, CorpusError};
use std::env;
use std::error::Error;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

fn folder() -> PathBuf {
    env::var_os("WEIR_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    )
}

pub(crate) fn path(file: &str) -> PathBuf {
    folder().join(file)
}

/// The text of a file, unpacked if it is a `.gz`.
pub(crate) fn text(file: &str) -> Result<String, CorpusError> {
    let path = path(file);
    let read = || {
        let mut text = String::new();
        let packed = fs::File::open(&path)?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            flate2::read::GzDecoder::new(packed).read_to_string(&mut text)?;
        } else {
            fs::File::read_to_string(&mut { packed }, &mut text)?;
        }
        Ok(text)
    };
    read().map_err(|source| CorpusError::Read { path: path.clone(), source })
}

/// The cases; `None`, and a line on standard error, where the corpus is not there.
///
/// # Panics
///
/// Where the corpus is there and cannot be decoded, and with `CI=true` also where it is not there.
#[expect(clippy::print_stderr, reason = "a test that was not run says why")]
pub fn or_not_run(test: &str, cases: Result<Vec<Case>, CorpusError>) -> Option<Vec<Case>> {
    let error = match cases {
        Ok(cases) => return Some(cases),
        Err(error) => error,
    };
    let reason = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let is_absent = matches!(error, CorpusError::Read { .. });
    let is_ci = env::var_os("CI").is_some_and(|value| value == "true");
    assert!(is_absent && !is_ci, "{test} needs its corpus: {reason}");
    eprintln!("{test} was not run: {reason}");
    None
}
