//! A tree of YAML, and its text in block style.

use std::fmt::Write;

/// Empty mappings and lists are written `{}` and `[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Yaml {
    Text(String),
    Number(u16),
    True,
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Yaml {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A mapping in the order of its fields.
    pub(crate) fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The mapping with one field more.
    pub(crate) fn with(self, key: &str, value: Self) -> Self {
        match self {
            Self::Map(mut fields) => {
                fields.push((key.to_owned(), value));
                Self::Map(fields)
            }
            Self::Text(_) | Self::Number(_) | Self::True | Self::List(_) => {
                Self::map([(key, value)])
            }
        }
    }

    /// The mapping with one field more, if there is a value for it.
    pub(crate) fn with_some(self, key: &str, value: Option<Self>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Whole lines, `indent` spaces from the left.
    pub(crate) fn print(&self, indent: usize) -> String {
        let mut out = " ".repeat(indent);
        self.write(&mut out, indent);
        out
    }

    /// Starts where the line already has its `indent` spaces, and ends with a line feed.
    fn write(&self, out: &mut String, indent: usize) {
        match self {
            Self::List(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    start_line(out, index, indent);
                    out.push_str("- ");
                    item.write(out, indent + 2);
                }
            }
            Self::Map(fields) if !fields.is_empty() => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    start_line(out, index, indent);
                    out.push_str(&scalar(key));
                    out.push(':');
                    value.write_after_key(out, indent);
                }
            }
            Self::List(_) => out.push_str("[]\n"),
            Self::Map(_) => out.push_str("{}\n"),
            Self::True => out.push_str("true\n"),
            Self::Number(number) => {
                out.push_str(&number.to_string());
                out.push('\n');
            }
            Self::Text(text) => {
                out.push_str(&scalar(text));
                out.push('\n');
            }
        }
    }

    fn write_after_key(&self, out: &mut String, indent: usize) {
        let is_block = match self {
            Self::List(items) => !items.is_empty(),
            Self::Map(fields) => !fields.is_empty(),
            Self::Text(_) | Self::Number(_) | Self::True => false,
        };
        if is_block {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            self.write(out, indent + 2);
        } else {
            out.push(' ');
            self.write(out, indent);
        }
    }
}

/// The first item or field continues the line that its parent has begun.
fn start_line(out: &mut String, index: usize, indent: usize) {
    if index > 0 {
        out.push_str(&" ".repeat(indent));
    }
}

/// A plain scalar where every version of YAML reads it as this string, else in double quotes.
fn scalar(text: &str) -> String {
    if is_plain(text) || is_v4_block(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            // All else by its number: which of it may be written as it is differs by version.
            _ => {
                let written = write!(quoted, "\\U{:08X}", u32::from(c));
                debug_assert!(written.is_ok(), "a String takes all text");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Words that some version reads as a boolean or as null, in any case.
const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// Begins with a letter, so that it is no number, and holds no indicator.
fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str())
}

/// `10.0.0.0/8`. The address alone would be a number by the letter of YAML 1.1.
fn is_v4_block(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<std::net::Ipv4Addr>().is_ok() && length.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_any_version_reads_as_something_else() {
        for plain in ["web", "kubernetes.io/name", "a-b_c", "10.0.0.0/8", "None", "yesterday"] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in [
            "",
            "y",
            "No",
            "ON",
            "~",
            "null",
            "NULL",
            "True",
            "1",
            "017",
            "0o17",
            "0x1F",
            "1_000",
            "1e3",
            "1.5",
            ".5",
            ".inf",
            "190:20:30",
            "2001-01-01",
            "10.0.0.1",
            "::/0",
            "fd00::/8",
            "*.example.com",
            "a: b",
            "a #b",
            "- a",
            "{}",
            "[]",
            "&a",
            "!a",
            "a b",
            "=",
            "<<",
        ] {
            assert_eq!(scalar(quoted), format!("\"{quoted}\""));
        }
    }

    #[test]
    fn escapes_what_quotes_cannot_hold() {
        assert_eq!(scalar("a\"b\\c\n\t"), r#""a\"b\\c\n\t""#);
        assert_eq!(scalar("\u{85}é\u{feff}"), r#""\U00000085\U000000E9\U0000FEFF""#);
    }

    #[test]
    fn nests_lists_and_mappings() {
        let inner = Yaml::map([("a", Yaml::Number(1)), ("b", Yaml::List(vec![]))]);
        let tree = Yaml::map([
            ("list", Yaml::List(vec![inner.clone(), Yaml::text("x"), Yaml::List(vec![inner])])),
            ("empty", Yaml::map([])),
        ]);
        assert_eq!(
            tree.print(2),
            "  list:\n    - a: 1\n      b: []\n    - x\n    - - a: 1\n        b: []\n  empty: {}\n"
        );
    }
}
