//! How a change of the protocol is granted.
//!
//! That a request asks for one, for one only, and in a way that everybody reads alike, is the classifier's to say.

use crate::body::{Body, empty};
use crate::reply::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{Response, StatusCode};

pub(crate) const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
const ACCEPTED_PROTOCOLS: HeaderName =
    HeaderName::from_static("x-accepted-stream-protocol-versions");

/// The value that shows a WebSocket's client that it was understood (RFC 6455, 4.2.2).
pub(crate) fn accept(headers: &HeaderMap) -> Result<HeaderValue, Failure> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(Failure::bad_request("a WebSocket begins with one Sec-WebSocket-Key"));
    };
    if STANDARD.decode(key).map_or(0, |bytes| bytes.len()) != 16 {
        return Err(Failure::bad_request("the Sec-WebSocket-Key is not 16 bytes in base64"));
    }
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    HeaderValue::from_str(&accept)
        .map_err(|_invalid| Failure::bad_request("the Sec-WebSocket-Key cannot be answered"))
}

/// The answer after which a WebSocket begins, in the one sub-protocol that was chosen. Extensions are never granted.
pub(crate) fn switch_to_web_socket(
    accept: HeaderValue,
    protocol: Option<&'static str>,
) -> Response<Body> {
    let mut response = switching("websocket");
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        let protocol = HeaderValue::from_static(protocol);
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// The answer after which SPDY begins.
pub(crate) fn switch_to_spdy(protocol: Option<&'static str>) -> Response<Body> {
    let mut response = switching("SPDY/3.1");
    if let Some(protocol) = protocol {
        response.headers_mut().insert(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    }
    response
}

fn switching(protocol: &'static str) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    response
}

/// The answer to a client that offers no version that the gateway speaks.
pub(crate) fn no_spdy_protocol(known: &[&'static str]) -> Response<Body> {
    let failure = Failure::forbidden(format!("the gateway speaks {}", known.join(", ")));
    let mut response = failure.response();
    for protocol in known {
        response.headers_mut().append(ACCEPTED_PROTOCOLS, HeaderValue::from_static(protocol));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_of_sixteen_bytes_is_answered() {
        let with = |keys: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(SEC_WEBSOCKET_KEY, HeaderValue::from_static(key));
            }
            accept(&headers).ok()
        };
        const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
        // RFC 6455, 1.3.
        let answer = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(with(&[KEY]), Some(answer));
        assert_eq!([with(&[]), with(&[KEY, KEY]), with(&["c2hvcnQ="])], [None, None, None]);
    }
}
