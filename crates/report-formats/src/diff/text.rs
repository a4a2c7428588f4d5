//! A difference for people.

use super::grouped::{Group, Grouped, Section, grouped, reason_codes};
use super::words::decided;
use super::{DiffCounts, DiffReport, peer_title};
use crate::{Palette, Role, counted, visible};
use policy_engine::{Presence, Verdict};
use std::io::{self, Write};

/// Returns what was counted, which decides the exit code.
pub fn write(
    out: &mut dyn Write,
    report: &DiffReport<'_>,
    palette: Palette,
) -> io::Result<DiffCounts> {
    let grouped = grouped(report);
    writeln!(out, "{}", palette.paint(Role::Strong, &report.headline(&grouped.counts)))?;
    let compared = format!("{} → {}", visible(report.old_name), visible(report.new_name));
    writeln!(out, "{}", palette.paint(Role::Faint, &format!("{compared}; {}", report.assumed())))?;
    if let Some(caveat) = report.caveat() {
        writeln!(out, "{}", palette.paint(Role::Warning, &visible(&caveat)))?;
    }
    for section in Section::ALL {
        write_section(out, report, (&grouped, section), palette)?;
    }
    if grouped.reasons.iter().next().is_some() {
        writeln!(out)?;
    }
    for reason in grouped.reasons.iter() {
        writeln!(out, "{}: {}", reason.code(), reason.text())?;
    }
    Ok(grouped.counts)
}

fn write_section(
    out: &mut dyn Write,
    report: &DiffReport<'_>,
    (grouped, section): (&Grouped, Section),
    palette: Palette,
) -> io::Result<()> {
    let number = section.number(&grouped.counts);
    if number == 0 {
        return Ok(());
    }
    let role = match section {
        Section::Loosened => Role::Allow,
        Section::Tightened => Role::Deny,
        Section::Appeared | Section::Disappeared | Section::Within => Role::Info,
    };
    let title = palette.paint(role, section.title());
    writeln!(out, "\n{title}: {}", counted(number, section.noun(report)))?;
    if let Some(remark) = section.remark() {
        writeln!(out, "  {}", palette.paint(Role::Faint, remark))?;
    }
    let presence = section.presence();
    for peer in report.diff.peers().iter().filter(|peer| peer.presence == presence) {
        if presence != Presence::Both {
            let title = peer_title(&peer.peer);
            writeln!(out, "  {}", palette.paint(Role::Strong, &visible(&title)))?;
        }
    }
    for group in grouped.section(section) {
        write_group(out, report, group, palette)?;
    }
    Ok(())
}

fn write_group(
    out: &mut dyn Write,
    report: &DiffReport<'_>,
    group: &Group,
    palette: Palette,
) -> io::Result<()> {
    let ground = &group.ground;
    let is_both = ground.causes.iter().any(Option::is_some);
    let undefined = if !is_both && ground.verdicts.contains(&Verdict::Undefined) {
        format!(" undefined ({})", reason_codes(ground.reasons))
    } else {
        String::new()
    };
    for (from, to) in &group.lines {
        let ports = palette.paint(Role::Strong, &ground.traffic.to_string());
        writeln!(out, "  {from} → {to}  {ports}{undefined}")?;
    }
    if !is_both {
        return Ok(());
    }
    let [before, after] = ground.verdicts;
    let [of_before, of_after] = ground.causes;
    let old = decided(report.diff.old(), report.old_files, before, of_before);
    let new = decided(report.diff.new_program(), report.new_files, after, of_after);
    for (word, verdict, text) in [("was", before, old), ("is ", after, new)] {
        let reasons = match verdict {
            Verdict::Undefined => format!(": {}", reason_codes(ground.reasons)),
            Verdict::Allow | Verdict::Deny => String::new(),
        };
        let text = format!("{word} {}{reasons}", visible(&text));
        writeln!(out, "      {}", palette.paint(Role::Faint, &text))?;
    }
    Ok(())
}
