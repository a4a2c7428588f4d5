//! `weir ledger prove`.

use super::arguments::{PlaceArgs, failed, read_small, runtime};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_model::SignedCheckpoint;
use ledger_store::{
    LedgerReader, ProveError, bundle_session, prove_entry, prove_growth, write_bundle,
};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Write a proof that can be verified with nothing else at hand
///
/// Of one entry, as a .tlog-proof file of C2SP; of one session, as a bundle of all its entries and, if it is given, its
/// recording; or that the ledger has grown from a checkpoint that was kept.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct ProveArgs {
    #[command(flatten)]
    place: PlaceArgs,

    /// The entry with this index
    #[arg(long, value_name = "INDEX", group = "what")]
    index: Option<u64>,

    /// All entries about this session
    #[arg(long, value_name = "ID", group = "what")]
    session: Option<String>,

    /// That the ledger has grown from the checkpoint in this file
    #[arg(long, value_name = "FILE", group = "what")]
    since: Option<PathBuf>,

    /// Put the session's recording into the bundle
    #[arg(long, value_name = "FILE", requires = "session")]
    recording: Option<PathBuf>,

    /// Where the proof goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &ProveArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let reader = args.place.reader()?;
    let said = match (&args.index, &args.session, &args.since) {
        (Some(index), _, _) => entry(&reader, *index, &args.out)?,
        (_, Some(session), _) => session_bundle(&reader, session, args)?,
        (_, _, Some(since)) => growth(&reader, since, &args.out)?,
        (None, None, None) => String::new(),
    };
    writeln!(console.out, "{said}")?;
    Ok(Outcome::Yes)
}

fn entry(reader: &LedgerReader, index: u64, out: &Path) -> Result<String, ExpectedError> {
    let proof = runtime()?.block_on(prove_entry(reader, index)).map_err(cannot)?;
    write(out, &proof.to_bytes())?;
    let size = proof.checkpoint.head().size;
    Ok(format!("{}: entry {index} is one of {size}", out.display()))
}

fn session_bundle(
    reader: &LedgerReader,
    session: &str,
    args: &ProveArgs,
) -> Result<String, ExpectedError> {
    let length = |path: &PathBuf| {
        let read = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
        std::fs::metadata(path).map(|file| file.len()).map_err(read)
    };
    let recording = args.recording.as_ref().map(length).transpose()?;
    let bundle = runtime()?.block_on(bundle_session(reader, session, recording)).map_err(cannot)?;
    write_bundle(&args.out, &bundle, args.recording.as_deref()).map_err(failed)?;
    let (entries, size) = (bundle.entries.len(), bundle.checkpoint.head().size);
    let with = if recording.is_some() { ", with its recording" } else { "" };
    Ok(format!("{}: {entries} of {size} entries{with}", args.out.display()))
}

/// A proof of growth has the lines that a witness is sent: the old size, the hashes, the checkpoint.
fn growth(reader: &LedgerReader, since: &Path, out: &Path) -> Result<String, ExpectedError> {
    let kept = SignedCheckpoint::parse(&read_small(since)?)
        .map_err(|error| ExpectedError::Usage(format!("{}: {error}", since.display())))?;
    let old = kept.head();
    let (checkpoint, path) = runtime()?.block_on(prove_growth(reader, old)).map_err(cannot)?;
    let new = checkpoint.head();
    ledger_model::check_consistency(old, new, &path).map_err(|error| {
        ExpectedError::Usage(format!("the ledger has not grown from {}: {error}", since.display()))
    })?;
    let proof = ledger_model::AddCheckpoint { old: old.size, path, checkpoint };
    write(out, &proof.to_bytes())?;
    Ok(format!("{}: {} entries have grown from {}", out.display(), new.size, old.size))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ExpectedError> {
    let error = |source| ExpectedError::WriteFile { path: path.display().to_string(), source };
    std::fs::write(path, bytes).map_err(error)
}

/// What is asked for and not there is a wrong argument; anything else is the world.
fn cannot(error: ProveError) -> ExpectedError {
    match error {
        ProveError::NoEntry { .. } | ProveError::NoSession(_) | ProveError::Later { .. } => {
            ExpectedError::Usage(error.to_string())
        }
        ProveError::NoCheckpoint(_) | ProveError::Read(_) => failed(error),
    }
}
