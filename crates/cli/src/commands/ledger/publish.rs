//! `weir ledger publish` and `weir ledger cosign`: beside a gateway, by hand or again and again.

use super::arguments::{failed, parse_key, place, read_small, runtime};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_store::{
    CosignOptions, CosignState, Cosigner, Mirror, MirrorOptions, Place, WitnessAddress,
};
use report_formats::{Role, visible};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Copy a ledger to object storage: entries and tiles first, then the checkpoint
///
/// Goes on where it was broken off. The environment has what the storage asks for: AWS_ACCESS_KEY_ID,
/// AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT, ….
#[derive(Debug, clap::Args)]
pub(super) struct PublishArgs {
    /// The ledger's folder
    #[arg(value_name = "DIR")]
    ledger: PathBuf,

    /// s3://BUCKET/PREFIX
    #[arg(long, value_name = "URL")]
    to: String,

    /// Only what enough witnesses have signed
    #[arg(long)]
    cosigned_only: bool,

    /// Again and again, every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,
}

/// Have witnesses sign a ledger's checkpoint
#[derive(Debug, clap::Args)]
pub(super) struct CosignArgs {
    /// The ledger's folder
    #[arg(value_name = "DIR")]
    ledger: PathBuf,

    /// A witness: its public key, or the file of it, and its URL; may be given again
    #[arg(long, value_name = "KEY=URL", required = true)]
    witness: Vec<String>,

    /// How many of them must sign; all, unless said
    #[arg(long, value_name = "NUMBER")]
    quorum: Option<usize>,

    /// A file of certificates (PEM) by which the witnesses' are checked, instead of the system's
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,

    /// Again and again, every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,
}

pub(super) fn run(args: &PublishArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let Place::Objects { store, prefix } = place(&args.to)? else {
        return Err(ExpectedError::Usage(format!("--to {}: s3://BUCKET/PREFIX", args.to)));
    };
    let (folder, cosigned_only) = (args.ledger.clone(), args.cosigned_only);
    let mirror = Mirror::new(MirrorOptions { folder, store, prefix, cosigned_only });
    runtime()?.block_on(async {
        loop {
            let done = mirror.round().await;
            match (done, args.every) {
                (Ok(done), _) => {
                    let (from, to, files) = (done.from, done.to, done.files);
                    writeln!(console.out, "{to} entries ({from} before), {files} files written")?;
                }
                (Err(error), None) => return Err(failed(error)),
                (Err(error), Some(_)) => writeln!(console.err, "{error}")?,
            }
            console.out.flush()?;
            let Some(seconds) = args.every else { return Ok(Outcome::Yes) };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    })
}

pub(super) fn cosign(args: &CosignArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let witnesses: Vec<WitnessAddress> =
        args.witness.iter().map(|text| witness(text)).collect::<Result<_, _>>()?;
    let quorum = args.quorum.unwrap_or(witnesses.len());
    let authority = args.authority.as_deref().map(read_small).transpose()?;
    let folder = args.ledger.clone();
    let mut cosigner = Cosigner::new(CosignOptions { folder, witnesses, quorum, authority })
        .map_err(|error| ExpectedError::Usage(error.to_string()))?;
    runtime()?.block_on(async {
        loop {
            cosigner.round().await;
            let enough = tell(cosigner.state(), console)?;
            let Some(seconds) = args.every else {
                return Ok(if enough { Outcome::Yes } else { Outcome::No });
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    })
}

/// Says how each witness stands; whether enough of them signed what the ledger has now.
fn tell(state: &CosignState, console: &mut Console) -> Result<bool, ExpectedError> {
    let palette = console.out_palette;
    for witness in &state.witnesses {
        let stands = match (&witness.trouble, witness.signed) {
            (Some(trouble), _) => palette.paint(Role::Error, &visible(trouble)),
            (None, Some((size, _))) => format!("signed {size} entries"),
            (None, None) => "was not asked: the ledger has no checkpoint".to_owned(),
        };
        writeln!(console.out, "{}: {stands}", witness.key.short())?;
    }
    if let Some(trouble) = &state.trouble {
        writeln!(console.err, "{}", visible(trouble))?;
    }
    let in_trouble = state.witnesses.iter().filter(|witness| witness.trouble.is_some()).count();
    let enough = state.witnesses.len() - in_trouble >= state.quorum && state.cosigned > 0;
    console.out.flush()?;
    Ok(enough && state.trouble.is_none())
}

fn witness(text: &str) -> Result<WitnessAddress, ExpectedError> {
    // A key in base64 may end with `=`; a URL has its scheme.
    let scheme = ["=https://", "=http://"].iter().find_map(|scheme| text.find(scheme));
    let parts = scheme.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
    let Some((key, url)) = parts else {
        return Err(ExpectedError::Usage(format!(
            "--witness {text}: KEY=URL, with https:// or http://"
        )));
    };
    let url =
        url.parse().map_err(|error| ExpectedError::Usage(format!("--witness {text}: {error}")))?;
    Ok(WitnessAddress { url, key: parse_key(key)? })
}
