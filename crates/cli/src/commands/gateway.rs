//! `weir gateway`: the server in front of API servers that records privileged sessions.

mod console;
mod doctor;
pub(crate) mod install;

use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use finding_model::SourceFiles;
use ledger_model::{Algorithm, KeyError, SignerKey};
use report_formats::findings::Counts;
use session_gateway::Config;
use session_store::AgeIdentities;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;

const EXAMPLES: &str = "\
Examples:
  weir gateway check --config gateway.yaml
  weir gateway run --config gateway.yaml
  weir gateway install --break-glass-group oncall | kubectl apply --server-side -f -
  weir gateway doctor cluster.json
  WEIR_LOG=debug weir gateway run --config gateway.yaml --log-format text

Exit codes: 0 done, or no way round found, 1 there is one, 2 the configuration has errors, 3 the gateway could not serve.";

/// Record privileged access to clusters: exec, attach, port-forward, cp, debug, logs and proxies
///
/// Clients reach the API servers through the gateway, with plain kubectl. What is not recorded does not happen.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    command: GatewayCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GatewayCommand {
    Run(RunArgs),
    Check(CheckArgs),
    Keygen(KeygenArgs),
    Install(install::InstallArgs),
    Doctor(doctor::DoctorArgs),
}

/// Make the keys that a gateway begins with, in a folder that has none
///
/// `ledger.key` signs the ledger and stays with the gateway. `shown.key` and `typed.key` open recordings: they belong to
/// auditors, on another machine; the gateway needs their public halves only, which are printed.
#[derive(Debug, clap::Args)]
struct KeygenArgs {
    /// Where the files are made
    folder: PathBuf,
    /// The ledger's name, for instance the gateway's
    #[arg(long, default_value = "weir-gateway")]
    name: String,
}

/// Serve until SIGTERM or SIGINT
///
/// Logs go to standard error, one JSON object a line; WEIR_LOG chooses what (error, warn, info, debug). They never
/// hold content or tokens.
#[derive(Debug, clap::Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,

    /// How logs are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t, help_heading = "Output")]
    log_format: LogFormat,
}

/// Say what is wrong with a configuration, without serving
#[derive(Debug, clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// The gateway's configuration (YAML); paths in it are relative to its folder
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For programs
    #[default]
    Json,
    /// For people
    Text,
}

pub(crate) fn run(args: &GatewayArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        GatewayCommand::Run(args) => {
            let config = args.config.read(console)?;
            log(args.log_format);
            console::serve(&config)?;
        }
        GatewayCommand::Check(args) => {
            let config = args.config.read(console)?;
            writeln!(console.out, "the configuration of {} has no errors", config.name)?;
        }
        GatewayCommand::Keygen(args) => keygen(args, console)?,
        GatewayCommand::Install(args) => return install::run(args, console),
        GatewayCommand::Doctor(args) => return doctor::run(args, console),
    }
    Ok(Outcome::Yes)
}

fn keygen(args: &KeygenArgs, console: &mut Console) -> Result<(), ExpectedError> {
    let wrong = |error: KeyError| ExpectedError::Usage(error.to_string());
    let seed = session_store::random()
        .ok_or_else(|| ExpectedError::Usage("the system has no randomness".to_owned()))?;
    let ledger = SignerKey::from_seed(&args.name, Algorithm::Ed25519, seed).map_err(wrong)?;
    let (shown, shown_public) = AgeIdentities::generate();
    let (typed, typed_public) = AgeIdentities::generate();
    let secrets =
        [("ledger.key", ledger.secret_text()), ("shown.key", shown), ("typed.key", typed)];
    for (name, text) in secrets {
        let path = args.folder.join(name);
        let failed = |source| ExpectedError::WriteFile { path: path.display().to_string(), source };
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    }
    writeln!(console.out, "ledger  {}", ledger.public())?;
    writeln!(console.out, "shown   {shown_public}")?;
    writeln!(console.out, "typed   {typed_public}")?;
    Ok(())
}

impl ConfigArgs {
    fn read(&self, console: &mut Console) -> Result<Config, ExpectedError> {
        let name = self.config.display().to_string();
        let read = |source| ExpectedError::ReadFile { path: name.clone(), source };
        let text = std::fs::read_to_string(&self.config).map_err(read)?;
        let mut files = SourceFiles::default();
        let file = files.add(name.clone());
        files.keep_text(file, text.clone());
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let mut findings = match Config::parse(&text, file, folder) {
            Ok(config) => return Ok(config),
            Err(findings) => findings,
        };
        findings.sort_by_key(|finding| finding.span);
        let palette = console.err_palette;
        report_formats::findings::text::write_findings(
            &mut console.err,
            &findings,
            &files,
            palette,
        )?;
        Err(ExpectedError::ConfigHasErrors(Counts::of(&findings)))
    }
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("WEIR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.init(),
    }
}
