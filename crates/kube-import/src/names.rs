//! The syntax of names, labels and ports in the Kubernetes API, and the findings where it is not met.
//!
//! Sources: `k8s.io/apimachinery/pkg/util/validation`; RFC 1123 §2.1; RFC 6335 §5.1.

use crate::codes;
use crate::document::{Decoder, Node, Place};

const LABEL_LENGTH: usize = 63;
const SUBDOMAIN_LENGTH: usize = 253;
const PORT_NAME_LENGTH: usize = 15;

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// RFC 1123: lower case letters, digits and inner dashes.
pub(crate) fn is_dns_label(name: &str) -> bool {
    name.len() <= LABEL_LENGTH
        && name.bytes().all(|byte| is_lower_alphanumeric(byte) || byte == b'-')
        && starts_and_ends(name, is_lower_alphanumeric)
}

fn is_dns_subdomain(name: &str) -> bool {
    name.len() <= SUBDOMAIN_LENGTH
        && name.split('.').all(|part| {
            part.bytes().all(|byte| is_lower_alphanumeric(byte) || byte == b'-')
                && starts_and_ends(part, is_lower_alphanumeric)
        })
}

fn starts_and_ends(text: &str, is_right: fn(u8) -> bool) -> bool {
    text.bytes().next().is_some_and(is_right) && text.bytes().next_back().is_some_and(is_right)
}

/// The part of a label key after its prefix, and a label value that is not empty.
fn is_label_part(text: &str) -> bool {
    text.len() <= LABEL_LENGTH
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && starts_and_ends(text, |byte| byte.is_ascii_alphanumeric())
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_subdomain(prefix) && is_label_part(name),
        None => is_label_part(key),
    }
}

fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_label_part(value)
}

/// RFC 6335: up to 15 letters, digits and single inner dashes, with at least one letter.
fn is_port_name(name: &str) -> bool {
    name.len() <= PORT_NAME_LENGTH
        && name.bytes().all(|byte| is_lower_alphanumeric(byte) || byte == b'-')
        && starts_and_ends(name, is_lower_alphanumeric)
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
        && !name.contains("--")
}

pub(crate) fn check_label_key(decoder: &mut Decoder, key: &str, place: Place) {
    if !is_label_key(key) {
        decoder.error(
            codes::BAD_LABEL,
            place,
            format!("`{key}` is no label key"),
            "a key is `name` or `dns.prefix/name`; the name has up to 63 letters, digits, `-`, `_` \
             and `.`, and starts and ends with a letter or digit",
        );
    }
}

pub(crate) fn check_label_value(decoder: &mut Decoder, value: &str, place: Place) {
    if !is_label_value(value) {
        decoder.error(
            codes::BAD_LABEL,
            place,
            format!("`{value}` is no label value"),
            "a value has up to 63 letters, digits, `-`, `_` and `.`, and starts and ends with a \
             letter or digit",
        );
    }
}

/// An object's name.
pub(crate) fn name(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    if is_dns_subdomain(text) {
        return Some(text.to_owned());
    }
    decoder.error(
        codes::BAD_NAME,
        node.place,
        format!("`{text}` is no object name"),
        "a name has lower-case letters, digits, `-` and `.`, and starts and ends with a letter or digit",
    );
    None
}

/// A namespace's name.
pub(crate) fn namespace(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    if is_dns_label(text) {
        return Some(text.to_owned());
    }
    decoder.error(
        codes::BAD_NAME,
        node.place,
        format!("`{text}` is no namespace name"),
        "a namespace has up to 63 lower-case letters, digits and inner `-`",
    );
    None
}

/// The name of a container port.
pub(crate) fn port_name(decoder: &mut Decoder, node: &Node<'_>) -> Option<String> {
    let text = decoder.string(node)?;
    if is_port_name(text) {
        return Some(text.to_owned());
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let finding = decoder.error(
        codes::BAD_PORT,
        node.place,
        format!("`{text}` is no port name"),
        if is_number {
            format!("write the number without quotes: {text}")
        } else {
            "a port name has up to 15 lower-case letters, digits and single inner `-`, with at least \
             one letter"
                .to_owned()
        },
    );
    if is_number {
        finding.why = Some("in quotes it is the name of a container port, not its number".into());
    }
    None
}

/// 1 to 65535.
pub(crate) fn port_number(decoder: &mut Decoder, node: &Node<'_>) -> Option<u16> {
    let number = decoder.integer(node)?;
    match u16::try_from(number) {
        Ok(port) if port > 0 => Some(port),
        Ok(_) | Err(_) => {
            let message = format!("{number} is no port");
            decoder.error(codes::BAD_PORT, node.place, message, "a port is 1 to 65535");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_names() {
        assert!(is_dns_label("a-1") && !is_dns_label("-a") && !is_dns_label("A"));
        assert!(!is_dns_label("") && !is_dns_label(&"a".repeat(64)));
        assert!(is_dns_subdomain("a.b-c") && !is_dns_subdomain("a..b") && !is_dns_subdomain("a."));
        for key in ["app", "App_1.x", "example.com/app", "a/b"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "-a", "Ex.com/a", "a b"] {
            assert!(!is_label_key(key), "{key}");
        }
        assert!(is_label_value("") && is_label_value("A.b_c-1") && !is_label_value("a/b"));
        assert!(is_port_name("http") && is_port_name("p-1") && is_port_name("8080a"));
        for name in ["80", "a--b", "-a", "Http", "", "sixteen-chars-xx"] {
            assert!(!is_port_name(name), "{name}");
        }
    }
}
