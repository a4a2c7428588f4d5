//! An API server that has what an exec needs and nothing else: it allows everything, and instead of a runtime it
//! has three commands. `echo` sends back each message of stdin, `bulk BYTES` sends that much, `sink` counts.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Message, Utf8Bytes};

pub(crate) const FRAME_BYTES: usize = 32 << 10;
const PROTOCOL: &str = "v5.channel.k8s.io";
const SUCCESS: &[u8] = b"\x03{\"metadata\":{},\"status\":\"Success\"}";

/// Small buffers: thousands of sessions are held at once.
pub(crate) fn frames() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(1 << 20)
}

/// Serves for as long as the runtime lives, and gives the address.
pub(crate) async fn serve(tls: Arc<ServerConfig>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("binding the API server")?;
    let address = listener.local_addr()?;
    let acceptor = TlsAcceptor::from(tls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(acceptor.clone(), stream));
        }
    });
    Ok(address)
}

async fn connection(acceptor: TlsAcceptor, stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .with_upgrades()
        .await;
    drop(served);
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match request.headers().get(SEC_WEBSOCKET_KEY).cloned() {
        Some(key) => upgrade(request, &key),
        None => plain(request).await,
    })
}

fn upgrade(request: Request<Incoming>, key: &HeaderValue) -> Response<Full<Bytes>> {
    let accept = derive_accept_key(key.as_bytes());
    let query = request.uri().query().unwrap_or_default();
    let command: Vec<String> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("command="))
        .map(str::to_owned)
        .collect();
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let socket = WebSocketStream::from_raw_socket(
                TokioIo::new(upgraded),
                Role::Server,
                Some(frames()),
            );
            run(socket.await, &command).await;
        }
    });
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A peer that goes away ends the command.
async fn run(mut socket: Socket, command: &[String]) {
    // As the API server does, so that a client knows that the session is there.
    if socket.send(Message::Binary(Bytes::from_static(b"\x01"))).await.is_err() {
        return;
    }
    let done = match command {
        [name, bytes] if name == "bulk" => bulk(&mut socket, bytes.parse().unwrap_or(0)).await,
        [name] if name == "sink" => sink(&mut socket).await,
        _ => echo(&mut socket).await,
    };
    if done.is_some() && socket.send(Message::Binary(Bytes::from_static(SUCCESS))).await.is_ok() {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static("") };
        drop(socket.close(Some(frame)).await);
        while let Some(Ok(_)) = socket.next().await {}
    }
}

async fn bulk(socket: &mut Socket, bytes: u64) -> Option<()> {
    let frame = Bytes::from(noise(FRAME_BYTES));
    let mut left = bytes;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(FRAME_BYTES - 1);
        socket.feed(Message::Binary(frame.slice(..=now))).await.ok()?;
        left -= now as u64;
    }
    socket.flush().await.ok()
}

/// Starts with the channel of stdout; the rest does not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = vec![1];
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

async fn sink(socket: &mut Socket) -> Option<()> {
    while let Some(message) = socket.next().await {
        match message.ok()? {
            Message::Binary(bytes) if bytes.as_ref() == [255, 0] => return Some(()),
            Message::Close(_) => return None,
            Message::Text(_)
            | Message::Binary(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Frame(_) => {}
        }
    }
    None
}

async fn echo(socket: &mut Socket) -> Option<()> {
    while let Some(message) = socket.next().await {
        match message.ok()? {
            Message::Binary(bytes) if bytes.as_ref() == [255, 0] => return Some(()),
            Message::Binary(bytes) if bytes.first() == Some(&0) => {
                let mut answer = bytes.to_vec();
                if let Some(channel) = answer.first_mut() {
                    *channel = 1;
                }
                socket.send(Message::Binary(answer.into())).await.ok()?;
            }
            Message::Close(_) => return None,
            Message::Text(_)
            | Message::Binary(_)
            | Message::Ping(_)
            | Message::Pong(_)
            | Message::Frame(_) => {}
        }
    }
    None
}

async fn plain(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let sent = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let body = match path.as_str() {
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
            let mut review: serde_json::Value = serde_json::from_slice(&sent).unwrap_or_default();
            if let Some(review) = review.as_object_mut() {
                review.insert("status".to_owned(), serde_json::json!({ "allowed": true }));
            }
            review
        }
        // What `kubectl` asks before it knows what a pod is.
        "/api" => serde_json::json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => serde_json::json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] }),
        "/api/v1" => serde_json::json!({
            "kind": "APIResourceList", "groupVersion": "v1",
            "resources": [{
                "name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get"],
            }],
        }),
        "/version" => serde_json::json!({ "major": "1", "minor": "36", "gitVersion": "v1.36.3" }),
        _ => serde_json::json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "p", "namespace": "default", "uid": "8f0c7a52-1d2e-4f3a-9b4c-5d6e7f8091a2", "labels": { "app": "bench" } },
            "spec": { "nodeName": "n", "containers": [{ "name": "c", "image": "i" }] },
            "status": { "phase": "Running" },
        }),
    };
    let mut response = Response::new(Full::from(body.to_string()));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}
