//! A difference for a comment on a pull request: what matters first, long lists folded.

use super::grouped::{Group, Grouped, Section, grouped, reason_codes};
use super::words::decided;
use super::{DiffCounts, DiffReport, peer_title};
use crate::counted;
use crate::markdown::{code, inline};
use policy_engine::{Presence, Verdict};
use std::io::{self, Write};

/// Sections with more lines than this are folded.
const MOST_UNFOLDED: usize = 10;

/// Returns what was counted, which decides the exit code.
pub fn write(out: &mut dyn Write, report: &DiffReport<'_>) -> io::Result<DiffCounts> {
    let grouped = grouped(report);
    writeln!(out, "### weir diff\n\n**{}**", inline(&report.headline(&grouped.counts)))?;
    if let Some(caveat) = report.caveat() {
        writeln!(out, "\n**{}**", inline(&caveat))?;
    }
    for section in Section::ALL {
        write_section(out, report, &grouped, section)?;
    }
    writeln!(out)?;
    for reason in grouped.reasons.iter() {
        writeln!(out, "- {}: {}", code(reason.code()), inline(reason.text()))?;
    }
    let gap = if grouped.reasons.iter().next().is_some() { "\n" } else { "" };
    let (old, new) = (code(report.old_name), code(report.new_name));
    writeln!(out, "{gap}{old} → {new}; {}", inline(&report.assumed()))?;
    Ok(grouped.counts)
}

fn write_section(
    out: &mut dyn Write,
    report: &DiffReport<'_>,
    grouped: &Grouped,
    section: Section,
) -> io::Result<()> {
    let (number, presence) = (section.number(&grouped.counts), section.presence());
    if number == 0 {
        return Ok(());
    }
    let groups = grouped.section(section);
    let n_lines: usize = groups.iter().map(|group| group.lines.len()).sum();
    let open = if n_lines > MOST_UNFOLDED { "" } else { " open" };
    let (title, number) = (capitalized(section.title()), counted(number, section.noun(report)));
    writeln!(out, "\n<details{open}><summary>{title}: {number}</summary>\n")?;
    if let Some(remark) = section.remark() {
        writeln!(out, "{}\n", inline(remark))?;
    }
    if presence != Presence::Both {
        let peers = report.diff.peers().iter().filter(|peer| peer.presence == presence);
        let titles: Vec<String> = peers.map(|peer| code(&peer_title(&peer.peer))).collect();
        writeln!(out, "{}\n", titles.join(", "))?;
    }
    if !groups.is_empty() {
        let rest = if presence == Presence::Both {
            " Was | Is |\n|---|---|---|---|---|"
        } else {
            "\n|---|---|---|"
        };
        writeln!(out, "| From | To | Ports |{rest}")?;
    }
    for group in groups {
        write_group(out, report, group)?;
    }
    writeln!(out, "\n</details>")
}

fn capitalized(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn write_group(out: &mut dyn Write, report: &DiffReport<'_>, group: &Group) -> io::Result<()> {
    let ground = &group.ground;
    let [before, after] = ground.verdicts;
    let [of_before, of_after] = ground.causes;
    let is_both = ground.causes.iter().any(Option::is_some);
    let reasons = |verdict| match verdict {
        Verdict::Undefined => format!(" ({})", reason_codes(ground.reasons)),
        Verdict::Allow | Verdict::Deny => String::new(),
    };
    let rest = if is_both {
        let old = decided(report.diff.old(), report.old_files, before, of_before);
        let new = decided(report.diff.new_program(), report.new_files, after, of_after);
        let (old, new) = (old + &reasons(before), new + &reasons(after));
        format!(" {} | {} |", inline(&old), inline(&new))
    } else {
        String::new()
    };
    let undefined = if !is_both && ground.verdicts.contains(&Verdict::Undefined) {
        format!(" undefined ({})", inline(&reason_codes(ground.reasons)))
    } else {
        String::new()
    };
    let ports = code(&ground.traffic.to_string());
    for (from, to) in &group.lines {
        writeln!(out, "| {} | {} | {ports}{undefined} |{rest}", code(from), code(to))?;
    }
    Ok(())
}
