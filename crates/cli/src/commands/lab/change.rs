//! `weir lab apply`, `delete`, `diff`, `stop` and `start`: a lab that is up becomes another.

use super::WhichArgs;
use crate::arguments::ReadingArgs;
use crate::load::{read, show};
use crate::{Console, ExpectedError, Outcome};
use finding_model::Finding;
use flow_formats::text;
use lab::{AgentStatus, Change, Changed, Effect, Effects, ExpectedVerdict, Picture, PolicyMode};
use report_formats::{Role, counted, visible};
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Until the agent that follows one that was ended has taken over.
const NEXT_AGENT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// Those of a large change are for `weir lint`.
const MOST_FINDINGS: usize = 5;

/// Make the lab what these manifests say, beside what it is
///
/// An object takes the place of the one of its kind, namespace and name. Policies hold when the command
/// returns, for established connections too. With --stage they are evaluated beside the others and enforce
/// nothing: each flow says what they would do.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    /// Files and folders of manifests; - is standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Evaluate the policies beside the others, without enforcing them
    #[arg(long, help_heading = "Policies")]
    stage: bool,

    /// Report what the policies deny, and let it pass
    #[arg(long, conflicts_with = "stage", help_heading = "Policies")]
    observe: bool,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    which: WhichArgs,
}

/// Take objects away from the lab
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// KIND/NAMESPACE/NAME, or KIND/NAME where there is no namespace
    #[arg(value_name = "OBJECT", required = true)]
    objects: Vec<String>,

    #[command(flatten)]
    which: WhichArgs,
}

/// Say what a change would do to the connections that were seen, without making it
///
/// Every connection of the newest flows is decided again with the change. Exits with 1 if a verdict changes.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// Files and folders of manifests; - is standard input
    #[arg(value_name = "PATH", required_unless_present = "remove")]
    paths: Vec<PathBuf>,

    /// An object that goes: KIND/NAMESPACE/NAME
    #[arg(long, value_name = "OBJECT", help_heading = "Change")]
    remove: Vec<String>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    which: WhichArgs,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: DiffFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum DiffFormat {
    /// For people: each connection that is decided in another way
    #[default]
    Text,
    /// For programs
    Json,
}

/// Stop pods of the lab, or start them again
#[derive(Debug, clap::Args)]
pub(crate) struct PodsArgs {
    /// namespace/name of pods
    #[arg(value_name = "POD", required = true)]
    pods: Vec<String>,

    #[command(flatten)]
    which: WhichArgs,
}

/// Replace the pods of workloads, one after the other, as a rolling update does
///
/// New pods have addresses of their own, and policies hold before their first packet. Services lead to a new
/// pod when it listens, and to an old one no more before it goes.
#[derive(Debug, clap::Args)]
pub(crate) struct RollArgs {
    /// namespace/name, or kind/namespace/name
    #[arg(value_name = "WORKLOAD", required = true)]
    workloads: Vec<String>,

    #[command(flatten)]
    which: WhichArgs,
}

/// End the agent of a node as a crash would
///
/// What it wrote goes on deciding, and a new agent takes over.
#[derive(Debug, clap::Args)]
pub(crate) struct KillAgentArgs {
    /// The node's name
    node: String,

    #[command(flatten)]
    which: WhichArgs,
}

pub(super) fn kill_agent(
    args: &KillAgentArgs,
    console: &mut Console,
) -> Result<Outcome, ExpectedError> {
    let client = args.which.client()?;
    let restarts = |agents: &[AgentStatus]| {
        agents.iter().find(|agent| agent.node == args.node).map_or(0, |agent| agent.restarts)
    };
    let before = restarts(&client.status()?.agents);
    client.kill_agent(&args.node)?;
    let end = Instant::now() + NEXT_AGENT;
    while Instant::now() < end {
        let agents = client.status()?.agents;
        let agent = agents.iter().find(|agent| agent.node == args.node);
        if agent.is_some_and(|agent| agent.restarts > before && agent.epoch > 0) {
            return made(&Changed::default(), "killed; a new agent enforces the policies", console);
        }
        thread::sleep(POLL);
    }
    let late =
        "killed; the new agent does not enforce the policies yet: `weir lab status` says why";
    made(&Changed::default(), late, console)
}

pub(super) fn apply(args: &ApplyArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let files = files(&args.paths, &args.reading, console)?;
    let names: BTreeSet<String> = files.iter().map(|(name, _)| name.clone()).collect();
    let mode = match (args.stage, args.observe) {
        (true, _) => PolicyMode::Staged,
        (false, true) => PolicyMode::Observe,
        (false, false) => PolicyMode::Enforce,
    };
    let keep_going = args.reading.keep_going;
    let change = Change { files, keep_going, mode, ..Change::default() };
    let client = args.which.client()?;
    let changed = client.change(change)?;
    write_findings(&client.picture()?, &names, console)?;
    let done = match mode {
        PolicyMode::Enforce => "applied",
        PolicyMode::Observe => "applied; the policies deny nothing, they report",
        PolicyMode::Staged => "staged; flows say what the policies would do",
    };
    made(&changed, done, console)
}

