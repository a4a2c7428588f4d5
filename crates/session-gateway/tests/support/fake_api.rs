//! An API server in this process: it notes every request, and answers by path.

use crate::pki::{Authority, Leaf};
use crate::runtime::{Executed, Runtime};
use crate::wire::Spoken;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use session_proto::{Asked as Streams, Codec, Role, Version};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;
use tungstenite::protocol::Role as WebSocketRole;
use url::Url;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");

/// What the server was asked by a caller.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) asked: Mutex<Vec<Asked>>,
    /// On which callers' requests came.
    pub(crate) connections: Mutex<u32>,
    /// Something before the server does not let WebSockets through.
    pub(crate) no_web_sockets: AtomicBool,
    executed: watch::Sender<Vec<Executed>>,
    lines: Mutex<Vec<String>>,
    /// Whom to tell what happens.
    watchers: watch::Sender<Vec<mpsc::Sender<Bytes>>>,
}

impl Notes {
    pub(crate) fn begin(&self, command: &[String]) -> usize {
        let mut index = 0;
        self.executed.send_modify(|executed| {
            index = executed.len();
            executed.push(Executed { command: command.to_vec(), ..Executed::default() });
        });
        index
    }

    pub(crate) fn change(&self, index: usize, change: impl FnOnce(&mut Executed)) {
        self.executed.send_modify(|executed| change(&mut executed[index]));
    }

    pub(crate) fn ran(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }
}

pub(crate) struct FakeApi {
    pub(crate) address: SocketAddr,
    pub(crate) notes: Arc<Notes>,
    _task: AbortOnDropHandle<()>,
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

impl FakeApi {
    /// Lets only clients in that `authority` knows.
    pub(crate) async fn start(authority: &Authority, leaf: &Leaf) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                chain.map(Result::unwrap).collect(),
                PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Notes::default());
        let task = tokio::spawn(accept(listener, acceptor, Arc::clone(&notes)));
        Self { address, notes, _task: AbortOnDropHandle::new(task) }
    }

    /// Without what the gateway asks for itself.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.notes.asked.lock().unwrap().clone()
    }

    /// The one request that reached it.
    pub(crate) fn asked_once(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    pub(crate) fn refuse_web_sockets(&self) {
        self.notes.no_web_sockets.store(true, Ordering::Relaxed);
    }

    /// Lines that shells have run.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.notes.lines.lock().unwrap().clone()
    }

    pub(crate) fn executed(&self) -> Vec<Executed> {
        self.notes.executed.borrow().clone()
    }

    /// Waits until what was executed is as it is wanted.
    pub(crate) async fn until(&self, wanted: impl FnMut(&Vec<Executed>) -> bool) -> Vec<Executed> {
        self.notes.executed.subscribe().wait_for(wanted).await.unwrap().clone()
    }

    /// Sends a line to everybody who watches, when there is somebody.
    pub(crate) async fn happen(&self, line: &'static str) {
        let mut watchers = self.notes.watchers.subscribe();
        let watchers = watchers.wait_for(|watchers| !watchers.is_empty()).await.unwrap().clone();
        for watcher in &watchers {
            watcher.send(Bytes::from_static(line.as_bytes())).await.unwrap();
        }
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, notes: Arc<Notes>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let counted = AtomicBool::new(false);
            let service = service_fn(|request: Request<Incoming>| {
                let is_of_caller = request.headers().contains_key("impersonate-user");
                if is_of_caller && !counted.swap(true, Ordering::Relaxed) {
                    *notes.connections.lock().unwrap() += 1;
                }
                answer(&notes, request)
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            drop(connection.with_upgrades().await);
        });
    }
}

