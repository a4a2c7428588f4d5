//! What the terminal showed.

use crate::budget::{Budget, cost};
use crate::interpreter::{Interpreter, Oddity};
use avt::parser::Function;
use avt::{Line, ScreenKind, Terminal};
use session_record::Opening;

/// Sizes beyond these are nobody's terminal.
const MAX_COLUMNS: usize = 1000;
const MAX_ROWS: usize = 500;
const MAX_CELLS: usize = 1 << 17;
/// Where nothing said how large the terminal is.
const DEFAULT: (usize, usize) = (80, 24);

/// A terminal's screen at a moment.
pub struct Screen {
    terminal: Terminal,
    interpreter: Interpreter,
    budget: Budget,
    line_ends: LineEnds,
    did_too_much: bool,
}

/// Who returns the carriage at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnds {
    /// The terminal in the pod, so it is among what was sent.
    Sent,
    /// Nobody did: the session had no terminal, and the person's own returned it.
    Added,
}

impl LineEnds {
    #[must_use]
    pub const fn of(opening: &Opening) -> Self {
        if opening.access.terminal { Self::Sent } else { Self::Added }
    }
}

/// Looks at the screen before something is done to it.
pub(crate) type Watch<'a> = dyn FnMut(&Terminal, &Function) + 'a;

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Screen {
    /// A blank screen; a size of 0 is that of most terminals.
    #[must_use]
    pub fn new(columns: u16, rows: u16, line_ends: LineEnds) -> Self {
        Self {
            terminal: blank(bounded(columns, rows)),
            interpreter: Interpreter::default(),
            budget: Budget::default(),
            line_ends,
            did_too_much: false,
        }
    }

    /// The screen of a session at its beginning.
    #[must_use]
    pub fn of(opening: &Opening) -> Self {
        Self::new(0, 0, LineEnds::of(opening))
    }

    /// Shows what was sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.feed_watched(bytes, &mut |_, _| {});
    }

    pub(crate) fn feed_watched(&mut self, bytes: &[u8], watch: &mut Watch<'_>) {
        let Self { terminal, interpreter, budget, line_ends, did_too_much } = self;
        budget.earn(bytes.len());
        interpreter.feed(bytes, &mut |function| {
            let size = terminal.size();
            let function = within(function, size);
            if !budget.spend(cost(&function, size)) {
                *did_too_much = true;
                return;
            }
            watch(terminal, &function);
            if *line_ends == LineEnds::Added && function == Function::Lf {
                terminal.execute(Function::Cr);
            }
            terminal.execute(function);
        });
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let size = bounded(columns, rows);
        if size == self.size() {
            return;
        }
        if self.budget.resize(self.size(), size) {
            self.terminal.resize(size.0, size.1);
        } else {
            self.did_too_much = true;
        }
    }

    /// What was odd since this was asked last.
    pub fn take_odd(&mut self) -> Vec<Oddity> {
        let mut odd = self.interpreter.take_odd();
        if std::mem::take(&mut self.did_too_much) {
            odd.push(Oddity::TooMuchWork);
        }
        odd
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.terminal.size()
    }

    /// Column and row of the cursor, where it is shown.
    #[must_use]
    pub fn cursor(&self) -> Option<(usize, usize)> {
        self.terminal.cursor().position()
    }

    /// Whether a program has the whole screen, as editors and pagers do.
    #[must_use]
    pub fn is_alternate(&self) -> bool {
        is_alternate(&self.terminal)
    }

    /// The rows that are visible.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.terminal.screen().visible_lines()
    }

    /// The rows' text, without the blanks at their ends.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        self.lines().map(|line| line.text().trim_end().to_owned()).collect()
    }

    pub(crate) const fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// What makes a screen like this one out of a blank one of its size; none in the middle of something.
    pub(crate) fn dump(&self) -> Option<String> {
        self.interpreter.is_between_functions().then(|| self.terminal.dump())
    }

    pub(crate) fn of_dump(size: (usize, usize), line_ends: LineEnds, dump: &str) -> Self {
        let mut terminal = blank(size);
        terminal.feed(dump);
        let (interpreter, budget) = (Interpreter::default(), Budget::default());
        Self { terminal, interpreter, budget, line_ends, did_too_much: false }
    }
}

#[expect(clippy::expect_used, reason = "sizes are bounded from both sides")]
fn blank((columns, rows): (usize, usize)) -> Terminal {
    Terminal::new(columns, rows).expect("a size of at least 1 by 1")
}

