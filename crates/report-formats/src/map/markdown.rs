//! A connection map for a pull request, with lines shared as in the table.

use super::MapReport;
use super::grouped::{Grouping, Line};
use super::summary::{RowCounts, reason_codes};
use crate::markdown::{code, inline};
use std::io::{self, Write};

pub fn write(out: &mut dyn Write, report: &MapReport<'_>) -> io::Result<()> {
    writeln!(out, "### weir map\n\n{}", inline(&report.assumed()))?;
    if let Some(focus) = report.focus_text() {
        writeln!(out, "\nOnly connections of {}", code(focus))?;
    }
    if let Some(caveat) = report.caveat() {
        writeln!(out, "\n**{}**", inline(&caveat))?;
    }
    let mut counts = RowCounts::default();
    writeln!(out, "\n| From | To | Allowed | Undefined |\n|---|---|---|---|")?;
    let mut from = String::new();
    let mut grouping = Grouping::new(report, |line| write_line(out, &line, &mut from));
    report.rows(|row| {
        counts.add(row.traffic);
        grouping.add(row)
    })?;
    grouping.finish()?;
    writeln!(out)?;
    for (reason, text) in counts.legend() {
        writeln!(out, "- {}: {}", code(reason.code()), inline(text))?;
    }
    let gap = if counts.reasons.is_empty() { "" } else { "\n" };
    writeln!(out, "{gap}{}", report.counts(&counts))
}

/// Each row of a Markdown table repeats its source: rows may be quoted alone.
fn write_line(out: &mut dyn Write, line: &Line, from: &mut String) -> io::Result<()> {
    if !line.from.is_empty() {
        from.clone_from(&line.from);
    }
    let none = |is_none: bool, text: String| if is_none { String::new() } else { text };
    let traffic = &line.traffic;
    let allowed = none(traffic.allowed.has_no_ports(), traffic.allowed.to_string());
    let reasons = reason_codes(traffic);
    let undefined = format!("{} ({})", traffic.undefined, reasons.join(", "));
    let undefined = none(traffic.undefined.has_no_ports(), undefined);
    let caveat = if line.has_caveat { " **!**" } else { "" };
    writeln!(
        out,
        "| {} | {} | {}{caveat} | {} |",
        code(from),
        code(&line.to),
        code(&allowed),
        code(&undefined)
    )
}
