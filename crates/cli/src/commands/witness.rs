//! `weir witness`: signs what grew, for ledgers of others.

use super::ledger::{parse_key, read_secret, runtime};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_store::{Clock, Disk, Witness, WitnessListener, WitnessOptions};
use report_formats::visible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  weir ledger key --witness --name witness.example/a --out witness.key
  weir witness --key witness.key --ledger ledger.key.pub --state /var/lib/weir/witness
  weir ledger cosign /var/lib/weir/ledger --witness witness.key.pub=http://127.0.0.1:7465

Exit codes: 0 it was told to stop, 2 wrong usage, 3 it could not serve.";

/// Sign checkpoints of ledgers, each only if it grew from the one that was signed before
///
/// Serves `POST /add-checkpoint` of C2SP's tlog-witness. Run it where whoever runs the ledger has no say; its folder is
/// all that it remembers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WitnessArgs {
    /// The file of the witness's secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The public key of a ledger, or the file that it is in; may be given again
    #[arg(long, value_name = "KEY", required = true)]
    ledger: Vec<String>,

    /// The folder in which it keeps what it signed last
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7465")]
    listen: SocketAddr,

    /// Serve by TLS with the certificate chain (PEM) in this file
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,

    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

pub(crate) fn run(args: &WitnessArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let key = read_secret(&args.key)?;
    let ledgers = args.ledger.iter().map(|text| parse_key(text)).collect::<Result<_, _>>()?;
    let (disk, clock) = (Disk::default(), Clock::default());
    let folder = args.state.clone();
    let options = WitnessOptions { folder, key, ledgers, disk, clock };
    let witness = Witness::open(options).map_err(failed)?;
    let read = |path: &PathBuf| {
        let error = |source| ExpectedError::ReadFile { path: path.display().to_string(), source };
        std::fs::read(path).map_err(error)
    };
    let chain = args.tls_certificate.as_ref().map(read).transpose()?;
    let secret = args.tls_key.as_ref().map(read).transpose()?;
    let tls = chain.as_deref().zip(secret.as_deref());
    let public = witness.key().to_string();
    let console_err = &mut console.err;
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let listener = WitnessListener::bind(args.listen, tls).await.map_err(failed)?;
        let address = listener.address()?;
        writeln!(console.out, "{public}\nlistening on {address}")?;
        console.out.flush()?;
        let (events, mut heard) = tokio::sync::mpsc::channel::<String>(64);
        // A log that nobody reads fast enough does not hold the witness up.
        let told = Arc::new(move |event: &str| drop(events.try_send(event.to_owned())));
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let serve = listener.serve(Arc::new(witness), told, stop);
        let log = async {
            while let Some(event) = heard.recv().await {
                writeln!(console_err, "{}", visible(&event))?;
            }
            Ok::<(), std::io::Error>(())
        };
        tokio::select! {
            () = serve => {}
            written = log => written?,
        }
        Ok(Outcome::Yes)
    })
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ExpectedError {
    ExpectedError::Session(Box::new(error))
}
