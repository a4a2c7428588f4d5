//! A connection map for people.
//!
//! Columns are as wide as what stands in them; a table too long to hold is laid out a part at a time.

use super::MapReport;
use super::grouped::{Grouping, Line};
use super::summary::{RowCounts, reason_codes};
use crate::{Palette, Role, visible};
use std::io::{self, Write};

/// Lines that are laid out together.
const PART: usize = 4_096;

/// Wider columns are cut into several lines on a terminal.
const GAP: &str = "  ";

/// How a table is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub palette: Palette,
    /// Columns of the terminal; `None` where lines may be of any length.
    pub width: Option<usize>,
}

/// Writes the map, and what it assumes and counts.
pub fn write(out: &mut dyn Write, report: &MapReport<'_>, layout: Layout) -> io::Result<()> {
    let mut counts = RowCounts::default();
    let mut table = Table { out, layout, lines: Vec::new(), widths: None };
    table.note(&report.assumed())?;
    if let Some(focus) = report.focus_text() {
        table.note(&format!("only connections of {focus}"))?;
    }
    if let Some(caveat) = report.caveat() {
        table.warn(&caveat)?;
    }
    let mut grouping = Grouping::new(report, |line| table.add(line));
    report.rows(|row| {
        counts.add(row.traffic);
        grouping.add(row)
    })?;
    grouping.finish()?;
    table.flush()?;
    table.end(&report.counts(&counts), &counts)
}

struct Table<'o> {
    out: &'o mut dyn Write,
    layout: Layout,
    lines: Vec<Line>,
    /// Of FROM and TO, once the first part is written.
    widths: Option<[usize; 2]>,
}

impl Table<'_> {
    fn note(&mut self, text: &str) -> io::Result<()> {
        let text = self.layout.palette.paint(Role::Faint, &visible(text));
        writeln!(self.out, "{text}")
    }

    fn warn(&mut self, text: &str) -> io::Result<()> {
        let text = self.layout.palette.paint(Role::Warning, &visible(text));
        writeln!(self.out, "{text}")
    }

    fn add(&mut self, line: Line) -> io::Result<()> {
        self.lines.push(line);
        if self.lines.len() >= PART { self.flush() } else { Ok(()) }
    }

    fn end(&mut self, summary: &str, counts: &RowCounts) -> io::Result<()> {
        for (reason, text) in counts.legend() {
            let reason = self.layout.palette.paint(Role::Undefined, reason.code());
            writeln!(self.out, "{reason}: {text}")?;
        }
        writeln!(self.out, "{}", self.layout.palette.paint(Role::Strong, summary))
    }

    fn flush(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return Ok(());
        }
        let first = self.widths.is_none();
        let widths = self.widen(&lines);
        if first {
            writeln!(self.out)?;
            let head = [("FROM", widths[0]), ("TO", widths[1]), ("ALLOWED", 0)];
            let head = head.map(|(text, width)| format!("{text:width$}"));
            let head = head.join(GAP);
            writeln!(self.out, "{}", self.layout.palette.paint(Role::Strong, head.trim_end()))?;
        }
        for line in &lines {
            self.write_line(line, widths)?;
        }
        if lines.len() < PART { writeln!(self.out) } else { Ok(()) }
    }

    fn widen(&mut self, lines: &[Line]) -> [usize; 2] {
        let [mut from, mut to] = self.widths.unwrap_or([4, 2]);
        for line in lines {
            from = from.max(width(&line.from));
            to = to.max(width(&line.to));
        }
        if let Some(limit) = self.layout.width {
            // A third each, and what FROM does not need goes to TO.
            let ports = lines.iter().map(|line| width(&plain_traffic(line))).max().unwrap_or(0);
            let room = limit.saturating_sub(ports.min(limit / 3) + 2 * GAP.len()).max(40);
            from = from.min(room / 2);
            to = to.min(room - from);
        }
        self.widths = Some([from, to]);
        [from, to]
    }

    fn write_line(&mut self, line: &Line, [from, to]: [usize; 2]) -> io::Result<()> {
        let cut = |text: &str, width| match self.layout.width {
            Some(_) => wrap(text, width),
            None => vec![text.to_owned()],
        };
        let (froms, tos) = (cut(&line.from, from), cut(&line.to, to));
        for index in 0..froms.len().max(tos.len()) {
            let part = |parts: &[String]| parts.get(index).cloned().unwrap_or_default();
            let traffic = if index == 0 { self.traffic(line) } else { String::new() };
            let (left, right) = (pad(&part(&froms), from), pad(&part(&tos), to));
            let text = format!("{left}{GAP}{right}{GAP}{traffic}");
            writeln!(self.out, "{}", text.trim_end())?;
        }
        Ok(())
    }

    fn traffic(&self, line: &Line) -> String {
        let palette = self.layout.palette;
        let mut parts = Vec::new();
        if !line.traffic.allowed.has_no_ports() {
            parts.push(palette.paint(Role::Allow, &line.traffic.allowed.to_string()));
        }
        if let Some(undefined) = undefined(line) {
            parts.push(palette.paint(Role::Undefined, &undefined));
        }
        if line.has_caveat {
            parts.push(palette.paint(Role::Warning, "!"));
        }
        parts.join(" ")
    }
}

fn plain_traffic(line: &Line) -> String {
    let allowed = line.traffic.allowed.to_string();
    undefined(line).map_or(allowed.clone(), |undefined| format!("{allowed} {undefined}"))
}

/// `undefined: 80/tcp (host-network)`.
fn undefined(line: &Line) -> Option<String> {
    let traffic = &line.traffic;
    let reasons = reason_codes(traffic);
    (!traffic.undefined.has_no_ports())
        .then(|| format!("undefined: {} ({})", traffic.undefined, reasons.join(", ")))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn pad(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Cuts a list after its commas, and what is still too long anywhere.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for item in text.split_inclusive(',') {
        let mut item = item.chars().peekable();
        let length = item.clone().count();
        if let Some(line) = lines.last()
            && !line.is_empty()
            && self::width(line) + length > width
        {
            lines.push("  ".to_owned());
        }
        while item.peek().is_some() {
            let full = lines.last().is_some_and(|line| self::width(line) >= width.max(8));
            if full {
                lines.push("  ".to_owned());
            }
            if let (Some(line), Some(character)) = (lines.last_mut(), item.next()) {
                line.push(character);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_after_commas_and_long_names_anywhere() {
        assert_eq!(wrap("shop/{api,cart,web}", 12), ["shop/{api,", "  cart,web}"]);
        assert_eq!(wrap("shop/web", 12), ["shop/web"]);
        let cut = wrap("a-name-that-is-longer-than-its-column", 12);
        assert!(cut.iter().all(|line| width(line) <= 12), "{cut:?}");
        let joined: String = cut.iter().map(|line| line.trim_start()).collect();
        assert_eq!(joined, "a-name-that-is-longer-than-its-column");
        assert_eq!(wrap("", 12), [""]);
    }
}