async fn answer(
    notes: &Arc<Notes>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let target = request.uri().to_string();
    let url = Url::parse(&format!("https://api{target}")).unwrap();
    let path = url.path().trim_start_matches("/base").to_owned();
    let upgrade =
        request.headers().contains_key("upgrade").then(|| hyper::upgrade::on(&mut request));
    let (parts, mut body) = request.into_parts();
    let mut read = Vec::new();
    let mut body_bytes = 0;
    let mut headers = parts.headers;
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => {
                body_bytes += data.len() as u64;
                if read.len() < 64 << 10 {
                    read.extend_from_slice(&data);
                }
            }
            Err(frame) => headers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    if headers.contains_key("impersonate-user") {
        let asked = Asked { target: target.clone(), headers: headers.clone(), body_bytes };
        notes.asked.lock().unwrap().push(asked);
    }
    if let Some(upgrade) = upgrade {
        return Ok(switch(notes, &url, &headers, upgrade));
    }
    Ok(match path.as_str() {
        "/version" => json(StatusCode::OK, r#"{"major":"1"}"#),
        "/api/v1/pods" if target.contains("watch=true") => watch(notes),
        "/api/v1/configmaps" => big(100 << 20),
        "/api/v1/services" => elsewhere(),
        "/apis/authorization.k8s.io/v1/subjectaccessreviews" => review(&read),
        _ if path.ends_with("/log") => logs(notes, target.contains("follow=true")),
        _ if path.contains("/pods/") && !headers.contains_key("impersonate-user") => pod(&path),
        _ => json(StatusCode::OK, r#"{"kind":"Whatever"}"#),
    })
}

fn json(code: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// Everybody may do everything but `mallory`.
fn review(body: &[u8]) -> Response<Body> {
    let mut review: serde_json::Value = serde_json::from_slice(body).unwrap();
    let allowed = review["spec"]["user"] != "mallory";
    review["status"] = serde_json::json!({ "allowed": allowed, "reason": "" });
    json(StatusCode::CREATED, review.to_string())
}

/// Every pod is there but `gone`.
fn pod(path: &str) -> Response<Body> {
    let steps: Vec<&str> = path.split('/').collect();
    let (namespace, name) = (steps[4], steps[6]);
    if name == "gone" {
        return json(StatusCode::NOT_FOUND, r#"{"kind":"Status","code":404}"#);
    }
    let pod = serde_json::json!({
        "metadata": {
            "namespace": namespace, "name": name, "uid": format!("uid-of-{name}"),
            "labels": { "app": name },
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "main" }] },
    });
    json(StatusCode::OK, pod.to_string())
}

fn logs(notes: &Notes, follow: bool) -> Response<Body> {
    if follow {
        return watch(notes);
    }
    Response::new(full("first line\nsecond line\n"))
}

fn watch(notes: &Notes) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(4);
    notes.watchers.send_modify(|watchers| watchers.push(sender));
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async {
        let line = receiver.recv().await?;
        Some((Ok(Frame::data(line)), receiver))
    });
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// So many bytes, made as they are read.
fn big(bytes: usize) -> Response<Body> {
    const CHUNK: usize = 64 << 10;
    let frames = futures_util::stream::unfold(bytes, |left| async move {
        let length = left.min(CHUNK);
        (length > 0).then(|| {
            let frame = Frame::data(Bytes::from_static(&[b'x'; CHUNK]).slice(..length));
            (Ok(frame), left - length)
        })
    });
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// As no API server answers, but somebody in its place may.
fn elsewhere() -> Response<Body> {
    let mut response = json(StatusCode::FOUND, "");
    let elsewhere = HeaderValue::from_static("https://elsewhere/");
    response.headers_mut().insert("location", elsewhere);
    response
}

/// Runs what is asked for, over what is asked for.
fn switch(
    notes: &Arc<Notes>,
    url: &Url,
    headers: &HeaderMap,
    upgrade: hyper::upgrade::OnUpgrade,
) -> Response<Body> {
    let is_web_socket = headers["upgrade"] == "websocket";
    if is_web_socket && notes.no_web_sockets.load(Ordering::Relaxed) {
        let mut response = Response::new(full("no such protocol"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    }
    if url.path().contains("/pods/broken/") {
        let text = r#"{"kind":"Status","status":"Failure","message":"container main is not running","code":409,"reason":"Conflict"}"#;
        return json(StatusCode::CONFLICT, text);
    }
    if url.path().contains("/pods/moved/") {
        return elsewhere();
    }
    let is_forward = url.path().ends_with("/portforward");
    let flag = |name: &str| url.query_pairs().any(|(key, value)| key == name && value == "true");
    let streams = Streams {
        stdin: flag("stdin"),
        stdout: flag("stdout"),
        stderr: flag("stderr"),
        terminal: flag("tty"),
    };
    let command: Vec<String> = url
        .query_pairs()
        .filter(|(key, _)| key == "command")
        .map(|(_, value)| value.into_owned())
        .collect();
    let codec = match (is_forward, is_web_socket) {
        (true, tunnelled) => Codec::forward_streams(Role::Server, tunnelled),
        (false, true) => Codec::command_channels(Role::Server, Version::V5, false, streams),
        (false, false) => Codec::command_streams(Role::Server, Version::V4, streams),
    };
    let notes = Arc::clone(notes);
    tokio::spawn(async move {
        let upgraded = upgrade.await.unwrap();
        let spoken = if is_web_socket {
            Spoken::web_socket(upgraded, WebSocketRole::Server, codec).await
        } else {
            Spoken::spdy(upgraded, codec)
        };
        let runtime = Runtime::new(spoken, notes, &command);
        if is_forward { runtime.forward().await } else { runtime.run(&command).await }
    });
    switching(headers, is_web_socket, is_forward)
}

fn switching(headers: &HeaderMap, is_web_socket: bool, is_forward: bool) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert("connection", HeaderValue::from_static("Upgrade"));
    answer.insert("upgrade", headers["upgrade"].clone());
    if is_web_socket {
        let key =
            tungstenite::handshake::derive_accept_key(headers["sec-websocket-key"].as_bytes());
        answer.insert("sec-websocket-accept", HeaderValue::from_str(&key).unwrap());
        answer.insert("sec-websocket-protocol", headers["sec-websocket-protocol"].clone());
    } else if is_forward {
        answer.insert(STREAM_PROTOCOL, HeaderValue::from_static("portforward.k8s.io"));
    } else {
        answer.insert(STREAM_PROTOCOL, HeaderValue::from_static("v4.channel.k8s.io"));
    }
    response
}
