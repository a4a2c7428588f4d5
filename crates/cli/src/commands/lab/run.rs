//! `weir lab run`: scenarios, each in a lab of its own that is gone afterwards.

use crate::arguments::ReadingArgs;
use crate::load::{options, read, show};
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use finding_model::{Finding, Severity, SourceSpan};
use kube_import::{ImportError, Imported, Input, read_scenarios};
use lab::{
    Client, Folder, HookChoice, Materials, PodChoice, Profile, Setup, default_parent, run_scenario,
};
use lab_scenario::{Action, LabOptions, Manifests, Reading, Scenario, ScenarioResult, Step};
use report_formats::ScenarioReport;
use report_formats::findings::Counts;
use report_formats::scenario_results::{json, junit, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

const EXAMPLES: &str = "\
Examples:
  weir lab run scenarios/
  weir lab run failover.yaml
  weir lab run scenarios/ -o junit > report.xml

A scenario is a document of kind Scenario. Each has a lab of its own, made of the manifests that it names and
taken down when it ends, however it ends.

Exit codes: 0 all held, 1 something did not, 2 the arguments, a scenario or the manifests have errors, 3 the
work could not be done.";

const REPLICAS: u16 = 2;

/// Run scenarios: steps, expectations and traffic, on real packets
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// Scenarios: files and folders (read recursively)
    #[arg(value_name = "PATH", required = true, help_heading = "Input")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    reading: ReadingArgs,

    /// Where labs keep their lock and socket
    #[arg(long, value_name = "DIR", default_value_os_t = default_parent(), help_heading = "Lab")]
    dir: PathBuf,

    /// How to print the results
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: RunFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum RunFormat {
    /// For people: each step, and why it failed
    #[default]
    Text,
    /// For programs
    Json,
    /// For CI systems: JUnit XML
    Junit,
}

pub(super) fn run(args: &RunArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let inputs = crate::load::inputs(&args.paths)?;
    let imported = kube_import::import(&inputs, &options(&args.reading))?;
    let scenarios = scenarios(&imported, console)?;
    let mut prepared = Vec::new();
    for scenario in &scenarios {
        // All that is wrong is said before the first lab is made.
        prepared.push(prepare(scenario, &imported, args, console)?);
    }
    require_traffic(&scenarios, &prepared, &imported)?;
    let mut results = Vec::new();
    for (place, (scenario, (setup, materials))) in scenarios.iter().zip(prepared).enumerate() {
        let progress = Progress::start(console, "running scenarios");
        let name = format!("run-{}-{place}", process::id());
        results.push(run_one(scenario, (Setup { name, ..setup }, &materials), &args.dir)?);
        drop(progress);
    }
    let report = ScenarioReport { results: &results, files: &imported.files };
    match args.output {
        RunFormat::Text => text::write(&mut console.out, &report, console.out_palette)?,
        RunFormat::Json => json::write(&mut console.out, &report)?,
        RunFormat::Junit => junit::write(&mut console.out, &report)?,
    }
    Ok(if report.fails() { Outcome::No } else { Outcome::Yes })
}

/// A scenario with an error is never left out: it would pass by not running.
fn scenarios(imported: &Imported, console: &mut Console) -> Result<Vec<Scenario>, ExpectedError> {
    let mut scenarios = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for (file, text) in imported.files.texts() {
        let (of_file, wrong) = read_scenarios(file, text, kube_import::Limits::default());
        scenarios.extend(of_file);
        findings.extend(wrong);
    }
    findings.sort_by_key(|finding| finding.span);
    let palette = console.err_palette;
    report_formats::findings::text::write_findings(
        &mut console.err,
        &findings,
        &imported.files,
        palette,
    )?;
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(ExpectedError::TestHasErrors("scenario", Counts::of(&findings)));
    }
    if scenarios.is_empty() {
        let message = "the input has no scenario: a document of `kind: Scenario`, `apiVersion: weir.dev/v1alpha1`";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    Ok(scenarios)
}

/// An end that is misspelt would be found when all steps had run.
fn require_traffic(
    scenarios: &[Scenario],
    prepared: &[(Setup, Materials)],
    imported: &Imported,
) -> Result<(), ExpectedError> {
    let mut wrong = Vec::new();
    for (scenario, (setup, _)) in scenarios.iter().zip(prepared) {
        for (span, why) in lab::refused_traffic(scenario, setup)? {
            wrong.push(format!("{}: traffic {why}", imported.files.place(span)));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(ExpectedError::Usage(wrong.join("\n"))) }
}

/// Everything that the scenario names, read.
fn prepare(
    scenario: &Scenario,
    imported: &Imported,
    args: &RunArgs,
    console: &mut Console,
) -> Result<(Setup, Materials), ExpectedError> {
    let folder = Path::new(imported.files.name(scenario.span.file)).parent();
    let folder = folder.unwrap_or_else(|| Path::new(""));
    let mut files = Vec::new();
    for manifests in &scenario.manifests {
        files.extend(match manifests {
            Manifests::Path { path, span } => {
                let place = imported.files.place(*span);
                texts((&folder.join(path), &place), args, console)?
            }
            Manifests::Inline { text, span } => {
                vec![inline(imported, *span, text)]
            }
        });
    }
    require_readable(&files, args, console)?;
    let mut materials = BTreeMap::new();
    for step in &scenario.steps {
        let Step { name: _, action: Action::Apply { manifests, mode: _ }, span: _ } = step else {
            continue;
        };
        let mut of_step = Vec::new();
        for manifests in manifests {
            match manifests {
                Manifests::Path { path, span } => {
                    let place = imported.files.place(*span);
                    let read = texts((&folder.join(path), &place), args, console)?;
                    of_step.extend(read.iter().cloned());
                    materials.insert(path.clone(), read);
                }
                Manifests::Inline { text, span } => of_step.push(inline(imported, *span, text)),
            }
        }
        require_readable(&of_step, args, console)?;
    }
    Ok((setup(&scenario.lab, files, args), materials))
}

fn inline(imported: &Imported, span: SourceSpan, text: &str) -> (String, String) {
    let name = imported.files.name(span.file);
    (format!("{name} (inline manifests of line {})", span.line), text.to_owned())
}

/// Names and texts of the files of a path, which stands at `place` of a scenario.
fn texts(
    (path, place): (&Path, &str),
    args: &RunArgs,
    console: &mut Console,
) -> Result<Vec<(String, String)>, ExpectedError> {
    let imported = match read(&[path.to_owned()], &args.reading, console) {
        Err(error @ ExpectedError::Import(ImportError::Find { .. })) => {
            let why = format!("{place}: {error}; paths begin at the scenario's folder");
            return Err(ExpectedError::Usage(why));
        }
        read => read?,
    };
    let text = |(file, text): (_, &str)| (imported.files.name(file).to_owned(), text.to_owned());
    Ok(imported.files.texts().map(text).collect())
}

/// What a lab is made of, or what a step applies: shown and refused as other commands do.
fn require_readable(
    files: &[(String, String)],
    args: &RunArgs,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let text =
        |(name, text): &(String, String)| Input::Text { name: name.clone(), text: text.clone() };
    let inputs: Vec<Input> = files.iter().map(text).collect();
    if inputs.is_empty() {
        return Ok(());
    }
    let imported = kube_import::import(&inputs, &options(&args.reading))?;
    show((&imported, &[]), &args.reading, console)
}

fn setup(lab: &LabOptions, files: Vec<(String, String)>, args: &RunArgs) -> Setup {
    let LabOptions { nodes, replicas, external, .. } = lab;
    Setup {
        name: String::new(),
        files,
        keep_going: args.reading.keep_going,
        nodes: nodes.map(usize::from),
        replicas: usize::from(replicas.unwrap_or(REPLICAS)),
        external: external.clone(),
        profile: match lab.profile {
            Reading::Upstream => Profile::Upstream,
            Reading::Cilium => Profile::Cilium,
        },
        pods: PodChoice {
            observe: lab.observe,
            fail_open_start: lab.fail_open_start,
            keep_established: lab.keep_established,
        },
        max_connections: None,
    }
}

fn run_one(
    scenario: &Scenario,
    (setup, materials): (Setup, &Materials),
    dir: &Path,
) -> Result<ScenarioResult, ExpectedError> {
    let folder = Folder::new(dir, &setup.name)?;
    let program = std::env::current_exe().map_err(ExpectedError::OwnProgram)?;
    let mut command = Command::new(program);
    command.args(["lab", "process", "--name", &setup.name, "--dir"]).arg(dir);
    lab::start(&folder, &mut command, setup, HookChoice::Tcx)?;
    let client = Client::new(folder)?;
    // A command that is killed takes its lab along.
    let bond = client.bind()?;
    let result = run_scenario(scenario, materials, &client);
    client.stop()?;
    drop(bond);
    Ok(result?)
}
