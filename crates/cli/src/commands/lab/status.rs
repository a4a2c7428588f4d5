//! `weir lab status`: which labs there are, and what is in them.

use super::WhichArgs;
use crate::{Console, ExpectedError, Outcome};
use lab::{AgentStatus, Enforcement, PlaneStatus, Status};
use report_formats::{Role, counted, visible};
use std::io::Write;

/// Causes that a table has no room.
const TABLE_FULL: &str = "connections-full";
const POD_FULL: &str = "pod-quota";

/// Say what is in a lab
///
/// Exits with 3 where there is no such lab.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    which: WhichArgs,

    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: StatusFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum StatusFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(super) fn run(args: &StatusArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let status = args.which.client()?.status()?;
    match args.output {
        StatusFormat::Text => write_text(&status, console)?,
        StatusFormat::Json => {
            serde_json::to_writer_pretty(&mut console.out, &status)
                .map_err(std::io::Error::from)?;
            writeln!(console.out)?;
        }
    }
    Ok(Outcome::Yes)
}

fn write_text(status: &Status, console: &mut Console) -> std::io::Result<()> {
    let out = &mut console.out;
    writeln!(
        out,
        "lab {}: {} on {}, {}",
        status.name,
        counted(status.pods, "pod"),
        counted(status.nodes, "node"),
        counted(status.services, "Service")
    )?;
    if !status.external.is_empty() {
        let peers: Vec<String> = status.external.iter().map(ToString::to_string).collect();
        writeln!(out, "outside: {}", peers.join(", "))?;
    }
    write_enforcement(status, console)?;
    let out = &mut console.out;
    for note in &status.notes {
        writeln!(out, "note: {}", visible(note))?;
    }
    Ok(())
}

fn write_enforcement(status: &Status, console: &mut Console) -> std::io::Result<()> {
    let Enforcement { by, observe, fail_open_start, keep_established } = &status.enforcement;
    let palette = console.out_palette;
    let out = &mut console.out;
    let how = if *observe { "observed, nothing is dropped," } else { "enforced" };
    writeln!(out, "policies: {how} by {by}")?;
    if *fail_open_start {
        let warning = palette.paint(Role::Warning, "warning");
        writeln!(out, "{warning}: pods are open until their policies are written")?;
    }
    if *keep_established {
        writeln!(out, "established connections outlive a change that denies them")?;
    }
    for agent in &status.agents {
        let AgentStatus { node, running, answers, detached, epoch, restarts, repaired, .. } = agent;
        let running = match (running, answers) {
            (true, true) => "runs",
            (true, false) => "does not answer",
            (false, _) => "does not run",
        };
        write!(out, "{node}: agent {running}, change {epoch}")?;
        if *restarts > 0 {
            write!(out, ", started again {}", counted(*restarts, "time"))?;
        }
        writeln!(out)?;
        let warning = palette.paint(Role::Warning, "warning");
        if *detached {
            writeln!(out, "  {warning}: NOTHING IS ENFORCED here: its data plane was detached")?;
        } else if agent.running && !answers {
            writeln!(
                out,
                "  {warning}: what the agent wrote holds, and changes are refused: `weir lab kill-agent {node}` \
                 starts another one"
            )?;
        }
        if *repaired > 0 {
            let (pods, were) =
                (counted(*repaired, "pod"), if *repaired == 1 { "was" } else { "were" });
            writeln!(
                out,
                "  {warning}: somebody detached {pods}, which {were} open until put back, within a second"
            )?;
        }
        if let Some(plane) = &agent.plane {
            write_plane(plane, out)?;
        }
        let of_plane = agent.plane.as_ref().map(warnings).unwrap_or_default();
        let wrong = agent.failed.iter().chain(&agent.trouble).chain(&agent.problems);
        let wrong = wrong.chain(&of_plane);
        for problem in wrong {
            writeln!(out, "  {}: {}", palette.paint(Role::Warning, "warning"), visible(problem))?;
        }
    }
    Ok(())
}

fn write_plane(plane: &PlaneStatus, out: &mut dyn Write) -> std::io::Result<()> {
    let PlaneStatus { connections, max_connections, waiting, dropped, .. } = plane;
    write!(out, "  {connections} of {max_connections} connections")?;
    if *waiting > 0 {
        write!(out, ", {} without a policy yet", counted(*waiting, "pod"))?;
    }
    writeln!(out)?;
    if !dropped.is_empty() {
        let causes = dropped.iter().map(|(cause, count)| format!("{cause} {count}"));
        writeln!(out, "  packets that did not pass: {}", causes.collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

/// What an operator has to do something about.
fn warnings(plane: &PlaneStatus) -> Vec<String> {
    let PlaneStatus { connections, max_connections, denying, waiting: _, dropped, lost } = plane;
    let limit = u64::from(*max_connections);
    let refused = dropped.get(TABLE_FULL).copied().unwrap_or_default();
    let over_share = dropped.get(POD_FULL).copied().unwrap_or_default();
    let mut warnings = Vec::new();
    if *connections >= limit {
        warnings.push(format!(
            "the table of connections is full: new ones are refused, {refused} packets until now, and open ones \
             go on; make the lab with a larger --max-connections"
        ));
    } else if *connections >= limit / 10 * 9 {
        warnings.push(
            "the table of connections is nearly full: soon new ones are refused; make the lab with a larger \
             --max-connections"
                .to_owned(),
        );
    } else if refused > 0 {
        warnings.push(format!("the table of connections was full: {refused} packets were refused"));
    }
    if over_share > 0 {
        warnings.push(format!(
            "a pod had its share of connections, an eighth of all: {over_share} packets were refused"
        ));
    }
    if *denying > 0 {
        warnings.push(format!(
            "{} everything, because what they should do could not be written; the agent tries it again",
            if *denying == 1 { "1 pod denies".to_owned() } else { format!("{denying} pods deny") }
        ));
    }
    for (cause, count) in lost {
        let why = cause.trim_start_matches("reports-lost-");
        warnings.push(format!(
            "{count} reports of connections were lost ({why}): flows are not complete"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(connections: u64, of: &[(&str, u64)], lost: u64, denying: usize) -> Vec<String> {
        let dropped = of.iter().map(|(cause, count)| ((*cause).to_owned(), *count)).collect();
        let lost = [("reports-lost-ring-full".to_owned(), lost)];
        let lost = lost.into_iter().filter(|(_, count)| *count > 0).collect();
        let plane =
            PlaneStatus { connections, max_connections: 100, denying, waiting: 0, dropped, lost };
        let first = |warning: String| warning.split([':', ',']).next().unwrap_or("").to_owned();
        warnings(&plane).into_iter().map(first).collect()
    }

    #[test]
    fn what_an_operator_has_to_know_is_a_warning() {
        assert_eq!(told(89, &[("not-connected", 7)], 0, 0), Vec::<String>::new());
        assert_eq!(told(90, &[], 0, 0), ["the table of connections is nearly full"]);
        assert_eq!(told(100, &[(TABLE_FULL, 3)], 0, 0), ["the table of connections is full"]);
        assert_eq!(told(5, &[(TABLE_FULL, 3)], 0, 0), ["the table of connections was full"]);
        assert_eq!(told(5, &[(POD_FULL, 3)], 0, 0), ["a pod had its share of connections"]);
        assert_eq!(
            told(5, &[], 4, 2),
            ["2 pods deny everything", "4 reports of connections were lost (ring-full)"]
        );
    }
}
