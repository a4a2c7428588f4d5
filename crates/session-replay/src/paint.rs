//! A screen, shown again in a reader's terminal.
//!
//! What is written is made from cells: a position, colours and marks that every terminal knows, and characters, of
//! which those that would do more than stand there are replaced. Nothing that a recording sent is passed on. After
//! each character whose width a terminal might see otherwise, the position is written again, so that a row cannot slip.

use crate::screen::Screen;
use crate::sequences::colour;
use crate::text::in_cell;
use avt::{Line, Pen};

/// Remembers what the reader's terminal shows, and writes only what is different.
#[derive(Debug, Default)]
pub struct Painter {
    rows: Vec<String>,
    size: (usize, usize),
}

impl Painter {
    /// What to write so that a terminal of this size shows the screen, as much of it as fits. Of a higher screen the
    /// part with the cursor is shown.
    pub fn paint(&mut self, screen: &Screen, columns: usize, rows: usize) -> String {
        let mut out = String::new();
        if self.size != (columns, rows) {
            self.size = (columns, rows);
            self.rows.clear();
            out.push_str("\x1b[0m\x1b[2J");
        }
        let above = rows_above(screen, rows);
        let shown = screen.lines().skip(above).take(rows).enumerate();
        let mut shown: Vec<String> =
            shown.map(|(number, line)| row(line, number, columns)).collect();
        shown.resize(rows, String::new());
        for (number, text) in shown.iter().enumerate() {
            if self.rows.get(number) != Some(text) {
                write_to(
                    &mut out,
                    format_args!("\x1b[{};1H\x1b[0m\x1b[2K{text}\x1b[0m", number + 1),
                );
            }
        }
        self.rows = shown;
        out.push_str(&cursor(screen, above, (columns, rows)));
        out
    }
}

/// Where the cursor is, written so that a terminal has it there.
fn cursor(screen: &Screen, above: usize, (columns, rows): (usize, usize)) -> String {
    match screen.cursor() {
        Some((column, row)) if column < columns && row >= above && row - above < rows => {
            format!("\x1b[{};{}H\x1b[?25h", row - above + 1, column + 1)
        }
        Some(_) | None => "\x1b[?25l".to_owned(),
    }
}

fn rows_above(screen: &Screen, rows: usize) -> usize {
    let row = screen.cursor().map_or(0, |(_, row)| row);
    (row + 1).saturating_sub(rows).min(screen.size().1.saturating_sub(rows))
}

fn write_to(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.push_str(&std::fmt::format(arguments));
}

fn row(line: &Line, number: usize, columns: usize) -> String {
    let mut out = String::new();
    let mut pen = Pen::default();
    let mut is_sure_of_column = true;
    let cells = line.cells();
    let used = cells.iter().rposition(|cell| cell.char() != ' ' || !cell.pen().is_default());
    let used = used.map_or(0, |last| last + 1).min(columns);
    for (column, cell) in cells.iter().enumerate().take(used) {
        // Half of a wide character does not fit at the right.
        if cell.width() == 0 || column + usize::from(cell.width()) > columns {
            continue;
        }
        if !is_sure_of_column {
            write_to(&mut out, format_args!("\x1b[{};{}H", number + 1, column + 1));
        }
        if *cell.pen() != pen {
            pen = *cell.pen();
            out.push_str(&colours(&pen));
        }
        out.push(in_cell(cell.char()));
        is_sure_of_column = cell.char().is_ascii();
    }
    out
}

