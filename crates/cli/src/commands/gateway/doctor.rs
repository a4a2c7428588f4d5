//! `weir gateway doctor`.

use super::install::BreakGlassArgs;
use crate::arguments::SeverityArgument;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use bypass_checks::{Cluster, Expected, GATEWAY_IDENTITY, GatewayIdentity};
use finding_model::SourceFiles;
use report_formats::findings::{FindingReport, json, markdown, text};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

const EXAMPLE: &str = "\
Example:
  kubectl get -A -o json clusterroles,clusterrolebindings,roles,rolebindings,namespaces,pods,\\
validatingadmissionpolicies,validatingadmissionpolicybindings | weir gateway doctor -

Exit codes: 0 nothing at or over --fail-on, 1 ways round, 2 wrong usage, 3 the input could not be read.";

/// List ways round the gateway: who could go one, by which right
///
/// Reads a cluster's roles, bindings, namespaces, pods and admission policies as kubectl prints them, and nothing over a
/// network. Says whether the policy of `weir gateway install` is there and unchanged, and who may reach kubelets, forge
/// sessions, be the gateway, run pods on the host, or give themselves such rights.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct DoctorArgs {
    /// Files of JSON as `kubectl get -A -o json` prints it; `-` is standard input
    #[arg(required = true, value_name = "CLUSTER.json")]
    cluster: Vec<PathBuf>,

    /// As whom the gateway speaks to the API server
    #[arg(long, value_name = "USER", default_value = GATEWAY_IDENTITY)]
    gateway_identity: String,

    #[command(flatten)]
    break_glass: BreakGlassArgs,

    /// Exit with 1 if there is a finding of this severity or above
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    #[arg(help_heading = "Output")]
    fail_on: SeverityArgument,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: DoctorFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum DoctorFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a ticket: Markdown
    Md,
}

pub(crate) fn run(args: &DoctorArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let mut cluster = Cluster::default();
    for path in &args.cluster {
        let shown = path.display().to_string();
        let text =
            read(path).map_err(|source| ExpectedError::ReadFile { path: shown.clone(), source })?;
        cluster.add(&text).map_err(|why| ExpectedError::Usage(format!("{shown}: {why}")))?;
    }
    let expected = Expected {
        gateway: GatewayIdentity::of_user(&args.gateway_identity),
        break_glass: args.break_glass.identities(),
    };
    let findings = cluster.ways_round(&expected);
    let files = SourceFiles::default();
    let report = FindingReport {
        findings: &findings,
        files: &files,
        profile: "none",
        fail_on: args.fail_on.into(),
        page: crate::finding_pages::page,
    };
    let out = &mut console.out;
    match args.output {
        DoctorFormat::Text => {
            text::write_findings(out, &findings, &files, console.out_palette)?;
            writeln!(out, "{}", report.counts())?;
        }
        DoctorFormat::Json => json::write(out, &report)?,
        DoctorFormat::Md => markdown::write(out, &report)?,
    }
    Ok(if report.fails() { Outcome::No } else { Outcome::Yes })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text)?;
        return Ok(text);
    }
    std::fs::read(path)
}
