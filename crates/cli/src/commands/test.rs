//! `weir test`: whether policies do what their tests say.

use crate::arguments::{AssumptionArgs, ReadingArgs};
use crate::load::{read, read_beside, show};
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use finding_model::{Finding, Severity};
use kube_import::{Imported, read_tests};
use policy_assertions::{PolicyTest, Results, run_tests};
use policy_engine::{Assumptions, Semantics};
use report_formats::findings::Counts;
use report_formats::test_results::{json, junit, tap, text};
use report_formats::{TestReport, TestRun};
use std::path::{Component, Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  weir test tests/ manifests/
  weir test shop/ --coverage-min 80
  helm template shop ./chart | weir test tests/ - -o junit > report.xml

Documents of kind PolicyTest are tests wherever they are; everything else is manifests. A test runs
against the manifests of the command line and those that it names itself.

Exit codes: 0 all tests passed, 1 a test failed or too few rules are covered, 2 the arguments, a test or
the manifests have errors, 3 the work could not be done.";

/// Run policy unit tests
///
/// A test is a document of kind PolicyTest: cases that say of connections whether they are allowed, and
/// assertions about sets, such as that nothing outside a namespace reaches it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Tests and manifests: files, folders (read recursively), or `-` for standard input
    #[arg(value_name = "PATH", required = true, help_heading = "Input")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the results
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: TestFormat,

    /// Show the checks that passed too
    #[arg(long, help_heading = "Output")]
    all: bool,

    /// Exit with 1 when cases decide by fewer of the rules than this percentage
    #[arg(long, value_name = "PERCENT", help_heading = "Output")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum TestFormat {
    /// For people: what failed, and why
    #[default]
    Text,
    /// For programs
    Json,
    /// For CI systems: JUnit XML
    Junit,
    /// For test harnesses: TAP 14
    Tap,
}

/// Tests that run against the same manifests under the same profile.
struct Group<'t> {
    /// Beside those of the command line.
    manifests: Vec<PathBuf>,
    profile: Option<Semantics>,
    tests: Vec<&'t PolicyTest>,
}

/// What a group came to. `None`: it ran against the manifests of the command line alone.
struct GroupRun {
    imported: Option<Imported>,
    assumptions: Assumptions,
    results: Results,
}

pub(crate) fn run(args: &TestArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let imported = read(&args.paths, &args.reading, console)?;
    let (tests, findings) = tests_of(&imported);
    require_readable(&imported, findings, console)?;
    if tests.is_empty() {
        let message = "the input has no test: a document of `kind: PolicyTest`, `apiVersion: weir.dev/v1alpha1`";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    show((&imported, &[]), &args.reading, console)?;
    let mut runs = Vec::new();
    for group in groups(&tests, &imported) {
        runs.push(run_group(args, &imported, &group, console)?);
    }
    let runs: Vec<TestRun<'_>> = runs
        .iter()
        .map(|GroupRun { imported: own, assumptions, results }| TestRun {
            results,
            files: own.as_ref().map_or(&imported.files, |own| &own.files),
            assumptions,
        })
        .collect();
    let report = TestReport { runs: &runs, coverage_min: args.coverage_min.map(usize::from) };
    write(&report, args, console)?;
    Ok(if report.fails() { Outcome::No } else { Outcome::Yes })
}

fn write(
    report: &TestReport<'_>,
    args: &TestArgs,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let out = &mut console.out;
    match args.output {
        TestFormat::Text => {
            let show = if args.all { text::Show::All } else { text::Show::Failed };
            text::write(out, report, show, console.out_palette)?;
        }
        TestFormat::Json => json::write(out, report)?,
        TestFormat::Junit => junit::write(out, report)?,
        TestFormat::Tap => tap::write(out, report)?,
    }
    Ok(())
}

/// Every test of every file. Findings that the manifests gave already are left away.
fn tests_of(imported: &Imported) -> (Vec<PolicyTest>, Vec<Finding>) {
    let mut tests = Vec::new();
    let mut findings = Vec::new();
    for (file, text) in imported.files.texts() {
        let (of_file, wrong) = read_tests(file, text, kube_import::Limits::default());
        tests.extend(of_file);
        let is_known = |finding: &Finding| {
            imported
                .findings
                .iter()
                .any(|known| known.code == finding.code && known.span == finding.span)
        };
        findings.extend(wrong.into_iter().filter(|finding| !is_known(finding)));
    }
    (tests, findings)
}

/// A test with an error is never left out: it would pass by not running.
fn require_readable(
    imported: &Imported,
    mut findings: Vec<Finding>,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    findings.sort_by_key(|finding| finding.span);
    let palette = console.err_palette;
    report_formats::findings::text::write_findings(
        &mut console.err,
        &findings,
        &imported.files,
        palette,
    )?;
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(ExpectedError::TestHasErrors("test", Counts::of(&findings)));
    }
    Ok(())
}

/// In the order of their first tests.
fn groups<'t>(tests: &'t [PolicyTest], imported: &Imported) -> Vec<Group<'t>> {
    let mut groups: Vec<Group<'t>> = Vec::new();
    for test in tests {
        let folder = Path::new(imported.files.name(test.span.file)).parent();
        let beside = |path: &String| match folder {
            Some(folder) => without_detours(folder.join(path)),
            None => PathBuf::from(path),
        };
        let manifests: Vec<PathBuf> =
            test.manifests.iter().map(|manifest| beside(&manifest.path)).collect();
        let same = groups
            .iter_mut()
            .find(|group| group.manifests == manifests && group.profile == test.profile);
        match same {
            Some(group) => group.tests.push(test),
            None => groups.push(Group { manifests, profile: test.profile, tests: vec![test] }),
        }
    }
    groups
}

/// `a/tests/../b` as `a/b`, unless a link makes them two places.
fn without_detours(path: PathBuf) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        let can_go_up = matches!(short.components().next_back(), Some(Component::Normal(_)));
        if part == Component::ParentDir && can_go_up {
            short.pop();
        } else {
            short.push(part);
        }
    }
    if short.as_os_str().is_empty() {
        short.push(".");
    }
    match (path.canonicalize(), short.canonicalize()) {
        (Ok(long), Ok(same)) if long == same => short,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => path,
    }
}

fn run_group(
    args: &TestArgs,
    imported: &Imported,
    group: &Group<'_>,
    console: &mut Console,
) -> Result<GroupRun, ExpectedError> {
    let own = if group.manifests.is_empty() {
        None
    } else {
        let own = read_beside((&args.paths, imported), &group.manifests, &args.reading, console)?;
        show((&own, &imported.findings), &args.reading, console)?;
        Some(own)
    };
    let snapshot = own.as_ref().map_or(&imported.snapshot, |own| &own.snapshot);
    let mut assumptions = args.assumptions.assumptions();
    if let Some(profile) = group.profile {
        assumptions.semantics = profile;
    }
    let progress = Progress::start(console, "running tests");
    let results = run_tests(snapshot, assumptions.clone(), &group.tests);
    drop(progress);
    Ok(GroupRun { imported: own, assumptions, results })
}