/// What the checks find in these files, each in a line: in the lab, they know every namespace and pod.
fn write_findings(
    picture: &Picture,
    names: &BTreeSet<String>,
    console: &mut Console,
) -> io::Result<()> {
    let files = picture.files();
    let settings = policy_checks::Settings { ignore: BTreeSet::new() };
    let mut findings = policy_checks::run(picture.all(), &settings);
    findings
        .retain(|finding| finding.span.is_some_and(|span| names.contains(files.name(span.file))));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for Finding { code, severity, span, object, message, .. } in findings.iter().take(MOST_FINDINGS)
    {
        let object = object.as_deref().map(|object| format!("{}: ", visible(object)));
        let place = span.map(|span| format!(" ({})", visible(&files.place(span))));
        writeln!(
            console.err,
            "{severity}[{code}]: {}{}{}",
            object.unwrap_or_default(),
            visible(message),
            place.unwrap_or_default()
        )?;
    }
    let more = findings.len().saturating_sub(MOST_FINDINGS);
    if more > 0 {
        writeln!(console.err, "and {} more: `weir lint` tells all", counted(more, "finding"))?;
    }
    Ok(())
}

pub(super) fn delete(args: &DeleteArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let change = Change { removed: args.objects.clone(), ..Change::default() };
    let changed = args.which.client()?.change(change)?;
    made(&changed, "deleted", console)
}

pub(super) fn stop(args: &PodsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let changed = args.which.client()?.stop_pods(args.pods.clone())?;
    made(&changed, "stopped", console)
}

pub(super) fn start(args: &PodsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let changed = args.which.client()?.start_pods(args.pods.clone())?;
    made(&changed, "started", console)
}

pub(super) fn roll(args: &RollArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let changed = args.which.client()?.roll(args.workloads.clone())?;
    made(&changed, "rolled", console)
}

fn made(changed: &Changed, done: &str, console: &mut Console) -> Result<Outcome, ExpectedError> {
    for note in &changed.notes {
        writeln!(console.err, "note: {}", visible(note))?;
    }
    write_problems(&changed.problems, console)?;
    let but = if changed.problems.is_empty() { "" } else { ", but not all as the policies say" };
    writeln!(console.out, "{done}{but}")?;
    Ok(Outcome::Yes)
}

/// What nodes do not enforce as the policies say.
pub(super) fn write_problems(problems: &[String], console: &mut Console) -> io::Result<()> {
    let warning = console.err_palette.paint(Role::Warning, "warning");
    problems.iter().try_for_each(|problem| writeln!(console.err, "{warning}: {}", visible(problem)))
}

pub(super) fn diff(args: &DiffArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let files = match args.paths.as_slice() {
        [] => Vec::new(),
        paths => files(paths, &args.reading, console)?,
    };
    let (removed, keep_going) = (args.remove.clone(), args.reading.keep_going);
    let change = Change { files, keep_going, removed, ..Change::default() };
    let effects = args.which.client()?.effects(change)?;
    match args.output {
        DiffFormat::Text => write_effects(&effects, console)?,
        DiffFormat::Json => {
            serde_json::to_writer_pretty(&mut console.out, &effects).map_err(io::Error::from)?;
            writeln!(console.out)?;
        }
    }
    Ok(if effects.changed.is_empty() { Outcome::Yes } else { Outcome::No })
}

fn write_effects(effects: &Effects, console: &mut Console) -> Result<(), ExpectedError> {
    let palette = console.out_palette;
    let out = &mut console.out;
    for Effect { flow, flows, before, after } in &effects.changed {
        let flow = flow_formats::json::read_line(flow.as_bytes())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let (sign, role) = match after.verdict {
            ExpectedVerdict::Allow => ("+ would pass", Role::Allow),
            ExpectedVerdict::Deny => ("- would be denied", Role::Deny),
            ExpectedVerdict::Undefined => ("? would be open", Role::Undefined),
        };
        let connection = text::connection(&flow);
        writeln!(out, "{}  {connection}  {}", palette.paint(role, sign), counted(*flows, "flow"))?;
        writeln!(out, "    now    {}", visible(&before.why))?;
        writeln!(out, "    then   {}", visible(&after.why))?;
    }
    let (seen, changed) = (effects.connections, effects.changed.len());
    writeln!(
        out,
        "{} seen, {changed} of them decided in another way",
        counted(seen, "connection")
    )?;
    Ok(())
}

/// What was read, as it was written: the lab reads it again.
fn files(
    paths: &[PathBuf],
    reading: &ReadingArgs,
    console: &mut Console,
) -> Result<Vec<(String, String)>, ExpectedError> {
    let imported = read(paths, reading, console)?;
    show((&imported, &[]), reading, console)?;
    let text = |(file, text): (_, &str)| (imported.files.name(file).to_owned(), text.to_owned());
    Ok(imported.files.texts().map(text).collect())
}
