//! Bytes as what they tell a terminal to do.
//!
//! The parser is `avt`'s. Around it are limits that a terminal does not need and a reader of evidence does: text that is
//! inside of a control string does not show, so a string that is never ended would hide all that follows.

use crate::text::TextDecoder;
use avt::Parser;
use avt::parser::{Function, State};

/// Something that was sent to a terminal and is seldom sent in good faith, or that was not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// A control string of 4 KiB or more, which shows nothing: an image, or text that is to be missed.
    LongString,
    /// A control string that was ended here because nothing else ended it. A terminal would go on hiding.
    UnendedString,
    /// The clipboard of the person at the terminal was asked for, or set.
    Clipboard,
    /// The screen was told to do more work than what was sent is worth, and did not do all of it.
    TooMuchWork,
}

impl Oddity {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::LongString => {
                "a long control string, which shows nothing: read the raw text of this moment"
            }
            Self::UnendedString => {
                "a control string that nothing ended: a terminal may have shown less than is shown here"
            }
            Self::Clipboard => "the clipboard of the person at the terminal was asked for or set",
            Self::TooMuchWork => {
                "more work than a screen does: what is shown from here on may differ from what was"
            }
        }
    }
}

/// From so many characters on, a control string is odd.
const LONG_STRING: usize = 4 << 10;
/// A control string ends here at the latest.
const LONGEST_STRING: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Interpreter {
    decoder: TextDecoder,
    parser: Parser,
    /// Of the control string that the parser is in.
    string_length: usize,
    string_begins: [char; 3],
    odd: Vec<Oddity>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A title, a link, a message to an application: never more than a line.
    Line,
    /// A device's own language, for instance an image.
    Device,
}

impl Interpreter {
    pub(crate) fn feed(&mut self, bytes: &[u8], follow: &mut dyn FnMut(Function)) {
        let text = self.decoder.feed(bytes);
        for letter in text.chars() {
            self.look(letter);
            if let Some(function) = self.parser.feed(letter) {
                follow(function);
            }
        }
    }

    pub(crate) fn take_odd(&mut self) -> Vec<Oddity> {
        std::mem::take(&mut self.odd)
    }

    /// Whether what follows needs nothing of what was before.
    pub(crate) fn is_between_functions(&self) -> bool {
        self.parser.state == State::Ground && self.decoder.is_between_characters()
    }

    fn look(&mut self, letter: char) {
        let inside = inside(self.parser.state);
        if inside == Inside::Nothing {
            self.string_length = 0;
            return;
        }
        if let Some(place) = self.string_begins.get_mut(self.string_length) {
            *place = letter;
        }
        self.string_length += 1;
        let is_osc = self.parser.state == State::OscString;
        if self.string_length == 3 && is_osc && self.string_begins == ['5', '2', ';'] {
            self.odd.push(Oddity::Clipboard);
        }
        if self.string_length == LONG_STRING {
            self.odd.push(Oddity::LongString);
        }
        let is_over = inside == Inside::Line && letter == '\n';
        if is_over || self.string_length >= LONGEST_STRING {
            self.odd.push(Oddity::UnendedString);
            self.parser = Parser::new();
            self.string_length = 0;
        }
    }
}

const fn inside(state: State) -> Inside {
    match state {
        State::OscString | State::SosPmApcString => Inside::Line,
        State::DcsEntry
        | State::DcsParam
        | State::DcsIntermediate
        | State::DcsPassthrough
        | State::DcsIgnore => Inside::Device,
        State::Ground
        | State::Escape
        | State::EscapeIntermediate
        | State::CsiEntry
        | State::CsiParam
        | State::CsiIntermediate
        | State::CsiIgnore => Inside::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> (String, Vec<Oddity>) {
        let mut interpreter = Interpreter::default();
        let mut shown = String::new();
        interpreter.feed(bytes, &mut |function| {
            if let Function::Print(letter) = function {
                shown.push(letter);
            }
        });
        (shown, interpreter.take_odd())
    }

    #[test]
    fn a_string_that_is_ended_shows_nothing() {
        let all =
            "\u{1b}]0;title\u{7}a\u{1b}]52;c;eA==\u{1b}\\b\u{1b}P+q\u{1b}\\c\u{1b}_x\u{1b}\\d";
        assert_eq!(told(all.as_bytes()), ("abcd".to_owned(), vec![Oddity::Clipboard]));
    }

    #[test]
    fn a_string_that_nobody_ends_ends_with_its_line() {
        let expected = ("# id".to_owned(), vec![Oddity::UnendedString]);
        assert_eq!(told(b"\x1b]112\r\n# id"), expected);
    }

    #[test]
    fn a_string_without_lines_ends_when_it_is_too_long() {
        let long = format!("\u{1b}P{}shown", "x".repeat(LONGEST_STRING - 1));
        let expected = ("shown".to_owned(), vec![Oddity::LongString, Oddity::UnendedString]);
        assert_eq!(told(long.as_bytes()), expected);
    }
}
