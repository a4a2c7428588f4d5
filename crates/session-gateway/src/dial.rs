//! The way of a session to the cluster: over a WebSocket, or over SPDY where the API server, or something before it,
//! does not let WebSockets through.
//!
//! Only an answer that cannot be one of the API server to the request itself makes the gateway ask again: what it
//! refuses as the caller's is its answer. Nothing was executed by a request that was not upgraded.

use crate::body::{Body, empty};
use crate::leg::{Leg, NotReady};
use crate::protocols::{self, Purpose};
use crate::reply::Failure;
use crate::session::Begun;
use crate::transport::{self, Io};
use crate::upgrade::STREAM_PROTOCOL;
use crate::upstream::{Upstream, UpstreamError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use session_record::Event;
use std::time::Duration;
use tungstenite::protocol::Role;

/// The API server answers when the runtime is there, which can take its own 30 s for streams.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const STREAMS_TIMEOUT: Duration = Duration::from_secs(30);
/// What is read of an answer that refuses.
const REFUSAL_BYTES: usize = 64 << 10;

/// What the cluster is asked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) target: Uri,
    /// Who asks, and what is known of the client.
    pub(crate) headers: HeaderMap,
    pub(crate) purpose: Purpose,
}

/// Why the cluster's side of a session did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("the API server did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    Slow,
    /// `status` is a `Status` object: the server's own, or one made of what it said.
    #[error("the API server answered {code}: {message}")]
    Refused { code: StatusCode, message: String, status: Bytes, is_answer: bool },
    #[error("the API server changed to a protocol that it was not asked for")]
    Protocol,
    #[error("the API server did not keep the connection")]
    Upgrade(#[source] hyper::Error),
    #[error(transparent)]
    Streams(#[from] NotReady),
}

impl DialError {
    /// What the person is told.
    pub(crate) fn status(&self) -> Bytes {
        match self {
            Self::Refused { status, .. } => status.clone(),
            Self::Upstream(_)
            | Self::Slow
            | Self::Protocol
            | Self::Upgrade(_)
            | Self::Streams(_) => Failure::bad_gateway(crate::chain::chain(self)).status().into(),
        }
    }
}

/// The cluster's side of a session, ready, with what it said while it became so.
pub(crate) async fn dial(
    upstream: &Upstream,
    begun: &Begun,
    call: &Call,
    longest_message: usize,
) -> Result<(Leg, Vec<Event>), DialError> {
    let tried = web_socket(upstream, begun, call, longest_message).await;
    let mut leg = match tried {
        Err(DialError::Refused { is_answer: false, code, .. }) => {
            tracing::info!(
                code = code.as_u16(),
                cluster = upstream.name,
                "no WebSocket, trying SPDY"
            );
            spdy(upstream, begun, call).await?
        }
        tried => tried?,
    };
    let early = leg.ready(STREAMS_TIMEOUT).await?;
    Ok((leg, early))
}

async fn web_socket(
    upstream: &Upstream,
    begun: &Begun,
    call: &Call,
    longest_message: usize,
) -> Result<Leg, DialError> {
    let (protocol, codec) = protocols::web_socket_upstream(&call.purpose);
    let key = key();
    let mut request = request(Method::GET, call, "websocket");
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    let response = switched(upstream, begun, request).await?;
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let headers = response.headers();
    let is_asked_for = only(headers, &UPGRADE)
        .is_some_and(|name| name.eq_ignore_ascii_case("websocket"))
        && only(headers, &SEC_WEBSOCKET_ACCEPT) == Some(accept.as_str())
        && only(headers, &SEC_WEBSOCKET_PROTOCOL) == Some(protocol)
        && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    if !is_asked_for {
        return Err(DialError::Protocol);
    }
    let (io, read) = taken_over(response).await?;
    let wire = transport::web_socket(io, &read, Role::Client, longest_message).await;
    Ok(Leg::web_socket(wire, codec))
}

async fn spdy(upstream: &Upstream, begun: &Begun, call: &Call) -> Result<Leg, DialError> {
    let mut request = request(Method::POST, call, "SPDY/3.1");
    for protocol in protocols::over_spdy(&call.purpose) {
        request.headers_mut().append(STREAM_PROTOCOL, HeaderValue::from_static(protocol));
    }
    let response = switched(upstream, begun, request).await?;
    let is_spdy = only(response.headers(), &UPGRADE)
        .is_some_and(|name| name.eq_ignore_ascii_case("SPDY/3.1"));
    let chosen = only(response.headers(), &STREAM_PROTOCOL).filter(|_| is_spdy);
    let codec = chosen.and_then(|chosen| protocols::spdy_upstream(&call.purpose, chosen));
    let codec = codec.ok_or(DialError::Protocol)?;
    let (io, read) = taken_over(response).await?;
    Ok(Leg::spdy(transport::byte_stream(io, &read), codec))
}

fn request(method: Method, call: &Call, protocol: &'static str) -> Request<Body> {
    let mut request = Request::new(empty());
    *request.method_mut() = method;
    *request.uri_mut() = call.target.clone();
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    request
}

/// Only an answer that changes the protocol goes on. Of any other the connection is dropped with it.
async fn switched(
    upstream: &Upstream,
    begun: &Begun,
    request: Request<Body>,
) -> Result<Response<Incoming>, DialError> {
    let sent = upstream.send_upgrade(begun, request);
    let response =
        tokio::time::timeout(ANSWER_TIMEOUT, sent).await.map_err(|_elapsed| DialError::Slow)??;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    Err(refused(response).await)
}

async fn refused(response: Response<Incoming>) -> DialError {
    let code = response.status();
    let body = Limited::new(response.into_body(), REFUSAL_BYTES).collect();
    let bytes = match tokio::time::timeout(ANSWER_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let object: Option<Value> = serde_json::from_slice(&bytes).ok();
    let object =
        object.filter(|object| object.get("kind").and_then(Value::as_str) == Some("Status"));
    // A server without the protocol says 400 or 404 in its own way; what is about the caller or the pod says so
    // in a Status.
    let is_answer =
        object.is_some() && code != StatusCode::BAD_REQUEST || code == StatusCode::UNAUTHORIZED;
    match object {
        Some(object) => {
            let message = object.get("message").and_then(Value::as_str).unwrap_or_default();
            DialError::Refused { code, message: message.to_owned(), status: bytes, is_answer }
        }
        None => {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            let failure = Failure::bad_gateway(format!("the API server answered {code}: {text}"));
            DialError::Refused { code, message: text, status: failure.status().into(), is_answer }
        }
    }
}

async fn taken_over(response: Response<Incoming>) -> Result<(Io, Bytes), DialError> {
    let upgraded = hyper::upgrade::on(response).await.map_err(DialError::Upgrade)?;
    match upgraded.downcast::<TokioIo<Io>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(_) => Err(DialError::Protocol),
    }
}

/// A nonce that no cache has seen (RFC 6455, 4.1); it need not be a secret.
fn key() -> HeaderValue {
    let mut nonce = [0; 16];
    // A nonce of zeros is still a valid one.
    let _filled = aws_lc_rs::rand::fill(&mut nonce);
    HeaderValue::from_str(&STANDARD.encode(nonce))
        .unwrap_or(HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA=="))
}

/// The value of a header that is there once.
fn only<'headers>(headers: &'headers HeaderMap, name: &http::HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
