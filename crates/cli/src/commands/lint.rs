//! `weir lint`: what is wrong with the manifests and the policies in them.

use crate::arguments::{AssumptionArgs, ReadingArgs, SeverityArgument};
use crate::finding_pages::{explain, page};
use crate::load::{read, write_caveat};
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use finding_model::{Finding, Severity};
use kube_import::Imported;
use policy_checks::Settings;
use policy_engine::Program;
use report_formats::FindingReport;
use report_formats::findings::{json, junit, markdown, sarif, text};
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  weir lint manifests/
  weir lint manifests/ --fail-on error -o sarif > weir.sarif
  weir lint manifests/ --ignore not-isolated,internet-egress
  weir lint --explain unknown-field

Exit codes: 0 no finding at or over --fail-on, 1 findings at or over it, 2 the arguments or the
manifests have errors (with --keep-going only the arguments), 3 the work could not be done.";

/// Find mistakes in policies and in the manifests they are about
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LintArgs {
    /// Manifests: files, folders (read recursively), or `-` for standard input
    #[arg(value_name = "PATH", required_unless_present = "explain")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the findings
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Output"
    )]
    output: LintFormat,

    /// Exit with 1 when there are findings of this severity or above
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "warning")]
    #[arg(help_heading = "Output")]
    fail_on: SeverityArgument,

    /// Leave out findings of these codes, other than errors
    #[arg(long, value_name = "CODE", value_delimiter = ',', help_heading = "Output")]
    ignore: Vec<String>,

    /// Print what a finding's code means and how to fix it
    #[arg(long, value_name = "CODE", conflicts_with = "paths", help_heading = "Output")]
    explain: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum LintFormat {
    /// For people: the source line, underlined
    #[default]
    Text,
    /// For programs
    Json,
    /// For code hosts: SARIF 2.1.0
    Sarif,
    /// For CI systems: JUnit XML
    Junit,
    /// For a comment on a pull request: Markdown
    Md,
}

pub(crate) fn run(args: &LintArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if let Some(code) = &args.explain {
        console.out.write_all(explain(code)?.as_bytes())?;
        return Ok(Outcome::Yes);
    }
    // A code that does not exist ignores nothing, and nobody would notice.
    args.ignore.iter().try_for_each(|code| explain(code).map(|_| ()))?;
    let imported = read(&args.paths, &args.reading, console)?;
    let findings = findings(args, &imported, console);
    let report = FindingReport {
        findings: &findings,
        files: &imported.files,
        profile: &args.assumptions.profile.to_string(),
        fail_on: args.fail_on.into(),
        page,
    };
    write_report(&report, args.output, console)?;
    if imported.has_errors() && !args.reading.keep_going {
        return Ok(Outcome::BadInput);
    }
    write_caveat(&imported, console)?;
    Ok(if report.fails() { Outcome::No } else { Outcome::Yes })
}

/// What is wrong with the manifests, and, where they could be read, with what they say.
fn findings(args: &LintArgs, imported: &Imported, console: &Console) -> Vec<Finding> {
    let ignore: BTreeSet<String> = args.ignore.iter().cloned().collect();
    let kept = |f: &&Finding| f.severity == Severity::Error || !ignore.contains(f.code.0);
    let mut findings: Vec<Finding> = imported.findings.iter().filter(kept).cloned().collect();
    if !imported.has_errors() || args.reading.keep_going {
        let _progress = Progress::start(console, "checking policies");
        let assumptions = args.assumptions.assumptions();
        let program = Program::compile(imported.snapshot.clone(), assumptions);
        findings.extend(policy_checks::run(&program, &Settings { ignore }));
    }
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    findings
}

/// By place, as one reads the files; findings without a place come first.
fn order(finding: &Finding) -> impl Ord + '_ {
    (finding.span, finding.code, &finding.object, &finding.message)
}

fn write_report(
    report: &FindingReport<'_>,
    format: LintFormat,
    console: &mut Console,
) -> io::Result<()> {
    let out = &mut console.out;
    match format {
        LintFormat::Text => text::write(out, report, console.out_palette),
        LintFormat::Json => json::write(out, report),
        LintFormat::Sarif => sarif::write(out, report),
        LintFormat::Junit => junit::write(out, report),
        LintFormat::Md => markdown::write(out, report),
    }
}
