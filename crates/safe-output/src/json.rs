//! JSON in which every character shows.
//!
//! JSON itself escapes only the controls below U+0020. A report printed on a terminal must also not
//! carry the other controls and the bidirectional ones, so they are written as `\uXXXX`: the value
//! that a reader of the JSON gets is unchanged.

use crate::visible::is_hidden;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// The `apiVersion` of every report.
pub const API_VERSION: &str = "weir.dev/v1alpha1";

/// Writes `value` indented, with a line end after it.
pub fn write_pretty(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Pretty(PrettyFormatter::new()));
    value.serialize(&mut serializer)?;
    out.write_all(b"\n")
}

/// Writes `value` on one line, with a line end after it.
pub fn write_line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    write_part(out, value)?;
    out.write_all(b"\n")
}

/// Writes `value` on one line that goes on: a part of a document that is streamed.
pub fn write_part(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut *out, Compact);
    Ok(value.serialize(&mut serializer)?)
}

struct Compact;

struct Pretty(PrettyFormatter<'static>);

impl Formatter for Compact {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_shown(out, fragment)
    }
}

impl Formatter for Pretty {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_shown(out, fragment)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

fn write_shown<W: ?Sized + Write>(out: &mut W, fragment: &str) -> io::Result<()> {
    if !fragment.contains(is_hidden) {
        return out.write_all(fragment.as_bytes());
    }
    let mut utf8 = [0; 4];
    let mut utf16 = [0; 2];
    for character in fragment.chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut utf16) {
                write!(out, "\\u{unit:04x}")?;
            }
        } else {
            out.write_all(character.encode_utf8(&mut utf8).as_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped_and_come_back() {
        let value = serde_json::json!({"na\u{7f}me": "a\u{1b}\u{202e}\u{e0041}b\"日"});
        for write in [write_line, write_pretty] {
            let mut bytes = Vec::new();
            write(&mut bytes, &value).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.trim_end().replace('\n', "").contains(is_hidden), "{text}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn pretty_is_laid_out_as_serde_json_does() {
        let value = serde_json::json!({"a": [1, {"b": null}], "c": {}, "d": []});
        let mut bytes = Vec::new();
        write_pretty(&mut bytes, &value).unwrap();
        let expected = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
}
