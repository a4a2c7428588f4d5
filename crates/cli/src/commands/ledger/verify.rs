//! `weir ledger verify`.

use super::arguments::{LedgerFormat, OutputArgs, failed, parse_keys, place, read_small, runtime};
use super::recording::{Tail, as_sealed};
use super::report_view::{self, Seen};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use finding_model::Severity;
use ledger_model::{Bundle, ProofFile};
use ledger_store::{
    Place, Remembered, VerifyOptions, read_bundle, recording_digest, verify, verify_bundle,
};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Say of a ledger, a bundle or a proof what it shows, and what it does not
///
/// Computes the whole tree again from the entries and compares every file. Needs the public key from elsewhere than
/// from the ledger. Without a checkpoint that was kept (--remembered) or witnesses, an older state of the ledger cannot be
/// told from the newest one.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The ledger's folder, s3://BUCKET/PREFIX, a bundle, or a .tlog-proof file
    #[arg(value_name = "LEDGER|FILE")]
    what: String,

    /// The ledger's public key, or the file that it is in; may be given again. Changes of the key are followed
    #[arg(long, value_name = "KEY", required = true, help_heading = "What is known")]
    key: Vec<String>,

    /// The public key of a witness, or the file that it is in; may be given again
    #[arg(long, value_name = "KEY", help_heading = "What is known")]
    witness: Vec<String>,

    /// How many of the witnesses must have signed
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = "What is known")]
    quorum: usize,

    /// A checkpoint of this ledger that was kept
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    remembered: Option<PathBuf>,

    /// Keep the checkpoint in this file, when nothing is wrong, for the next time
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    remember: Option<PathBuf>,

    /// The recording that a bundle is about, when it is not in it
    #[arg(long, value_name = "FILE", help_heading = "What is known")]
    recording: Option<PathBuf>,

    /// How often the gateways write when nothing happens, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "What is known")]
    heartbeat: u32,

    /// Findings of this severity and above make it a no
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t, help_heading = "Output")]
    fail_on: FailOn,

    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    Error,
    #[default]
    Warning,
    Info,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Info => Self::Info,
        }
    }
}

pub(super) fn run(args: &VerifyArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let options = options(args)?;
    let path = Path::new(&args.what);
    let seen = if !path.is_file() {
        let place = place(&args.what)?;
        let report = runtime()?.block_on(verify(&place, &options)).map_err(failed)?;
        let seen = Seen::ledger(report);
        if !seen.fails(args.fail_on.into()) {
            remember(args, &place)?;
        }
        seen
    } else if begins_as_bundle(path)? {
        bundle(args, path, &options)?
    } else {
        proof(path, &options)?
    };
    let palette = console.out_palette;
    match args.output.output {
        LedgerFormat::Text => report_view::write_text(&mut console.out, &seen, palette)?,
        LedgerFormat::Json => report_view::write_json(&mut console.out, &seen)?,
    }
    Ok(if seen.fails(args.fail_on.into()) { Outcome::No } else { Outcome::Yes })
}

/// A bundle, and the recording in it or beside it.
fn bundle(args: &VerifyArgs, path: &Path, options: &VerifyOptions) -> Result<Seen, ExpectedError> {
    let (bundle, inside) = read_bundle(path).map_err(failed)?;
    let beside = args.recording.as_deref().map(recording_digest).transpose().map_err(failed)?;
    let from = if inside.is_some() { Some(path) } else { args.recording.as_deref() };
    let (Some(from), Some(of_bytes)) = (from, inside.or(beside)) else {
        return Ok(Seen::bundle(verify_bundle(bundle, None, options)));
    };
    let read = |source| ExpectedError::ReadFile { path: from.display().to_string(), source };
    let file = std::fs::File::open(from).map_err(read)?;
    let length = of_bytes.bytes;
    let offset = file.metadata().map_err(read)?.len().saturating_sub(length);
    let entries = verify_bundle(read_bundle(path).map_err(failed)?.0, None, options);
    let digest = as_sealed(&entries, Tail { file, offset, length }, of_bytes);
    Ok(Seen::bundle(verify_bundle(bundle, Some(digest), options)))
}

fn options(args: &VerifyArgs) -> Result<VerifyOptions, ExpectedError> {
    let keys = parse_keys(&args.key)?;
    let witnesses = parse_keys(&args.witness)?;
    if args.quorum > witnesses.len() {
        let (quorum, known) = (args.quorum, witnesses.len());
        let message =
            format!("--quorum {quorum} of {known} witnesses cannot be: give each with --witness");
        return Err(ExpectedError::Usage(message));
    }
    let remembered = match &args.remembered {
        None => None,
        Some(path) => {
            // It may be of a key that is not in force any more, and was trusted when it was kept.
            let kept = ledger_model::SignedCheckpoint::parse(&read_small(path)?)
                .map_err(|error| ExpectedError::Usage(format!("{}: {error}", path.display())))?;
            let origin = kept.checkpoint().origin.clone();
            Some(Remembered { origin, head: kept.head() })
        }
    };
    let heartbeat_ms = i64::from(args.heartbeat) * 1000;
    Ok(VerifyOptions { keys, witnesses, quorum: args.quorum, remembered, heartbeat_ms })
}

fn remember(args: &VerifyArgs, place: &Place) -> Result<(), ExpectedError> {
    let Some(path) = &args.remember else { return Ok(()) };
    let bytes = runtime()?.block_on(place.read("checkpoint")).map_err(failed)?;
    let error = |source| ExpectedError::WriteFile { path: path.display().to_string(), source };
    std::fs::write(path, bytes.unwrap_or_default()).map_err(error)
}

fn begins_as_bundle(path: &Path) -> Result<bool, ExpectedError> {
    let error = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
    let mut begin = Vec::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(64).read_to_end(&mut begin).map_err(error)?;
    Ok(Bundle::begins(&begin))
}

fn proof(path: &Path, options: &VerifyOptions) -> Result<Seen, ExpectedError> {
    let bytes = read_proof(path)?;
    let file = ProofFile::parse(&bytes).map_err(|error| {
        ExpectedError::Usage(format!("{} is neither a bundle nor a proof: {error}", path.display()))
    })?;
    Ok(Seen::proof(&file, file.check(None, &options.keys).map(<[u8]>::to_vec)))
}

/// A proof has an entry and some signatures.
fn read_proof(path: &Path) -> Result<Vec<u8>, ExpectedError> {
    let error = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(2 << 20).read_to_end(&mut bytes).map_err(error)?;
    Ok(bytes)
}
