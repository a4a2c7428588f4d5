//! The lines that were shown, when they were complete.
//!
//! A line counts when the terminal goes on to the next one. What stands elsewhere on the screen, as editors and
//! monitors put it there, counts when nothing was shown for a moment. What was there for less is in the raw bytes only.

use crate::screen::{cursor_line, is_alternate, line_at};
use crate::text::cut_off;
use avt::Terminal;
use avt::parser::{DecMode, EdScope, Function};
use std::collections::BTreeSet;

const MAX_LINE_BYTES: usize = 64 << 10;
/// Nothing was shown for so long.
const REST_US: u64 = 200_000;
const GONE_US: u64 = 50_000;
/// Lines between two rests that are remembered, so that they are not told twice.
const MAX_REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
struct Stood {
    primary: BTreeSet<String>,
    alternate: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Something was written since the last line ended.
    is_fresh: bool,
    /// Something was done to the screen since the last rest.
    is_touched: bool,
    shown_us: u64,
    looked_us: u64,
    /// What stood on each screen at its last rest, and what was told since.
    stood: Stood,
    told: BTreeSet<String>,
    ready: Vec<(u64, String)>,
}

impl Lines {
    /// Before anything of this time is done to the screen.
    pub(crate) fn time(&mut self, at_us: u64, terminal: &Terminal) {
        if self.is_touched && at_us.saturating_sub(self.shown_us) >= REST_US {
            self.rest(terminal, Cursor::Left);
        }
    }

    /// Before a step that shows something.
    pub(crate) fn shown(&mut self, at_us: u64) {
        self.shown_us = at_us;
        self.is_touched = true;
    }

    /// Before a function.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other function leaves this as it is")]
    pub(crate) fn watch(&mut self, terminal: &Terminal, function: &Function) {
        match function {
            Function::Print(_) | Function::Rep(_) => {
                self.is_fresh = true;
                self.leaves_the_screen(terminal);
            }
            Function::Lf | Function::Nel if self.is_fresh => {
                self.is_fresh = false;
                self.line_over(terminal);
            }
            Function::Ris | Function::Ed(EdScope::All) => self.gone(terminal),
            Function::Decset(modes) | Function::Decrst(modes)
                if modes.as_slice().iter().any(|mode| {
                    matches!(mode, DecMode::AltScreenBuffer | DecMode::SaveCursorAltScreenBuffer)
                }) =>
            {
                self.gone(terminal);
            }
            _ => {}
        }
    }

    fn line_over(&mut self, terminal: &Terminal) {
        let text = cursor_line(terminal).text;
        let is_drawn = is_alternate(terminal);
        if is_drawn && terminal.cursor().row + 1 == terminal.size().1 {
            self.gone(terminal);
        }
        // Who draws a screen goes over the same lines again and again.
        if text.is_empty()
            || (is_drawn && (self.told.contains(&text) || self.stood.alternate.contains(&text)))
        {
            return;
        }
        if self.told.len() < MAX_REMEMBERED {
            self.told.insert(text.clone());
        }
        self.tell(text);
    }

    /// A line that is longer than the screen loses its beginning.
    fn leaves_the_screen(&mut self, terminal: &Terminal) {
        let (cursor, (columns, rows)) = (terminal.cursor(), terminal.size());
        if cursor.col < columns || cursor.row + 1 < rows {
            return;
        }
        let first = line_at(terminal, 0);
        if first.rows.end == rows
            && let Some(row) = terminal.screen().line(0)
        {
            self.tell(row.text());
        }
    }

    /// All that stands there goes.
    fn gone(&mut self, terminal: &Terminal) {
        // Who clears the screen all the time is not worth looking each time.
        if self.shown_us.saturating_sub(self.looked_us) >= GONE_US {
            self.looked_us = self.shown_us;
            self.rest(terminal, Cursor::Left);
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, terminal: &Terminal) {
        self.rest(terminal, Cursor::Told);
    }

    pub(crate) fn take(&mut self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.ready)
    }

    fn rest(&mut self, terminal: &Terminal, cursor: Cursor) {
        self.is_touched = false;
        let cursor_row = match cursor {
            Cursor::Left if !is_alternate(terminal) => Some(terminal.cursor().row),
            Cursor::Left | Cursor::Told => None,
        };
        let Stood { primary, alternate } = &self.stood;
        let stood = if is_alternate(terminal) { alternate } else { primary };
        let (mut stands, mut new) = (BTreeSet::new(), Vec::new());
        let mut row = 0;
        while row < terminal.size().1 {
            let line = line_at(terminal, row);
            row = line.rows.end;
            // It is not complete; it counts when it ends.
            let is_open = cursor_row.is_some_and(|row| line.rows.contains(&row));
            if line.text.is_empty() || is_open {
                continue;
            }
            // Of the first line the beginning may have left the screen.
            let is_end = |known: &String| known.ends_with(&line.text);
            let is_known = stood.contains(&line.text)
                || self.told.contains(&line.text)
                || line.rows.start == 0 && stood.iter().chain(&self.told).any(is_end);
            if stands.insert(line.text.clone()) && !is_known {
                new.push(line.text);
            }
        }
        if is_alternate(terminal) {
            self.stood.alternate = stands;
        } else {
            self.stood.primary = stands;
        }
        new.into_iter().for_each(|text| self.tell(text));
        self.told.clear();
    }

    fn tell(&mut self, text: String) {
        let text = if text.len() > MAX_LINE_BYTES {
            cut_off(&text, MAX_LINE_BYTES).to_owned()
        } else {
            text
        };
        self.ready.push((self.shown_us, text));
    }
}

/// What is done with the line in which the cursor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Left,
    Told,
}
