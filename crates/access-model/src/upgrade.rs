//! Whether a request wants to leave HTTP, and for what.
//!
//! API servers look at this with three different functions, of which one takes any `Connection` header that
//! contains the letters `upgrade`. A request is therefore plain only if nothing at all in it speaks of an upgrade,
//! and an upgrade only if everything does.

use crate::{Head, HttpVersion, Method, Refusal, Transport};

/// A WebSocket sub-protocol that begins so carries a token. It proves an identity and is no protocol.
pub const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

const MOST_PROTOCOLS: usize = 16;
const LONGEST_PROTOCOL: usize = 128;

const fn unclear(why: &'static str) -> Refusal {
    Refusal::UnclearUpgrade { why }
}

/// What the request wants to speak; `None` if it stays HTTP.
pub(crate) fn transport(head: &Head<'_>, method: Method) -> Result<Option<Transport>, Refusal> {
    if head.protocol.is_some() {
        return Err(unclear("an extended CONNECT of HTTP/2"));
    }
    if !speaks_of_upgrade(head) {
        return Ok(None);
    }
    match head.version {
        HttpVersion::Http11 => {}
        HttpVersion::Http10 | HttpVersion::Http2 => {
            return Err(unclear("only HTTP/1.1 has upgrades"));
        }
    }
    only_upgrades(head)?;
    let protocol = only_value(head, "upgrade", "there is not exactly one Upgrade header")?;
    let is_websocket = protocol.eq_ignore_ascii_case("websocket");
    if !is_websocket && !protocol.eq_ignore_ascii_case("SPDY/3.1") {
        return Err(unclear("the protocol is neither websocket nor SPDY/3.1"));
    }
    if method != Method::Get && (is_websocket || method != Method::Post) {
        return Err(unclear("the method does not fit the protocol"));
    }
    if is_websocket { websocket(head).map(Some) } else { spdy(head).map(Some) }
}

fn speaks_of_upgrade(head: &Head<'_>) -> bool {
    head.headers.iter().any(|(name, value)| {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "upgrade" | "http2-settings" | "x-stream-protocol-version" => true,
            "connection" | "proxy-connection" => {
                value.to_ascii_lowercase().windows(7).any(|word| word == b"upgrade")
            }
            _ => name.starts_with("sec-websocket-"),
        }
    })
}

/// `Connection` says upgrade, once, and nothing that other servers would act on.
fn only_upgrades(head: &Head<'_>) -> Result<(), Refusal> {
    let connection = only_value(head, "connection", "there is not exactly one Connection header")?;
    let mut upgrades = 0;
    for word in connection.split(',').map(trimmed) {
        if word.eq_ignore_ascii_case("upgrade") {
            upgrades += 1;
        } else if !word.eq_ignore_ascii_case("keep-alive") {
            return Err(unclear("the Connection header says more than upgrade"));
        }
    }
    if upgrades == 1 {
        Ok(())
    } else {
        Err(unclear("the Connection header does not say upgrade once"))
    }
}

fn websocket(head: &Head<'_>) -> Result<Transport, Refusal> {
    if head.values("x-stream-protocol-version").next().is_some() {
        return Err(unclear("a WebSocket has no X-Stream-Protocol-Version"));
    }
    let mut named = head.values("sec-websocket-protocol");
    let value = named.next().map(text).transpose()?;
    if named.next().is_some() {
        return Err(unclear("there are several Sec-WebSocket-Protocol headers"));
    }
    let mut protocols = words(value.into_iter())?;
    protocols.retain(|protocol| !protocol.starts_with(BEARER_PROTOCOL));
    Ok(Transport::WebSocket { protocols: bounded(protocols)? })
}

/// One header for each version is what clients send.
fn spdy(head: &Head<'_>) -> Result<Transport, Refusal> {
    if head.headers.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("sec-websocket-"))
    {
        return Err(unclear("SPDY has no WebSocket headers"));
    }
    let values: Vec<&str> =
        head.values("x-stream-protocol-version").map(text).collect::<Result<_, _>>()?;
    Ok(Transport::Spdy { protocols: bounded(words(values.into_iter())?)? })
}

fn words<'text>(values: impl Iterator<Item = &'text str>) -> Result<Vec<String>, Refusal> {
    let words = values.flat_map(|value| value.split(',')).map(trimmed);
    words
        .map(|word| {
            let fits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
            let fits = fits && !word.contains(['"', ';', '\\']);
            if fits { Ok(word.to_owned()) } else { Err(unclear("a protocol's name is no word")) }
        })
        .collect()
}

fn bounded(protocols: Vec<String>) -> Result<Vec<String>, Refusal> {
    if protocols.len() > MOST_PROTOCOLS {
        return Err(unclear("too many protocols are offered"));
    }
    if protocols.iter().any(|protocol| protocol.len() > LONGEST_PROTOCOL) {
        return Err(unclear("a protocol's name is too long"));
    }
    Ok(protocols)
}

fn only_value<'request>(
    head: &Head<'request>,
    name: &str,
    otherwise: &'static str,
) -> Result<&'request str, Refusal> {
    let mut values = head.values(name);
    match (values.next(), values.next()) {
        (Some(value), None) => text(value).map(trimmed),
        _ => Err(unclear(otherwise)),
    }
}

fn text(value: &[u8]) -> Result<&str, Refusal> {
    let is_text = value.iter().all(|byte| matches!(byte, b'\t' | 0x20..=0x7e));
    let text = if is_text { str::from_utf8(value).ok() } else { None };
    text.ok_or(unclear("a header is not text"))
}

fn trimmed(word: &str) -> &str {
    word.trim_matches([' ', '\t'])
}
