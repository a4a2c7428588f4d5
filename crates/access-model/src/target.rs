//! Path and query of a request line: taken apart without a second reading, and written again.
//!
//! Every server has its own idea of `//`, `..`, `%2F` and `;`. What two of them could read differently is refused
//! here, so that the API server, which reads after us, reads the same.

use crate::Refusal;

/// What HTTP libraries take at most; the command line of an exec is in here.
pub(crate) const LONGEST_TARGET: usize = 65_534;

const fn bad_path(what: &'static str) -> Refusal {
    Refusal::Path { what }
}

const fn bad_query(what: &'static str) -> Refusal {
    Refusal::Query { what }
}

/// A path, decoded. `/` has no segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// None is empty, `.` or `..`, and none holds a slash, a backslash, a percent sign or a control character.
    pub(crate) segments: Vec<String>,
    /// Never set where there are no segments.
    pub(crate) trailing_slash: bool,
}

/// A parameter, decoded. `name` alone differs from `name=` for programs behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

/// Path and query of a target.
pub(crate) fn parse(target: &str) -> Result<(Path, Vec<Parameter>), Refusal> {
    if target.len() > LONGEST_TARGET {
        return Err(Refusal::TooLong { limit: LONGEST_TARGET });
    }
    if !target.starts_with('/') {
        let what = match target {
            "" => "nothing",
            "*" => "an asterisk",
            _ if target.contains("://") => "an absolute URI",
            _ => "something",
        };
        return Err(Refusal::NotAPath { what });
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok((parse_path(path)?, parse_query(query)?))
}

fn parse_path(path: &str) -> Result<Path, Refusal> {
    let mut segments = Vec::new();
    let mut raw = path.split('/').skip(1).peekable();
    let mut trailing_slash = false;
    while let Some(segment) = raw.next() {
        match segment {
            "" if raw.peek().is_none() => trailing_slash = !segments.is_empty(),
            "" => return Err(bad_path("an empty step (two slashes)")),
            "." | ".." => return Err(bad_path("a step of dots")),
            _ => segments.push(decode_segment(segment)?),
        }
    }
    Ok(Path { segments, trailing_slash })
}

fn decode_segment(segment: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => decoded.push(decode_escape(bytes.next(), bytes.next())?),
            _ if is_unreserved(byte) || is_segment_punctuation(byte) => decoded.push(byte),
            _ => return Err(bad_path("a byte that has to be percent-encoded")),
        }
    }
    String::from_utf8(decoded).map_err(|_invalid| bad_path("text that is not UTF-8"))
}

/// A byte of a path that was written as `%XX`. What needs no encoding, and what would be read a second time, is
/// refused.
fn decode_escape(high: Option<u8>, low: Option<u8>) -> Result<u8, Refusal> {
    let byte = match (high.and_then(hex_digit), low.and_then(hex_digit)) {
        (Some(high), Some(low)) => high << 4 | low,
        _ => return Err(bad_path("a percent sign without two hexadecimal digits")),
    };
    if [high, low].iter().flatten().any(u8::is_ascii_lowercase) {
        return Err(bad_path("percent-encoding in lower case"));
    }
    match byte {
        b'/' => Err(bad_path("an encoded slash")),
        b'\\' => Err(bad_path("an encoded backslash")),
        b'%' => Err(bad_path("an encoded percent sign")),
        b'.' => Err(bad_path("an encoded dot")),
        0..0x20 | 0x7f => Err(bad_path("a control character")),
        _ if is_unreserved(byte) => Err(bad_path("percent-encoding of what needs none")),
        _ => Ok(byte),
    }
}

fn parse_query(query: &str) -> Result<Vec<Parameter>, Refusal> {
    let written = query.split('&').filter(|parameter| !parameter.is_empty());
    written
        .map(|parameter| {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            };
            Ok(Parameter { name: decode_word(name)?, value: value.map(decode_word).transpose()? })
        })
        .collect()
}

/// Name or value of a parameter, in the encoding of forms.
fn decode_word(word: &str) -> Result<String, Refusal> {
    let mut decoded = Vec::with_capacity(word.len());
    let mut bytes = word.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => match (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(bad_query("a percent sign without two hexadecimal digits")),
            },
            b';' => {
                return Err(bad_query(
                    "a semicolon, which some servers take for the end of a parameter",
                ));
            }
            b'#' => return Err(bad_query("a fragment")),
            0x21..=0x7e => byte,
            _ => return Err(bad_query("a byte that has to be percent-encoded")),
        };
        if byte == 0 {
            return Err(bad_query("a zero byte"));
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_invalid| bad_query("text that is not UTF-8"))
}

/// The path as it is sent on.
pub(crate) fn write_path(path: &Path) -> String {
    let mut written = String::new();
    for segment in &path.segments {
        written.push('/');
        let plain = |byte| is_unreserved(byte) || (is_segment_punctuation(byte) && byte != b';');
        encode(segment, plain, &mut written);
    }
    if path.trailing_slash || written.is_empty() {
        written.push('/');
    }
    written
}

/// The query as it is sent on.
pub(crate) fn write_query(parameters: &[Parameter]) -> String {
    let mut written = String::new();
    for Parameter { name, value } in parameters {
        if !written.is_empty() {
            written.push('&');
        }
        encode(name, is_unreserved, &mut written);
        if let Some(value) = value {
            written.push('=');
            encode(value, is_unreserved, &mut written);
        }
    }
    written
}

fn encode(text: &str, plain: impl Fn(u8) -> bool, written: &mut String) {
    for byte in text.bytes() {
        if plain(byte) {
            written.push(char::from(byte));
        } else {
            written.push('%');
            for digit in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                written.push(digit.to_ascii_uppercase());
            }
        }
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What RFC 3986 says is the same with and without percent-encoding.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a segment beside.
const fn is_segment_punctuation(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
    )
}
