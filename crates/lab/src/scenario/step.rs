//! One step: the change, the probe or the expectation that it stands for.

use super::traffic::told;
use super::{Materials, deciders};
use crate::client::Client;
use crate::error::LabError;
use crate::probe::{Cell, Observed};
use crate::state::{Change, PolicyMode, Relabelled};
use crate::wire::{Changed, ProbeRequest};
use lab_scenario::{
    Action, AgentChoice, Expectation, Manifests, Mode, Question, Relabel, Step, StepOutcome, Wanted,
};
use question_syntax::PortArgument;
use std::thread;
use std::time::Duration;

/// Connections that are told one by one.
const MOST: usize = 20;

pub(super) fn run(
    step: &Step,
    (client, materials): (&Client, &Materials),
    notes: &mut Vec<String>,
) -> StepOutcome {
    let done = match &step.action {
        Action::Apply { manifests, mode } => {
            let change = Change {
                files: files(manifests, materials),
                mode: policy_mode(*mode),
                ..Change::default()
            };
            client.change(change).map(|more| notes.extend(all(more)))
        }
        Action::Delete(objects) => {
            let change = Change { removed: objects.clone(), ..Change::default() };
            client.change(change).map(|more| notes.extend(all(more)))
        }
        Action::Relabel(relabel) => {
            let change = Change { labels: relabelled(relabel), ..Change::default() };
            client.change(change).map(|more| notes.extend(all(more)))
        }
        Action::Stop(pods) => client.stop_pods(pods.clone()).map(|more| notes.extend(all(more))),
        Action::Start(pods) => client.start_pods(pods.clone()).map(|more| notes.extend(all(more))),
        Action::Roll(workloads) => {
            client.roll(workloads.clone()).map(|more| notes.extend(all(more)))
        }
        Action::KillAgent(choice) => kill(client, choice),
        Action::Wait(milliseconds) => {
            thread::sleep(Duration::from_millis(u64::from(*milliseconds)));
            Ok(())
        }
        Action::Probe(question) => return outcome(probe(client, question)),
        Action::Expect(expectations) => {
            let mut problems = Vec::new();
            for expectation in expectations {
                match expect(client, expectation) {
                    Ok(more) => problems.extend(more),
                    Err(error) => return StepOutcome::Broken(chain(&error)),
                }
            }
            return outcome(Ok(problems));
        }
    };
    done.map_or_else(|error| StepOutcome::Broken(chain(&error)), |()| StepOutcome::Passed)
}

fn outcome(problems: Result<Vec<String>, LabError>) -> StepOutcome {
    match problems {
        Err(error) => StepOutcome::Broken(chain(&error)),
        Ok(problems) if problems.is_empty() => StepOutcome::Passed,
        Ok(problems) => StepOutcome::Failed(problems),
    }
}

fn chain(error: &LabError) -> String {
    crate::agent::chain(error)
}

fn policy_mode(mode: Mode) -> PolicyMode {
    match mode {
        Mode::Enforce => PolicyMode::Enforce,
        Mode::Observe => PolicyMode::Observe,
        Mode::Staged => PolicyMode::Staged,
    }
}

fn files(manifests: &[Manifests], materials: &Materials) -> Vec<(String, String)> {
    let files = manifests.iter().flat_map(|of| match of {
        Manifests::Path { path, span: _ } => materials.get(path).cloned().unwrap_or_default(),
        Manifests::Inline { text, span } => {
            vec![(format!("inline manifests of line {}", span.line), text.clone())]
        }
    });
    files.collect()
}

fn relabelled(relabel: &Relabel) -> Relabelled {
    let Relabel { subjects, labels } = relabel;
    subjects.iter().map(|subject| (subject.name().to_owned(), labels.clone())).collect()
}

fn kill(client: &Client, choice: &AgentChoice) -> Result<(), LabError> {
    match choice {
        AgentChoice::Node(node) => client.kill_agent(node),
        AgentChoice::All => {
            client.status()?.agents.iter().try_for_each(|agent| client.kill_agent(&agent.node))
        }
    }
}

pub(super) fn cells(client: &Client, question: &Question) -> Result<Vec<Cell>, LabError> {
    let Question { from, to, port } = question;
    let request = ProbeRequest {
        from: from.as_ref().map(ToString::to_string),
        to: to.as_ref().map(ToString::to_string),
        port: match port {
            PortArgument::All => None,
            PortArgument::Number { .. }
            | PortArgument::Named { .. }
            | PortArgument::Portless(_) => Some(port.to_string()),
        },
    };
    let mut cells = Vec::new();
    client.probe(request, |more| cells.extend(more))?;
    Ok(cells)
}

fn probe(client: &Client, question: &Question) -> Result<Vec<String>, LabError> {
    let cells = cells(client, question)?;
    if cells.is_empty() {
        return Ok(vec![nothing(question)]);
    }
    let wrong = |cell: &Cell| match (&cell.disagreement, &cell.observed) {
        (Some(why), _) => Some(format!("{}: {why}", connection(cell))),
        (None, Observed::Failed(_)) => {
            Some(format!("{}: {}", connection(cell), told(&cell.observed)))
        }
        (None, _) => None,
    };
    Ok(shortened(cells.iter().filter_map(wrong).collect()))
}

/// A check of nothing would always pass.
fn nothing(question: &Question) -> String {
    format!("{question}: there is no such connection, because nothing listens there")
}

pub(super) fn connection(cell: &Cell) -> String {
    let Cell { from, to, port, address, .. } = cell;
    format!("{from} → {to} {port} at {address}")
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MOST {
        let rest = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("and {rest} more"));
    }
    lines
}

fn expect(client: &Client, expectation: &Expectation) -> Result<Vec<String>, LabError> {
    let Expectation { question, verdict, by, reason, span: _ } = expectation;
    let (cells, mut problems) = match by {
        None => (cells(client, question)?, Vec::new()),
        Some(by) => deciders::of_cells(client, question, (*verdict, by))?,
    };
    if cells.is_empty() {
        return Ok(vec![nothing(question)]);
    }
    let wrong: Vec<String> = cells.iter().filter_map(|cell| contradicts(cell, *verdict)).collect();
    if !wrong.is_empty() {
        // Who decided another verdict is beside the point.
        problems = shortened(wrong);
    }
    if let Some(reason) = reason.as_ref().filter(|_| !problems.is_empty()) {
        problems.push(format!("it must hold because: {reason}"));
    }
    Ok(problems)
}

fn contradicts(cell: &Cell, wanted: Wanted) -> Option<String> {
    let is_met = match (&cell.observed, wanted) {
        (Observed::Open { .. } | Observed::Refused, Wanted::Allow)
        | (Observed::NoAnswer | Observed::Unreachable, Wanted::Deny) => true,
        (Observed::Open { .. } | Observed::Refused, Wanted::Deny)
        | (Observed::NoAnswer | Observed::Unreachable, Wanted::Allow)
        | (Observed::Failed(_), Wanted::Allow | Wanted::Deny) => false,
    };
    if is_met {
        return None;
    }
    let engine = cell.expected.as_ref().map(|expected| &*expected.why).unwrap_or_default();
    let (seen, wanted) = (told(&cell.observed), wanted.as_str());
    Some(format!("{}: {wanted} was expected, and {seen}; {engine}", connection(cell)))
}

fn all(Changed { notes, problems }: Changed) -> impl Iterator<Item = String> {
    notes.into_iter().chain(problems)
}
