//! `weir ledger key`, and keys in files.

use super::arguments::{failed, read_text};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_model::{Algorithm, SignerKey};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Make a key for a ledger or a witness
///
/// Writes the secret key to FILE, which only its owner can read, and the public one to FILE.pub, and prints it. Keep
/// the public key where the ledger's machine cannot change it: whoever verifies needs it from elsewhere.
#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The name of the ledger or witness, usually like a URL without scheme: ledger.example/prod
    #[arg(long, value_name = "NAME")]
    name: String,

    /// For a witness
    #[arg(long)]
    witness: bool,

    /// Where the secret key goes; a file that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &KeyArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let algorithm = if args.witness { Algorithm::Ed25519Cosignature } else { Algorithm::Ed25519 };
    let seed = ledger_store::random_seed().map_err(failed)?;
    let key = SignerKey::from_seed(&args.name, algorithm, seed)
        .map_err(|error| ExpectedError::Usage(format!("--name {}: {error}", args.name)))?;
    write_new(&args.out, &key.secret_text(), 0o600)?;
    let mut public = args.out.clone().into_os_string();
    public.push(".pub");
    write_new(Path::new(&public), &key.public().to_string(), 0o644)?;
    writeln!(console.out, "{}", key.public())?;
    Ok(Outcome::Yes)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), ExpectedError> {
    let error = |source| ExpectedError::WriteFile { path: path.display().to_string(), source };
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path).map_err(error)?;
    writeln!(file, "{text}").map_err(error)?;
    file.sync_all().map_err(error)
}

/// The secret key in a file.
pub(crate) fn read_secret(path: &Path) -> Result<SignerKey, ExpectedError> {
    let text = read_text(path)?;
    text.trim().parse().map_err(|error: ledger_model::KeyError| {
        ExpectedError::Usage(format!("{} is no secret key: {error}", path.display()))
    })
}
