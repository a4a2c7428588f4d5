//! A screen, shown again in a reader's terminal.
//!
//! What is written is made from cells: a position, colours and marks that every terminal knows, and characters, of
//! which those that would do more than stand there are replaced. Nothing that a recording sent is passed on.

use crate::screen::Screen;
use crate::text::is_hidden;
use avt::{Cell, Color, Line, Pen};

/// Remembers what the reader's terminal shows, and writes only what is different.
#[derive(Debug, Default)]
pub struct Painter {
    rows: Vec<String>,
    size: (usize, usize),
}

impl Painter {
    /// What to write so that a terminal of this size shows the screen, as much of it as fits.
    pub fn paint(&mut self, screen: &Screen, columns: usize, rows: usize) -> String {
        let mut out = String::new();
        if self.size != (columns, rows) {
            self.size = (columns, rows);
            self.rows.clear();
            out.push_str("\x1b[0m\x1b[2J");
        }
        let shown: Vec<String> = screen.lines().take(rows).map(|line| row(line, columns)).collect();
        for number in 0..rows {
            let text = shown.get(number).map_or("", String::as_str);
            if self.rows.get(number).map(String::as_str) != Some(text) {
                write_to(&mut out, format_args!("\x1b[{};1H{text}\x1b[0m\x1b[K", number + 1));
            }
        }
        self.rows = shown;
        self.rows.resize(rows, String::new());
        match screen.cursor() {
            Some((column, row)) if column < columns && row < rows => {
                write_to(&mut out, format_args!("\x1b[{};{}H\x1b[?25h", row + 1, column + 1));
            }
            Some(_) | None => out.push_str("\x1b[?25l"),
        }
        out
    }
}

fn write_to(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.push_str(&std::fmt::format(arguments));
}

fn row(line: &Line, columns: usize) -> String {
    let mut out = String::new();
    let mut pen = Pen::default();
    let cells: Vec<&Cell> = line.cells().iter().take(columns).collect();
    let used = cells
        .iter()
        .rposition(|cell| cell.char() != ' ' || !cell.pen().is_default())
        .map_or(0, |last| last + 1);
    for cell in cells.iter().take(used) {
        if cell.width() == 0 {
            continue;
        }
        if *cell.pen() != pen {
            pen = *cell.pen();
            out.push_str(&colours(&pen));
        }
        out.push(if is_hidden(cell.char()) { '\u{fffd}' } else { cell.char() });
    }
    out
}

fn colours(pen: &Pen) -> String {
    let mut codes = vec!["0".to_owned()];
    let marks = [
        (pen.is_bold(), "1"),
        (pen.is_faint(), "2"),
        (pen.is_italic(), "3"),
        (pen.is_underline(), "4"),
        (pen.is_inverse(), "7"),
        (pen.is_strikethrough(), "9"),
    ];
    codes.extend(marks.iter().filter(|(is_on, _)| *is_on).map(|(_, code)| (*code).to_owned()));
    for (colour, ground) in [(pen.foreground(), 38), (pen.background(), 48)] {
        match colour {
            Some(Color::Indexed(number)) => codes.push(format!("{ground};5;{number}")),
            Some(Color::RGB(rgb)) => {
                codes.push(format!("{ground};2;{};{};{}", rgb.r, rgb.g, rgb.b))
            }
            None => {}
        }
    }
    format!("\x1b[{}m", codes.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_positions_colours_and_text_is_written() {
        let mut screen = Screen::new(40, 3);
        screen.feed(b"\x1b]52;c;ZWNobyBoaQ==\x07\x1b]0;title\x07\x1b]8;;http://x\x07link\x1b]8;;\x07\x1bP+q\x1b\\\x1b[6n\x1b[8;9;9t\x1b[31mred");
        screen.feed("\u{202e}txt.exe".as_bytes());
        let out = Painter::default().paint(&screen, 40, 3);
        let mut rest = out.as_str();
        while let Some((_, after)) = rest.split_once('\x1b') {
            rest = after;
            let kind = rest.chars().find(char::is_ascii_alphabetic).unwrap();
            assert!(rest.starts_with('[') && "mHJKhl".contains(kind), "{rest:?}");
        }
        assert!(out.contains("link") && out.contains("\x1b[0;38;5;1mred"), "{out:?}");
        assert!(
            !out.contains('\u{202e}') && !out.contains("title") && !out.contains("ZWNo"),
            "{out:?}"
        );
    }

    #[test]
    fn an_unchanged_row_is_not_written_again() {
        let mut screen = Screen::new(20, 3);
        let mut painter = Painter::default();
        screen.feed(b"one\r\ntwo");
        assert!(painter.paint(&screen, 20, 3).contains("one"));
        screen.feed(b"!");
        let out = painter.paint(&screen, 20, 3);
        assert!(!out.contains("one") && out.contains("two!"), "{out:?}");
    }
}
