//! What the terminal showed.

use crate::text::TextDecoder;
use avt::{Line, ScreenKind, Terminal};

/// Sizes beyond these are nobody's terminal.
const MAX_COLUMNS: usize = 1000;
const MAX_ROWS: usize = 500;
/// Where nothing said how large the terminal is.
const DEFAULT: (usize, usize) = (80, 24);

/// A terminal's screen at a moment.
pub struct Screen {
    terminal: Terminal,
    decoder: TextDecoder,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Screen").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl Screen {
    /// A blank screen; a size of 0 is that of most terminals.
    ///
    /// # Panics
    /// Never: the size is within what a terminal takes.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = bounded(columns, rows);
        #[expect(clippy::expect_used, reason = "both are at least 1")]
        let terminal = Terminal::new(columns, rows).expect("a size of at least 1 by 1");
        Self { terminal, decoder: TextDecoder::default() }
    }

    /// Shows what was sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        let text = self.decoder.feed(bytes);
        self.terminal.feed(text.as_str());
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (columns, rows) = bounded(columns, rows);
        self.terminal.resize(columns, rows);
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
        self.terminal.active_screen_kind() == ScreenKind::Alternate
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

    /// The line in which the cursor is, put together from the rows over which it is wrapped, and how many characters
    /// of it are before the cursor.
    #[must_use]
    pub fn cursor_line(&self) -> (String, usize) {
        let cursor = self.terminal.cursor();
        let rows: Vec<&Line> = self.lines().collect();
        let row = cursor.row.min(rows.len().saturating_sub(1));
        let is_wrapped = |row: usize| rows.get(row).is_some_and(|line| line.is_wrapped());
        let mut first = row;
        while first > 0 && is_wrapped(first - 1) {
            first -= 1;
        }
        let mut last = row;
        while is_wrapped(last) && last + 1 < rows.len() {
            last += 1;
        }
        let mut text = String::new();
        let mut before = 0;
        for (number, line) in rows.iter().enumerate().take(last + 1).skip(first) {
            if number == row {
                let left: usize = cells_before(line, cursor.col);
                before = text.chars().count() + left;
            }
            text.push_str(&line.text());
        }
        (text.trim_end().to_owned(), before)
    }
}

/// Characters before a column; wide ones take two.
fn cells_before(line: &Line, column: usize) -> usize {
    line.cells().iter().take(column).filter(|cell| cell.width() > 0).count()
}

pub(crate) fn bounded(columns: u16, rows: u16) -> (usize, usize) {
    let (default_columns, default_rows) = DEFAULT;
    let pick = |value: u16, default: usize, most: usize| match usize::from(value) {
        0 => default,
        value => value.min(most),
    };
    (pick(columns, default_columns, MAX_COLUMNS), pick(rows, default_rows, MAX_ROWS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_line_is_one_line() {
        let mut screen = Screen::new(10, 4);
        screen.feed(b"$ echo 12345 67890");
        assert_eq!(screen.cursor_line(), ("$ echo 12345 67890".to_owned(), 18));
        screen.feed(b"\r\nnext");
        assert_eq!(screen.cursor_line(), ("next".to_owned(), 4));
    }

    #[test]
    fn a_program_with_the_whole_screen_shows() {
        let mut screen = Screen::new(20, 4);
        screen.feed(b"$ vi\r\n\x1b[?1049h");
        assert!(screen.is_alternate());
        screen.feed(b"\x1b[?1049l");
        assert!(!screen.is_alternate());
        assert_eq!(screen.text()[0], "$ vi");
    }
}
