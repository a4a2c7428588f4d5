//! `weir diff`: what became allowed and denied, by connection.

use crate::arguments::{AssumptionArgs, ReadingArgs};
use crate::load::{inputs, options, read, show};
use crate::progress::Progress;
use crate::{Console, ExpectedError, Outcome};
use kube_import::{Imported, ObjectName, WhatIf, import_what_if};
use policy_engine::{ConnectionDiff, Granularity, Program};
use report_formats::diff::{DiffCounts, DiffReport, json, markdown, text};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  weir diff main/manifests/ branch/manifests/
  weir diff manifests/ --apply new-policy.yaml
  weir diff manifests/ --remove NetworkPolicy/shop/web
  kubectl get netpol,deploy,svc,ns -A -o yaml | weir diff - --apply change.yaml -o md
  weir diff old/ new/ --fail-on loosened

Exit codes: 0 the maps are equal, or differ in nothing that --fail-on names, 1 they differ, 2 the
arguments or the manifests have errors, 3 the work could not be done.";

/// Show what became allowed and denied
///
/// Compares who may talk to whom, not the text of manifests: a policy that is written in another way and
/// means the same is no difference. What was loosened, what was tightened, and what came or went with a
/// workload stand apart, each with the rules that decided before and after. What changed within a
/// workload, between its own pods, is shown as a note and is no difference of maps: the exit code is as
/// without it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = "weir diff [OPTIONS] <OLD> <NEW>\n       weir diff [OPTIONS] <PATH>... --apply <FILE>")]
pub(crate) struct DiffArgs {
    /// OLD and NEW manifests: a file, a folder (read recursively), or `-` for standard input; with
    /// --apply or --remove the manifests to change, of which there may be more
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// What if these objects were added, or replaced those of the same kind and name?
    ///
    /// A workload that gets another pod template is taken to be rolled out: its pods in the input give
    /// way to the template.
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    apply: Vec<PathBuf>,

    /// What if this object were gone? KIND/NAMESPACE/NAME, or KIND/NAME without a namespace
    #[arg(long, value_name = "OBJECT", help_heading = "Change")]
    remove: Vec<ObjectName>,

    #[command(flatten)]
    reading: ReadingArgs,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the difference
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: DiffFormat,

    /// What one line of the difference stands for
    ///
    /// A connection of two of them is what any of their pods may. What changes within one is a note.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t, help_heading = "Output")]
    by: DiffBy,

    /// Exit with 1 when there are such differences
    #[arg(long, value_enum, value_name = "WHICH", default_value_t, help_heading = "Output")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum DiffFormat {
    /// For people: connections that changed for the same reason together
    #[default]
    Text,
    /// For programs: a connection a line
    Json,
    /// For a comment on a pull request: Markdown
    Md,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum DiffBy {
    Pod,
    #[default]
    Workload,
    Namespace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Any difference, also a peer that appeared or disappeared
    #[default]
    Any,
    /// A connection of peers that both sides have was loosened
    Loosened,
    /// A connection of peers that both sides have was tightened
    Tightened,
    /// Nothing
    None,
}

impl FailOn {
    fn fails(self, counts: &DiffCounts) -> bool {
        match self {
            Self::Any => !counts.is_equal(),
            Self::Loosened => counts.loosened > 0,
            Self::Tightened => counts.tightened > 0,
            Self::None => false,
        }
    }
}

impl From<DiffBy> for Granularity {
    fn from(argument: DiffBy) -> Self {
        match argument {
            DiffBy::Pod => Self::Pod,
            DiffBy::Workload => Self::Workload,
            DiffBy::Namespace => Self::Namespace,
        }
    }
}

/// The two sides, and what to call them.
struct Sides {
    old: Imported,
    new: Imported,
    old_name: String,
    new_name: String,
}

pub(crate) fn run(args: &DiffArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let Sides { old, new, old_name, new_name } = if args.apply.is_empty() && args.remove.is_empty()
    {
        two_sides(args, console)?
    } else {
        what_if(args, console)?
    };
    let progress = Progress::start(console, "comparing");
    let assumptions = args.assumptions.assumptions();
    let old_program = Program::compile(old.snapshot, assumptions.clone());
    let new_program = Program::compile(new.snapshot, assumptions);
    let by = args.by.into();
    let diff = ConnectionDiff::new(&old_program, &new_program, by);
    let report = DiffReport {
        diff: &diff,
        by,
        old_files: &old.files,
        new_files: &new.files,
        old_name: &old_name,
        new_name: &new_name,
    };
    drop(progress);
    let out = &mut console.out;
    let counts = match args.output {
        DiffFormat::Text => text::write(out, &report, console.out_palette)?,
        DiffFormat::Json => json::write(out, &report)?,
        DiffFormat::Md => markdown::write(out, &report)?,
    };
    Ok(if args.fail_on.fails(&counts) { Outcome::No } else { Outcome::Yes })
}

fn two_sides(args: &DiffArgs, console: &mut Console) -> Result<Sides, ExpectedError> {
    let [old, new] = args.paths.as_slice() else {
        return Err(ExpectedError::Usage(format!(
            "weir diff compares two inputs, OLD and NEW, and was given {}; --apply FILE compares any \
             number with what they would be with a change",
            args.paths.len()
        )));
    };
    // Refuses to read standard input as both.
    inputs(&args.paths)?;
    let mut side = |path: &PathBuf| -> Result<Imported, ExpectedError> {
        let imported = read(std::slice::from_ref(path), &args.reading, console)?;
        show((&imported, &[]), &args.reading, console)?;
        Ok(imported)
    };
    let (before, after) = (side(old)?, side(new)?);
    let (old_name, new_name) = (name(old), name(new));
    Ok(Sides { old: before, new: after, old_name, new_name })
}

fn what_if(args: &DiffArgs, console: &mut Console) -> Result<Sides, ExpectedError> {
    let all: Vec<PathBuf> = args.paths.iter().chain(&args.apply).cloned().collect();
    inputs(&all)?;
    let (base, change) = (inputs(&args.paths)?, inputs(&args.apply)?);
    let progress = Progress::start(console, "reading manifests");
    let WhatIf { before, after, not_found } =
        import_what_if(&base, &change, &args.remove, &options(&args.reading))?;
    drop(progress);
    show((&before, &[]), &args.reading, console)?;
    show((&after, &before.findings), &args.reading, console)?;
    let nothing_in = |paths: &[PathBuf]| ExpectedError::NothingRead {
        paths: paths.iter().map(|path| name(path)).collect(),
    };
    if before.n_objects == 0 && !before.has_errors() {
        return Err(nothing_in(&args.paths));
    }
    let is_empty = after.n_objects == before.n_objects && !after.has_errors();
    if is_empty && !args.apply.is_empty() {
        return Err(nothing_in(&args.apply));
    }
    if let Some(missing) = not_found.first() {
        return Err(ExpectedError::Usage(format!(
            "--remove {missing}: the input has no such object"
        )));
    }
    let old_name = args.paths.iter().map(|path| name(path)).collect::<Vec<_>>().join(", ");
    let with = args.apply.iter().map(|path| format!("with {}", name(path)));
    let without = args.remove.iter().map(|object| format!("without {object}"));
    let new_name = with.chain(without).collect::<Vec<_>>().join(", ");
    Ok(Sides { old: before, new: after, old_name, new_name })
}

fn name(path: &Path) -> String {
    path.display().to_string()
}
