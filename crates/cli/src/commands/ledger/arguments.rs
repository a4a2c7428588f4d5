//! What the commands about ledgers share: where one is, and by which keys it is known.

use crate::exit::ExpectedError;
use ledger_model::VerifierKey;
use ledger_store::{LedgerReader, Place};
use std::io::Read as _;
use std::path::Path;

/// A key is a line.
const MAX_KEY_FILE: u64 = 64 << 10;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LedgerFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The ledger's folder, or s3://BUCKET/PREFIX
    #[arg(value_name = "LEDGER")]
    pub(super) ledger: String,
}

impl PlaceArgs {
    pub(super) fn place(&self) -> Result<Place, ExpectedError> {
        place(&self.ledger)
    }

    pub(super) fn reader(&self) -> Result<LedgerReader, ExpectedError> {
        Ok(LedgerReader::new(self.place()?))
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    pub(super) output: LedgerFormat,
}

/// A folder, or object storage, for which the environment has what it asks for (`AWS_…`).
pub(super) fn place(text: &str) -> Result<Place, ExpectedError> {
    if text.contains("://") {
        let settings = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
        return Place::objects(text, settings).map_err(failed);
    }
    if Path::new(text).is_dir() {
        Ok(Place::Folder(text.into()))
    } else {
        Err(ExpectedError::Usage(format!("{text} is no folder, so there is no ledger in it")))
    }
}

/// A key as it is written, or the file that it is in.
pub(crate) fn parse_key(text: &str) -> Result<VerifierKey, ExpectedError> {
    let wrong = |error: ledger_model::KeyError| {
        ExpectedError::Usage(format!("{text} is no public key: {error}"))
    };
    if Path::new(text).is_file() {
        let written = read_text(Path::new(text))?;
        return written.trim().parse().map_err(wrong);
    }
    text.parse().map_err(wrong)
}

pub(super) fn parse_keys(texts: &[String]) -> Result<Vec<VerifierKey>, ExpectedError> {
    texts.iter().map(|text| parse_key(text)).collect()
}

/// A small text file.
pub(super) fn read_text(path: &Path) -> Result<String, ExpectedError> {
    let bytes = read_small(path)?;
    String::from_utf8(bytes)
        .map_err(|_binary| ExpectedError::Usage(format!("{} is not a text file", path.display())))
}

pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, ExpectedError> {
    let error = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > MAX_KEY_FILE {
        let message = format!("{} is too large to be a key or a checkpoint", path.display());
        return Err(ExpectedError::Usage(message));
    }
    Ok(bytes)
}

/// Whatever the world did to a ledger's files, or to who asked for them.
pub(super) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ExpectedError {
    ExpectedError::Session(Box::new(error))
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, ExpectedError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}
