//! `weir ledger rotate`.

use super::arguments::{failed, runtime};
use super::key::read_secret;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_store::{Ledger, LedgerOptions};
use std::io::Write as _;
use std::path::PathBuf;

/// Change the key that signs a ledger, while no gateway writes it
///
/// The old key signs the entry that names the new one; who has the old public key follows. Give witnesses the new
/// public key first: they refuse checkpoints of a key that they do not know.
#[derive(Debug, clap::Args)]
pub(super) struct RotateArgs {
    /// The ledger's folder
    #[arg(value_name = "DIR")]
    ledger: PathBuf,

    /// The file of the secret key that signs it now
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The file of the secret key that signs it from now on, as `weir ledger key` makes it with the same name
    #[arg(long, value_name = "FILE")]
    new_key: PathBuf,

    /// Who does it, in the entries that this writes
    #[arg(long, value_name = "NAME", default_value = "weir-ledger-rotate")]
    source: String,
}

pub(super) fn run(args: &RotateArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let (old, new) = (read_secret(&args.key)?, read_secret(&args.new_key)?);
    if !args.ledger.join("checkpoint").is_file() {
        let message = format!("there is no ledger in {}", args.ledger.display());
        return Err(ExpectedError::Usage(message));
    }
    let name = new.public().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let options = LedgerOptions::new(args.ledger.clone(), old, &args.source, version);
    let ledger = Ledger::open(options).map_err(failed)?;
    let committed = runtime()?
        .block_on(async {
            let committed = ledger.rotate(new).await?;
            ledger.close().await.map(|()| committed)
        })
        .map_err(failed)?;
    writeln!(console.out, "entry {} names the new key: {name}", committed.index)?;
    Ok(Outcome::Yes)
}