pub(crate) fn is_alternate(terminal: &Terminal) -> bool {
    terminal.active_screen_kind() == ScreenKind::Alternate
}

/// A letter that is repeated beyond a screen shows a screen full of it.
fn within(function: Function, (columns, rows): (usize, usize)) -> Function {
    if let Function::Rep(n) = function {
        Function::Rep(n.min(u16::try_from(columns * rows).unwrap_or(u16::MAX)))
    } else {
        function
    }
}

fn bounded(columns: u16, rows: u16) -> (usize, usize) {
    let (default_columns, default_rows) = DEFAULT;
    let pick = |value: u16, default: usize, most: usize| match usize::from(value) {
        0 => default,
        value => value.min(most),
    };
    let columns = pick(columns, default_columns, MAX_COLUMNS);
    (columns, pick(rows, default_rows, MAX_ROWS).min(MAX_CELLS / columns))
}

/// A line, put together from the rows over which it is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogicalLine {
    /// Without the blanks at its end.
    pub(crate) text: String,
    /// What of it is before the cursor, with blanks, where the cursor is in it.
    pub(crate) before: String,
    pub(crate) rows: std::ops::Range<usize>,
}

/// The line in which a row is.
pub(crate) fn line_at(terminal: &Terminal, row: usize) -> LogicalLine {
    let cursor = terminal.cursor();
    let rows: Vec<&Line> = terminal.screen().visible_lines().collect();
    let row = row.min(rows.len().saturating_sub(1));
    let is_wrapped = |row: usize| rows.get(row).is_some_and(|line| line.is_wrapped());
    let mut first = row;
    while first > 0 && is_wrapped(first - 1) {
        first -= 1;
    }
    let mut end = row + 1;
    while is_wrapped(end - 1) && end < rows.len() {
        end += 1;
    }
    let (mut text, mut before) = (String::new(), String::new());
    for (number, line) in rows.iter().enumerate().take(end).skip(first) {
        if number == cursor.row {
            before.clone_from(&text);
            let cells = line.cells().iter().take(cursor.col);
            before.extend(cells.filter(|cell| cell.width() > 0).map(avt::Cell::char));
        }
        text.extend(line.chars());
    }
    text.truncate(text.trim_end().len());
    LogicalLine { text, before, rows: first..end }
}

/// The line in which the cursor is.
pub(crate) fn cursor_line(terminal: &Terminal) -> LogicalLine {
    line_at(terminal, terminal.cursor().row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(columns: u16, rows: u16) -> Screen {
        Screen::new(columns, rows, LineEnds::Sent)
    }

    #[test]
    fn a_wrapped_line_is_one_line() {
        let mut screen = screen(10, 4);
        screen.feed(b"$ echo 12345 67890\x1b[D");
        let line = cursor_line(screen.terminal());
        let expected = ("$ echo 12345 67890", "$ echo 12345 6789", 0..2);
        assert_eq!((line.text.as_str(), line.before.as_str(), line.rows), expected);
        screen.feed(b"\r\nnext");
        assert_eq!(cursor_line(screen.terminal()).text, "next");
    }

    #[test]
    fn a_program_with_the_whole_screen_shows() {
        let mut screen = screen(20, 4);
        screen.feed(b"$ vi\r\n\x1b[?1049h");
        assert!(screen.is_alternate());
        screen.feed(b"\x1b[?1049l");
        assert!(!screen.is_alternate());
        assert_eq!(screen.text()[0], "$ vi");
    }

    #[test]
    fn without_a_terminal_lines_begin_at_the_left() {
        let mut screen = Screen::new(20, 4, LineEnds::Added);
        screen.feed(b"one\ntwo");
        assert_eq!(screen.text()[..2], ["one", "two"]);
    }

    #[test]
    fn work_is_bounded_by_what_is_sent() {
        let mut screen = screen(1000, 500);
        assert_eq!(screen.size(), (1000, 131));
        let bomb = b"x\x1b[65535b\x1b#8\x1b[2J\x1bc\x1b[65535L".repeat(20_000);
        screen.feed(&bomb);
        assert_eq!(screen.take_odd(), [Oddity::TooMuchWork]);
        for n in 0..u16::MAX {
            screen.resize(300 + n % 7, 100 + n % 5);
        }
        assert_eq!(screen.take_odd(), [Oddity::TooMuchWork]);
    }
}