fn colours(pen: &Pen) -> String {
    let marks = [
        (pen.is_bold(), "1"),
        (pen.is_faint(), "2"),
        (pen.is_italic(), "3"),
        (pen.is_underline(), "4"),
        (pen.is_inverse(), "7"),
        (pen.is_strikethrough(), "9"),
    ];
    let mut codes = vec!["0".to_owned()];
    codes.extend(marks.iter().filter(|(is_on, _)| *is_on).map(|(_, code)| (*code).to_owned()));
    codes.extend(pen.foreground().map(|color| colour(38, color)));
    codes.extend(pen.background().map(|color| colour(48, color)));
    format!("\x1b[{}m", codes.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::LineEnds;
    use crate::text::is_hidden;
    use avt::Cell;
    use proptest::prelude::*;

    fn screen(columns: u16, rows: u16) -> Screen {
        Screen::new(columns, rows, LineEnds::Sent)
    }

    /// What is painted is escape sequences of five kinds and text that only stands there.
    fn assert_harmless(painted: &str) {
        let mut rest = painted;
        while let Some((text, after)) = rest.split_once('\x1b') {
            assert!(!text.contains(is_hidden), "{text:?}");
            let end = after.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
            let (sequence, after) = after.split_at(end + 1);
            let is_known = matches!(sequence, "[?25h" | "[?25l" | "[2J" | "[2K")
                || sequence.starts_with('[')
                    && sequence.ends_with(['m', 'H'])
                    && sequence
                        .chars()
                        .skip(1)
                        .take(end - 1)
                        .all(|letter| letter.is_ascii_digit() || letter == ';');
            assert!(is_known, "{sequence:?}");
            rest = after;
        }
        assert!(!rest.contains(is_hidden), "{rest:?}");
    }

    #[test]
    fn nothing_but_positions_colours_and_text_is_written() {
        let mut screen = screen(40, 3);
        screen.feed(b"\x1b]52;c;ZWNobyBoaQ==\x07\x1b]0;title\x07\x1b]8;;http://x\x07link\x1b]8;;\x07\x1bP+q\x1b\\\x1b[6n\x1b[8;9;9t\x1b[31mred");
        screen.feed("\u{202e}txt.exe e\u{301}".as_bytes());
        let out = Painter::default().paint(&screen, 40, 3);
        assert_harmless(&out);
        assert!(out.contains("link\x1b[0;38;5;1mred\u{fffd}"), "{out:?}");
    }

    #[test]
    fn an_unchanged_row_is_not_written_again() {
        let mut screen = screen(20, 3);
        let mut painter = Painter::default();
        screen.feed(b"one\r\ntwo");
        assert!(painter.paint(&screen, 20, 3).contains("one"));
        screen.feed(b"!");
        let out = painter.paint(&screen, 20, 3);
        assert!(!out.contains("one") && out.contains("two!"), "{out:?}");
    }

    #[test]
    fn of_a_higher_screen_the_part_with_the_cursor_is_shown() {
        let mut screen = screen(20, 10);
        screen.feed(b"top\x1b[9;1Hprompt");
        let out = Painter::default().paint(&screen, 20, 3);
        assert!(!out.contains("top") && out.contains("\x1b[3;1H\x1b[0m\x1b[2Kprompt"), "{out:?}");
    }

    proptest! {
        /// Painting over what was painted before shows what the screen shows.
        #[test]
        fn what_is_painted_is_what_is_shown(parts in prop::collection::vec(prop_oneof![
            "[a-z ü日🙂\u{301}\u{202e}]{1,9}", "\u{1b}\\[[0-9;?]{0,6}[@A-Za-z`]", "[\r\n\t\u{8}]", ".{0,6}",
        ], 0..30)) {
            let mut source = screen(20, 5);
            let mut reader = screen(20, 5);
            let mut painter = Painter::default();
            for part in &parts {
                source.feed(part.as_bytes());
                let painted = painter.paint(&source, 20, 5);
                assert_harmless(&painted);
                reader.feed(painted.as_bytes());
            }
            // A wide character that is hidden leaves a blank.
            let cell = |cell: &Cell| match (cell.width(), is_hidden(cell.char())) {
                (0, _) => String::new(),
                (2, true) => "\u{fffd} ".to_owned(),
                _ => in_cell(cell.char()).to_string(),
            };
            let text = |screen: &Screen| -> Vec<String> {
                screen.lines().map(|line| line.cells().iter().map(cell).collect()).collect()
            };
            if !parts.is_empty() {
                prop_assert_eq!(text(&source), text(&reader));
            }
        }
    }
}
