//! What is said about and to a person's terminal: its size, and lines of the gateway's own.

use crate::violation::Violation;
use serde_json::Value;
use session_record::Event;
use std::fmt::Write as _;

/// Two numbers and two names.
pub(crate) const MAX_RESIZE_BYTES: usize = 256;

/// `{"Width":…,"Height":…}`, with names in any case, as Go reads them. Runtimes do nothing with a size of which a side
/// is 0, so that is none.
pub(crate) fn parse_resize(json: &[u8]) -> Result<Option<Event>, Violation> {
    if json.len() > MAX_RESIZE_BYTES {
        return Err(too_long(json.len()));
    }
    let value: Value = serde_json::from_slice(json).or(Err(Violation::Resize))?;
    let object = value.as_object().ok_or(Violation::Resize)?;
    let side = |wanted: &str| {
        let found = object.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        match found {
            None => Some(0),
            Some((_, value)) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
        }
    };
    match (side("width"), side("height")) {
        (Some(0), Some(_)) | (Some(_), Some(0)) => Ok(None),
        (Some(columns), Some(rows)) => Ok(Some(Event::Resize { columns, rows })),
        (None, _) | (_, None) => Err(Violation::Resize),
    }
}

pub(crate) fn write_resize(columns: u16, rows: u16) -> String {
    format!("{{\"Width\":{columns},\"Height\":{rows}}}\n")
}

pub(crate) const fn too_long(bytes: usize) -> Violation {
    Violation::TooLong { what: "a terminal's size", bytes, limit: MAX_RESIZE_BYTES }
}

/// A line of the gateway's own, apart from what the command writes. A terminal may be in raw mode.
pub(crate) fn notice_line(text: &str) -> String {
    format!("\r\nweir: {}\r\n", shown(text))
}

/// Text of which every character shows: an operator's reason, or an error that quotes a peer, could otherwise draw on
/// the person's terminal or answer for it.
pub(crate) fn shown(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_hidden(character) {
            // Into a String nothing fails.
            let _written = write!(line, "{}", character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    line
}

/// Separators of lines, marks of direction and characters without width.
const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_go_reads_them() {
        let of = |json: &str| parse_resize(json.as_bytes());
        let size = |columns, rows| Ok(Some(Event::Resize { columns, rows }));
        assert_eq!(of("{\"Width\":101,\"Height\":33}\n"), size(101, 33));
        assert_eq!(of(r#"{"height":1,"WIDTH":65535,"pixels":7}"#), size(65535, 1));
        assert_eq!(of(&write_resize(80, 24)), size(80, 24));
        assert_eq!([of("{}"), of(r#"{"Width":0,"Height":3}"#)], [Ok(None), Ok(None)]);
        for wrong in ["", "[]", "7", r#"{"Width":65536,"Height":3}"#, r#"{"Width":-1,"Height":3}"#]
        {
            assert_eq!(of(wrong), Err(Violation::Resize), "{wrong}");
        }
        assert_eq!(of(&" ".repeat(257)), Err(too_long(257)));
    }

    #[test]
    fn a_notice_is_one_line_that_shows() {
        let line = notice_line("ada ended it: \u{1b}]0;x\u{7}\r\n\u{202e}fine ü");
        let expected = "\r\nweir: ada ended it: \\u{1b}]0;x\\u{7}\\u{d}\\u{a}\\u{202e}fine ü\r\n";
        assert_eq!(line, expected);
    }
}
