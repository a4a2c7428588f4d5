//! What `watch` draws: a line for each connection, and below what is known of the one that was opened.

use super::pane::Pane;
use super::table::{Key, Row, Table};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{cursor, queue};
use flow_formats::text::{passage, passage_role};
use flow_model::Timestamp;
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
    /// Rows come and go above it.
    pub(super) selected: Option<Key>,
    pub(super) pane: Option<Pane>,
    /// Lines of the pane that were drawn.
    pub(super) page: usize,
}

impl View {
    /// From the place that is selected to another one.
    pub(super) fn select(&mut self, table: &Table, to: impl FnOnce(usize) -> usize) {
        let rows = table.rows(self.denied_only, &self.filter);
        let last = rows.len().saturating_sub(1);
        let place = to(self.place(&rows)).min(last);
        self.selected = rows.get(place).map(|(key, _)| (*key).clone());
    }

    /// Of the selected row, the first where it is not there.
    fn place(&self, rows: &[(&Key, &Row)]) -> usize {
        rows.iter().position(|(key, _)| Some(*key) == self.selected.as_ref()).unwrap_or(0)
    }
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
    let selected = view.place(&rows);
    let pane = pane(view, palette, (width, height));
    let n_rows = height.saturating_sub(pane.len() + 3).max(1);
    let first = selected.saturating_sub(n_rows - 1);
    let now = now();
    let verdicts = rows.iter().map(|(_, row)| passage(&row.flow).len());
    let n_verdict = verdicts.max().unwrap_or_default().max(NARROWEST);
    let mut lines = vec![palette.paint(Role::Strong, &cut(&heading(view, rows.len()), width))];
    for (place, (key, row)) in rows.iter().enumerate().skip(first).take(n_rows) {
        let mark = if place == selected { '>' } else { ' ' };
        let line = cut(&format!("{mark} {}", line(key, row, (now, n_verdict))), width);
        lines.push(palette.paint(passage_role(&row.flow), &line));
    }
    if pane.is_empty() {
        lines.push(String::new());
    }
    lines.extend(pane);
    let help = if view.pane.is_some() { PANE_HELP } else { HELP };
    lines.push(palette.paint(Role::Faint, &cut(help, width)));
    lines.truncate(height);
    lines
}

/// Of the verdicts' column: what passes and would not is longer.
const NARROWEST: usize = 7;
const HELP: &str =
    "j k select   Enter why, and what would allow it   d denied only   / filter   q quit";
const PANE_HELP: &str = "j k PageUp PageDown move   Enter Esc close   q quit";

/// A line with its name and place, and as much of its text as fits below a quarter of the rows.
fn pane(view: &mut View, palette: Palette, (width, height): (usize, usize)) -> Vec<String> {
    let Some(pane) = &mut view.pane else { return Vec::new() };
    let text = pane.lines(width);
    let n_lines = height.saturating_sub(height / 4 + 4).max(1).min(text.len());
    pane.scroll = pane.scroll.min(text.len() - n_lines);
    view.page = n_lines;
    let Key { from, to, protocol, port, side: _ } = &pane.key;
    let protocol = protocol.to_string().to_ascii_lowercase();
    let end = pane.scroll + n_lines;
    let title = format!(
        "── {} → {}:{port}/{protocol} ── {end} of {} ",
        visible(from),
        visible(to),
        text.len()
    );
    let rule = "─".repeat(width.saturating_sub(title.chars().count()));
    let mut lines = vec![palette.paint(Role::Strong, &cut(&format!("{title}{rule}"), width))];
    let shown = text.iter().skip(pane.scroll).take(n_lines);
    lines.extend(shown.map(|line| match role(line) {
        Some(role) => palette.paint(role, line),
        None => line.clone(),
    }));
    lines
}

/// What a reader looks for in an explanation.
fn role(line: &str) -> Option<Role> {
    let is_heading = ["fix:", "nearly allowed it"].iter().any(|word| line.starts_with(word));
    if is_heading {
        Some(Role::Strong)
    } else if !line.starts_with(' ') && line.ends_with(": denied") {
        Some(Role::Deny)
    } else if !line.starts_with(' ') && line.ends_with(": allowed") {
        Some(Role::Allow)
    } else {
        None
    }
}

fn heading(view: &View, n_rows: usize) -> String {
    let which =
        if view.denied_only { "connections that are or would be denied" } else { "connections" };
    let cursor = if view.typing { "_" } else { "" };
    let filter = match (&*view.filter, view.typing) {
        ("", false) => String::new(),
        (filter, _) => format!("   filter: {}{cursor}", visible(filter)),
    };
    format!("{n_rows} {which}{filter}")
}

