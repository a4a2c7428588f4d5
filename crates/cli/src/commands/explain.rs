//! `weir explain`: the way to a verdict, what nearly allowed it, and the smallest change that would.

mod ask;

use crate::arguments::{AssumptionArgs, InputArgs, PeerArgument, PortArgument};
use crate::load::load;
use crate::progress::Progress;
use crate::{CheckWorld, Console, ExpectedError, Outcome, PeerIndex};
use ask::{Asked, ask};
use kube_import::Imported;
use policy_engine::{Answer, Program};
use report_formats::Palette;
use report_formats::explain::{ExplainReport, Explained, Fixing, json, text};
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  weir explain manifests/ --from shop/web --to pay/db --port 5432/tcp
  weir explain manifests/ --from shop/web --to service/pay/db --port postgres
  weir explain manifests/ --from shop/ --to internet --port 443
  weir explain manifests/ --from shop/web --to pay/db --port 5432 -o json

Exit codes: 0 allowed, 1 denied or undefined, 2 the arguments or the manifests have errors, 3 the work
could not be done.";

/// Explain a verdict: by which rules, what nearly matched, and how to allow it
///
/// Walks through the tiers of both sides with every rule that matches and the one that decides. What is
/// denied gets the rules that nearly allow it and the smallest change that does, tried out, with
/// whatever else the change would open. Of a question with many answers the first five are shown like
/// this, and a change is looked for where a port is named or all ports are denied.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    input: InputArgs,

    #[command(flatten)]
    question: QuestionArgs,

    #[command(flatten)]
    assumptions: AssumptionArgs,

    /// How to print the explanation
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: ExplainFormat,
}

/// What is asked, here and of a lab.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct QuestionArgs {
    /// Who opens the connection: namespace/name, namespace/, an address, a CIDR, or internet
    #[arg(long, value_name = "PEER", help_heading = "Question")]
    pub(crate) from: PeerArgument,

    /// Who is called: as --from, or service/namespace/name
    #[arg(long, value_name = "PEER", help_heading = "Question")]
    pub(crate) to: PeerArgument,

    /// The destination's port: 8080, 53/udp, a name, or icmp; left out, all ports
    #[arg(long, value_name = "PORT", help_heading = "Question")]
    pub(crate) port: Option<PortArgument>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl QuestionArgs {
    fn port(&self) -> PortArgument {
        self.port.clone().unwrap_or_default()
    }
}

pub(crate) fn run(args: &ExplainArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let imported = load(&args.input, console)?;
    let progress = Progress::start(console, "explaining");
    let palette = console.out_palette;
    let mut text = Vec::new();
    let outcome = explain(args, &imported, palette, &mut text)?;
    drop(progress);
    console.out.write_all(&text)?;
    Ok(outcome)
}

fn explain(
    args: &ExplainArgs,
    imported: &Imported,
    palette: Palette,
    out: &mut dyn Write,
) -> Result<Outcome, ExpectedError> {
    let program = Program::compile(imported.snapshot.clone(), args.assumptions.assumptions());
    let world = CheckWorld {
        program: &program,
        snapshot: &imported.snapshot,
        files: &imported.files,
        index: &PeerIndex::new(&imported.snapshot),
    };
    answer(world, &args.question, (args.output, palette), out)
}

/// Explains what a program says of the question.
pub(crate) fn answer(
    world: CheckWorld<'_>,
    question: &QuestionArgs,
    (format, palette): (ExplainFormat, Palette),
    out: &mut dyn Write,
) -> Result<Outcome, ExpectedError> {
    let program = world.program;
    let Asked { routes, answers } = ask(world, question)?;
    let answers = answers.into_iter().enumerate().map(|(place, answer)| {
        let fixing = fixing(question, place, &answer);
        Explained::new(program, answer, fixing)
    });
    let report = ExplainReport {
        program,
        files: world.files,
        from: &question.from.to_string(),
        to: &question.to.to_string(),
        port: &question.port().to_string(),
        routes,
        answers: answers.collect(),
    };
    match format {
        ExplainFormat::Text => text::write(out, &report, palette)?,
        ExplainFormat::Json => json::write(out, &report)?,
    }
    Ok(match (report.is_allowed(), report.answers.is_empty()) {
        (true, _) => Outcome::Yes,
        (false, false) => Outcome::No,
        // The Service leads nowhere: no verdict was asked for, as in `weir check`.
        (false, true) => Outcome::BadInput,
    })
}

/// Nobody who asks about everything wants the rest of the ports opened too.
fn fixing(question: &QuestionArgs, place: usize, answer: &Answer) -> Fixing {
    let names_port = question.port.is_some();
    if !names_port && !answer.traffic.has_all_ports() {
        Fixing::PortLeftOut
    } else if place < text::MOST_WALKED {
        Fixing::Wanted
    } else {
        Fixing::BeyondFirst
    }
}

#[cfg(test)]
mod tests;
