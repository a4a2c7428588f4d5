//! What `watch` draws: a line for each connection, and below what is known of the selected one.

use super::table::{Key, Row, Table};
use crate::commands::lab::flows::is_denied;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{cursor, queue};
use flow_model::{Flow, Timestamp};
use report_formats::{Palette, Role, visible};
use std::io::{self, Stdout, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the user chose to see.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) denied_only: bool,
    pub(super) filter: String,
    /// Keys are letters of the filter.
    pub(super) typing: bool,
    pub(super) selected: usize,
    pub(super) details: bool,
}

/// The whole terminal, given back when dropped.
#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
    palette: Palette,
}

impl Screen {
    pub(super) fn open(palette: Palette) -> io::Result<Self> {
        let mut screen = Self { out: io::stdout(), palette };
        enable_raw_mode()?;
        queue!(screen.out, EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    pub(super) fn draw(&mut self, table: &Table, view: &mut View) -> io::Result<()> {
        let (width, height) = size()?;
        let lines = lines(table, view, self.palette, (width.into(), height.into()));
        queue!(self.out, cursor::MoveTo(0, 0))?;
        for (place, line) in lines.iter().enumerate() {
            if place > 0 {
                self.out.write_all(b"\r\n")?;
            }
            queue!(self.out, Clear(ClearType::CurrentLine))?;
            self.out.write_all(line.as_bytes())?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown))?;
        self.out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone: then there is nothing to give back.
        drop(queue!(self.out, cursor::Show, LeaveAlternateScreen));
        drop(self.out.flush());
        drop(disable_raw_mode());
    }
}

/// At most as many as fit.
fn lines(
    table: &Table,
    view: &mut View,
    palette: Palette,
    (width, height): (usize, usize),
) -> Vec<String> {
    let rows = table.rows(view.denied_only, &view.filter);
    view.selected = view.selected.min(rows.len().saturating_sub(1));
    let details = match rows.get(view.selected) {
        Some((_, row)) if view.details => details(&row.flow, width),
        Some(_) | None => Vec::new(),
    };
    let n_rows = height.saturating_sub(details.len() + 3).max(1);
    let first = view.selected.saturating_sub(n_rows - 1);
    let now = now();
    let mut lines = vec![palette.paint(Role::Strong, &cut(&heading(view, rows.len()), width))];
    for (place, (key, row)) in rows.iter().enumerate().skip(first).take(n_rows) {
        let mark = if place == view.selected { '>' } else { ' ' };
        let line = cut(&format!("{mark} {}", line(key, row, now)), width);
        let role = if is_denied(&row.flow) { Role::Deny } else { Role::Allow };
        lines.push(palette.paint(role, &line));
    }
    lines.push(String::new());
    lines.extend(details);
    lines.push(palette.paint(Role::Faint, &cut(HELP, width)));
    lines.truncate(height);
    lines
}

const HELP: &str = "j k select   Enter details   d denied only   / filter   q quit";

fn heading(view: &View, n_rows: usize) -> String {
    let which = if view.denied_only { "denied connections" } else { "connections" };
    let cursor = if view.typing { "_" } else { "" };
    let filter = match (&*view.filter, view.typing) {
        ("", false) => String::new(),
        (filter, _) => format!("   filter: {}{cursor}", visible(filter)),
    };
    format!("{n_rows} {which}{filter}")
}

fn line(key: &Key, row: &Row, now: Timestamp) -> String {
    let Key { from, to, protocol, port, side } = key;
    let verdict = if is_denied(&row.flow) { "denied" } else { "open" };
    let protocol = protocol.to_string().to_ascii_lowercase();
    let connection = format!("{} → {}:{port}/{protocol}", visible(from), visible(to));
    format!(
        "{verdict:<7} {connection:<56} {:>5}/s {:>7}  {side}: {}",
        row.rate(now),
        row.count,
        flow_formats::text::reason(&row.flow)
    )
}

/// Everything that the flow says, below a line.
fn details(flow: &Flow, width: usize) -> Vec<String> {
    let mut text = Vec::new();
    // Memory takes everything.
    drop(flow_formats::text::write(&mut text, flow, Palette::Plain));
    let text = String::from_utf8_lossy(&text).trim_end().to_owned();
    let mut lines = vec!["─".repeat(width)];
    lines.extend(wrapped(&text, width));
    lines.extend(flow.matched.iter().map(|rule| {
        let place = rule.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        cut(&visible(&format!("  matches {} {}{place}", rule.action, rule.rule)), width)
    }));
    lines
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(width.max(1)).map(|chunk| chunk.iter().collect()).collect()
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