fn line(key: &Key, row: &Row, (now, n_verdict): (Timestamp, usize)) -> String {
    let Key { from, to, protocol, port, side } = key;
    let verdict = passage(&row.flow);
    let protocol = protocol.to_string().to_ascii_lowercase();
    let connection = format!("{} → {}:{port}/{protocol}", visible(from), visible(to));
    format!(
        "{verdict:<n_verdict$} {connection:<56} {:>5}/s {:>7}  {side}: {}",
        row.rate(now),
        row.count,
        flow_formats::text::reason(&row.flow)
    )
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn flow(port: u16, second: u8) -> flow_model::Flow {
        let pod = |address: &str, port: u16, name: &str| {
            format!(
                r#"{{"address":"{address}","port":{port},"kind":"pod","namespace":"shop","name":"{name}-0","workload":{{"kind":"Deployment","name":"{name}"}},"labels":{{}}}}"#
            )
        };
        let (source, destination) = (pod("10.0.0.1", 4000, "web"), pod("10.0.0.2", port, "db"));
        let line = format!(
            r#"{{"apiVersion":"weir.dev/v1alpha1","kind":"Flow","time":"2020-11-21T12:00:0{second}Z","report":"denied","observer":{{"node":"n","side":"ingress"}},"source":{source},"destination":{destination},"protocol":"TCP","decision":{{"verdict":"deny","by":"default-deny","policies":[{{"kind":"NetworkPolicy","namespace":"shop","name":"db"}}]}},"matched":[],"dropped":true,"count":2,"lostBefore":0}}"#
        );
        flow_formats::json::read_line(line.as_bytes()).unwrap()
    }

    fn drawn(table: &Table, view: &mut View) -> String {
        let lines = lines(table, view, Palette::Plain, (76, 16));
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
    }

    fn explained() -> String {
        let steps: Vec<String> = (1..=12).map(|n| format!("  step {n}")).collect();
        format!("shop/web-0 → shop/db-0 80/tcp: denied\n{}\nfix: this\n", steps.join("\n"))
    }

    #[test]
    fn a_pane_stands_below_its_row_and_moves_no_further_than_its_end() {
        let mut table = Table::default();
        table.add(flow(80, 1));
        table.add(flow(81, 2));
        let mut view = View::default();
        view.select(&table, |at| at + 1);
        let (key, row) = table.rows(false, "")[1];
        view.pane = Some(Pane::with(key.clone(), row.telling(), explained()));
        expect![[r#"
            2 connections
              denied  shop/web → shop/db:81/tcp                                    0/s
            > denied  shop/web → shop/db:80/tcp                                    0/s
            ── shop/web → shop/db:80/tcp ── 8 of 17 ────────────────────────────────────
            2020-11-21T12:00:01.000Z denied     shop/web-0 → shop/db-0:80/tcp  ingress:
              denied by default, isolated by NetworkPolicy shop/db  2 packets

            shop/web-0 → shop/db-0 80/tcp: denied
              step 1
              step 2
              step 3
              step 4
            j k PageUp PageDown move   Enter Esc close   q quit"#]]
        .assert_eq(&drawn(&table, &mut view));
        view.pane.as_mut().unwrap().scroll = usize::MAX;
        let end = drawn(&table, &mut view);
        assert!(end.contains("17 of 17") && end.contains("step 12\nfix: this\nj k"), "{end}");
        assert_eq!(view.pane.unwrap().scroll, 9);
    }

    #[test]
    fn what_passes_is_open_also_where_something_would_deny_it() {
        let observed_pod =
            flow_model::Flow { report: flow_model::Report::Opened, dropped: false, ..flow(80, 1) };
        let staged = flow_model::Flow {
            decision: None,
            staged: observed_pod.decision.clone(),
            ..flow_model::Flow { destination: flow(81, 1).destination, ..observed_pod.clone() }
        };
        let mut table = Table::default();
        for flow in [observed_pod, staged, flow(82, 1)] {
            table.add(flow);
        }
        let mut view = View { denied_only: true, ..View::default() };
        expect![[r#"
            3 connections that are or would be denied
            > open, would be denied shop/web → shop/db:80/tcp
              open, staged denies   shop/web → shop/db:81/tcp
              denied                shop/web → shop/db:82/tcp

            j k select   Enter why, and what would allow it   d denied only   / filter"#]]
        .assert_eq(&drawn(&table, &mut view));
    }

    #[test]
    fn what_is_selected_stays_so_when_rows_come_before_it() {
        let mut table = Table::default();
        table.add(flow(80, 1));
        let mut view = View::default();
        view.select(&table, |at| at);
        table.add(flow(81, 2));
        let text = drawn(&table, &mut view);
        assert!(text.contains("> denied  shop/web → shop/db:80/tcp"), "{text}");
        view.filter = "nobody".to_owned();
        assert!(drawn(&table, &mut view).starts_with("0 connections"));
    }
}
