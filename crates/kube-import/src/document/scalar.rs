//! What a plain scalar is: by the core schema of YAML 1.2, and where YAML 1.1 differs.
//!
//! Sources: YAML 1.2.2 §10.3.2, and the type repository of YAML 1.1. Timestamps are left out of the
//! comparison: the YAML 1.1 readers of Kubernetes tools keep them as strings.

use super::node::{Style, Value};
use std::borrow::Cow;

/// Reads a plain scalar by the core schema.
pub(crate) fn resolve(text: Cow<'_, str>) -> Value<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        written if is_integer(written) || is_float(written) => Value::Number(text),
        _ => Value::Text { text, style: Style::Plain },
    }
}

fn is_integer(text: &str) -> bool {
    let digits = |rest: &str, radix| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    digits(unsigned(text), 10)
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let text = unsigned(text);
    if matches!(text, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(unsigned(exponent))),
        None => (text, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_is_right = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            all_digits(whole) && all_digits(fraction) && whole.len() + fraction.len() > 0
        }
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa_is_right && exponent.is_none_or(|digits| !digits.is_empty() && all_digits(digits))
}

/// The value of an integer of the core schema; `None` if it is none or does not fit.
pub(crate) fn integer(text: &str) -> Option<i64> {
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok();
    }
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        return i64::from_str_radix(hexadecimal, 16).ok();
    }
    text.parse().ok()
}

/// What YAML 1.1 makes of a plain text that 1.2 reads as a string.
pub(crate) fn other_meaning_of_text(text: &str) -> Option<&'static str> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some("the boolean true"),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some("the boolean false"),
        _ if is_base_60(text) => Some("a number in base 60"),
        _ if is_number_with_underscores(text) => Some("a number"),
        _ => None,
    }
}

/// What YAML 1.1 makes of a number of 1.2, where it is something else.
pub(crate) fn other_meaning_of_number(text: &str) -> Option<&'static str> {
    let digits = unsigned(text);
    if digits.starts_with("0o") {
        return Some("a string");
    }
    let is_octal = digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    is_octal.then_some("an octal number")
}

fn is_base_60(text: &str) -> bool {
    let mut parts = unsigned(text).split(':');
    let first = parts.next().unwrap_or_default();
    let starts = first.starts_with(|c: char| matches!(c, '1'..='9'))
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut n_parts = 0;
    let rest = parts.all(|part| {
        n_parts += 1;
        part.len() <= 2 && part.parse::<u8>().is_ok_and(|number| number < 60)
    });
    starts && rest && n_parts > 0
}

fn is_number_with_underscores(text: &str) -> bool {
    let text = unsigned(text);
    if let Some(binary) = text.strip_prefix("0b") {
        return !binary.is_empty() && binary.bytes().all(|byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains('_')
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> &'static str {
        resolve(text.into()).kind()
    }

    #[test]
    fn the_core_schema_of_yaml_1_2() {
        for text in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(kind(text), "null", "{text}");
        }
        for text in ["true", "True", "TRUE", "false", "False", "FALSE"] {
            assert_eq!(kind(text), "a boolean", "{text}");
        }
        for text in ["0", "017", "-19", "+1", "0o17", "0xfF", "0.", ".5", "1e3", "12e-4", "-.inf"] {
            assert_eq!(kind(text), "a number", "{text}");
        }
        for text in ["y", "no", "tRUE", "0o8", "0x", "1_000", ".", "e3", "1e", "--1", "1:30"] {
            assert_eq!(kind(text), "a string", "{text}");
        }
        assert_eq!(
            [integer("0o17"), integer("0x1F"), integer("017"), integer("1.0")],
            [Some(15), Some(31), Some(17), None]
        );
    }

    #[test]
    fn where_yaml_1_1_differs() {
        for text in ["y", "No", "ON", "off", "190:20:30", "1_000", "0b101"] {
            assert!(other_meaning_of_text(text).is_some(), "{text}");
        }
        for text in ["yess", "fd00::1", "12:99", "10.0.0.1", "a_1", "true", ":30", "1:2:"] {
            assert_eq!(other_meaning_of_text(text), None, "{text}");
        }
        assert_eq!(other_meaning_of_number("017"), Some("an octal number"));
        assert_eq!(other_meaning_of_number("0o17"), Some("a string"));
        for text in ["0", "18", "08", "0.5"] {
            assert_eq!(other_meaning_of_number(text), None, "{text}");
        }
    }
}
