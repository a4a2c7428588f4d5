//! What a terminal is told, written again, so that it can be passed on.
//!
//! Only what the screen of this crate does is written: no titles, links, clipboards, images, window sizes, questions
//! that a terminal would answer, and no mode but those that change what is shown.

use crate::interpreter::Interpreter;
use crate::text::{in_cell, is_hidden};
use avt::parser::{AnsiMode, CtcOp, DecMode, EdScope, ElScope, Function, SgrOp, TbcScope};
use avt::{Charset, Color};
use unicode_width::UnicodeWidthChar as _;

/// Passes on what a terminal was told to show, and nothing else.
#[derive(Debug, Default)]
pub struct SafeStream {
    interpreter: Interpreter,
}

impl SafeStream {
    /// What to send to a terminal so that it shows what these bytes show.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut out = String::new();
        self.interpreter.feed(bytes, &mut |function| write(&mut out, &function));
        out
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others have one number")]
fn write(out: &mut String, function: &Function) {
    match function {
        Function::Print(letter) => {
            // In as many columns, so that what follows stands where it stood.
            let columns = letter.width().filter(|_| is_hidden(*letter)).unwrap_or(1).max(1);
            out.extend(std::iter::repeat_n(in_cell(*letter), columns));
        }
        Function::Bs => out.push('\u{8}'),
        Function::Ht => out.push('\t'),
        Function::Lf => out.push('\n'),
        Function::Cr => out.push('\r'),
        Function::So => out.push('\u{e}'),
        Function::Si => out.push('\u{f}'),
        Function::Nel => out.push_str("\x1bE"),
        Function::Hts => out.push_str("\x1bH"),
        Function::Ri => out.push_str("\x1bM"),
        Function::Decsc => out.push_str("\x1b7"),
        Function::Decrc => out.push_str("\x1b8"),
        Function::Ris => out.push_str("\x1bc"),
        Function::Decaln => out.push_str("\x1b#8"),
        Function::Decstr => out.push_str("\x1b[!p"),
        Function::Scosc => out.push_str("\x1b[s"),
        Function::Scorc => out.push_str("\x1b[u"),
        Function::Gzd4(charset) => out.push_str(set(*charset, ["\x1b(B", "\x1b(0"])),
        Function::G1d4(charset) => out.push_str(set(*charset, ["\x1b)B", "\x1b)0"])),
        Function::Sgr(ops) => colours(out, ops.as_slice()),
        Function::Sm(modes) => ansi_modes(out, modes.as_slice(), 'h'),
        Function::Rm(modes) => ansi_modes(out, modes.as_slice(), 'l'),
        Function::Decset(modes) => dec_modes(out, modes.as_slice(), 'h'),
        Function::Decrst(modes) => dec_modes(out, modes.as_slice(), 'l'),
        Function::Osc(_) | Function::Xtwinops(_) => {}
        Function::Cup(row, column) => csi(out, &[*row, *column], 'H'),
        Function::Decstbm(top, bottom) => csi(out, &[*top, *bottom], 'r'),
        other => {
            if let Some((number, last)) = with_number(other) {
                csi(out, &[number], last);
            }
        }
    }
}

/// Control sequences that have one number.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are written elsewhere")]
const fn with_number(function: &Function) -> Option<(u16, char)> {
    Some(match function {
        Function::Ich(n) => (*n, '@'),
        Function::Cuu(n) => (*n, 'A'),
        Function::Cud(n) => (*n, 'B'),
        Function::Cuf(n) => (*n, 'C'),
        Function::Cub(n) => (*n, 'D'),
        Function::Cnl(n) => (*n, 'E'),
        Function::Cpl(n) => (*n, 'F'),
        Function::Cha(n) => (*n, 'G'),
        Function::Cht(n) => (*n, 'I'),
        Function::Ed(EdScope::Below) => (0, 'J'),
        Function::Ed(EdScope::Above) => (1, 'J'),
        Function::Ed(EdScope::All) => (2, 'J'),
        Function::Ed(EdScope::SavedLines) => (3, 'J'),
        Function::El(ElScope::ToRight) => (0, 'K'),
        Function::El(ElScope::ToLeft) => (1, 'K'),
        Function::El(ElScope::All) => (2, 'K'),
        Function::Il(n) => (*n, 'L'),
        Function::Dl(n) => (*n, 'M'),
        Function::Dch(n) => (*n, 'P'),
        Function::Su(n) => (*n, 'S'),
        Function::Sd(n) => (*n, 'T'),
        Function::Ctc(CtcOp::Set) => (0, 'W'),
        Function::Ctc(CtcOp::ClearCurrentColumn) => (2, 'W'),
        Function::Ctc(CtcOp::ClearAll) => (5, 'W'),
        Function::Ech(n) => (*n, 'X'),
        Function::Cbt(n) => (*n, 'Z'),
        Function::Rep(n) => (*n, 'b'),
        Function::Vpa(n) => (*n, 'd'),
        Function::Vpr(n) => (*n, 'e'),
        Function::Tbc(TbcScope::CurrentColumn) => (0, 'g'),
        Function::Tbc(TbcScope::All) => (3, 'g'),
        _ => return None,
    })
}

fn csi(out: &mut String, numbers: &[u16], last: char) {
    let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
    out.push_str("\x1b[");
    out.push_str(&numbers.join(";"));
    out.push(last);
}

const fn set(charset: Charset, [ascii, drawing]: [&'static str; 2]) -> &'static str {
    match charset {
        Charset::Ascii => ascii,
        Charset::Drawing => drawing,
    }
}

fn ansi_modes(out: &mut String, modes: &[AnsiMode], last: char) {
    let numbers: Vec<u16> = modes.iter().map(|mode| *mode as u16).collect();
    if !numbers.is_empty() {
        csi(out, &numbers, last);
    }
}

fn dec_modes(out: &mut String, modes: &[DecMode], last: char) {
    if modes.is_empty() {
        return;
    }
    let numbers: Vec<String> = modes.iter().map(|mode| (*mode as u16).to_string()).collect();
    out.push_str("\x1b[?");
    out.push_str(&numbers.join(";"));
    out.push(last);
}

fn colours(out: &mut String, ops: &[SgrOp]) {
    if ops.is_empty() {
        return;
    }
    let codes: Vec<String> = ops.iter().map(|op| code(*op)).collect();
    out.push_str("\x1b[");
    out.push_str(&codes.join(";"));
    out.push('m');
}

fn code(op: SgrOp) -> String {
    let number = match op {
        SgrOp::Reset => 0,
        SgrOp::SetBoldIntensity => 1,
        SgrOp::SetFaintIntensity => 2,
        SgrOp::SetItalic => 3,
        SgrOp::SetUnderline => 4,
        SgrOp::SetBlink => 5,
        SgrOp::SetInverse => 7,
        SgrOp::SetStrikethrough => 9,
        SgrOp::ResetIntensity => 22,
        SgrOp::ResetItalic => 23,
        SgrOp::ResetUnderline => 24,
        SgrOp::ResetBlink => 25,
        SgrOp::ResetInverse => 27,
        SgrOp::ResetStrikethrough => 29,
        SgrOp::ResetForegroundColor => 39,
        SgrOp::ResetBackgroundColor => 49,
        SgrOp::SetForegroundColor(color) => return colour(38, color),
        SgrOp::SetBackgroundColor(color) => return colour(48, color),
    };
    number.to_string()
}

pub(crate) fn colour(ground: u8, color: Color) -> String {
    match color {
        Color::Indexed(number) => format!("{ground};5;{number}"),
        Color::RGB(rgb) => format!("{ground};2;{};{};{}", rgb.r, rgb.g, rgb.b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::{LineEnds, Screen};
    use proptest::prelude::*;

    #[test]
    fn what_shows_nothing_is_not_passed_on() {
        let sent = "\u{1b}]52;c;eA==\u{7}\u{1b}]0;t\u{7}\u{1b}]8;;http://x\u{7}l\u{1b}]8;;\u{7}\u{1b}Pq#0\u{1b}\\\u{1b}[6n\u{1b}[c\
                    \u{1b}[8;9;9t\u{1b}[21t\u{1b}[?1000;1049;2004h\u{1b}[8mx\u{1b}[1;31mred\u{202e}\u{9b}5n\u{1b}_a\u{1b}\\";
        let expected = "l\u{1b}[?1049hx\u{1b}[1;38;5;1mred\u{fffd}";
        assert_eq!(SafeStream::default().feed(sent.as_bytes()), expected);
    }

    proptest! {
        /// Random sequences, with many that mean something.
        #[test]
        fn what_is_passed_on_shows_the_same(parts in prop::collection::vec(prop_oneof![
            "[a-z ü日]{1,9}", "\u{1b}\\[[0-9;?]{0,6}[@A-Za-z`]", "\u{1b}[#()]?[0-9A-Zc]", "[\r\n\t\u{8}\u{e}\u{f}]", "\u{1b}\\][0-9]{1,3};[a-z]{0,4}\u{7}",
        ], 0..40)) {
            let sent = parts.concat();
            let [mut one, mut other] = [(); 2].map(|()| Screen::new(20, 6, LineEnds::Sent));
            one.feed(sent.as_bytes());
            let passed = SafeStream::default().feed(sent.as_bytes());
            other.feed(passed.as_bytes());
            let cells = |screen: &Screen| screen.lines().map(|line| line.cells().to_vec()).collect::<Vec<_>>();
            prop_assert_eq!(cells(&one), cells(&other), "{:?} {:?}", sent, passed);
            prop_assert_eq!(one.cursor(), other.cursor());
        }
    }
}
