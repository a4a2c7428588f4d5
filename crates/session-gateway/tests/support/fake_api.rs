//! An API server in this process: it notes every request, and answers by path.

use crate::pki::{Authority, Leaf};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
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
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) connections: Mutex<u32>,
    /// Lines that go to whoever watches.
    watchers: Mutex<Vec<mpsc::Sender<Bytes>>>,
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

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.notes.asked.lock().unwrap().clone()
    }

    /// The one request that reached it.
    pub(crate) fn asked_once(&self) -> Asked {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    /// Sends a line to everybody who watches; how many there are.
    pub(crate) async fn happen(&self, line: &'static str) -> usize {
        let watchers = self.notes.watchers.lock().unwrap().clone();
        for watcher in &watchers {
            watcher.send(Bytes::from_static(line.as_bytes())).await.unwrap();
        }
        watchers.len()
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, notes: Arc<Notes>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        *notes.connections.lock().unwrap() += 1;
        let (acceptor, notes) = (acceptor.clone(), Arc::clone(&notes));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| answer(&notes, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.with_upgrades().await;
        });
    }
}

async fn answer(notes: &Arc<Notes>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, mut body) = request.into_parts();
    let mut body_bytes = 0;
    let mut trailers = HeaderMap::new();
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => body_bytes += data.len() as u64,
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    let target = parts.uri.to_string();
    let mut headers = parts.headers;
    headers.extend(trailers);
    notes.asked.lock().unwrap().push(Asked {
        method: parts.method.to_string(),
        target: target.clone(),
        headers,
        body_bytes,
    });
    let path = target.split('?').next().unwrap_or_default();
    Ok(match path.trim_start_matches("/base") {
        "/version" => json(StatusCode::OK, r#"{"major":"1"}"#),
        "/api/v1/pods" if target.contains("watch=true") => watch(notes),
        "/api/v1/configmaps" => big(100 << 20),
        "/api/v1/redirect" => {
            let mut response = json(StatusCode::FOUND, "");
            response.headers_mut().insert("location", HeaderValue::from_static("https://elsewhere/"));
            response
        }
        _ => json(StatusCode::OK, r#"{"kind":"Whatever"}"#),
    })
}

fn json(code: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(full(text));
    *response.status_mut() = code;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

fn watch(notes: &Notes) -> Response<Body> {
    let (sender, receiver) = mpsc::channel(4);
    notes.watchers.lock().unwrap().push(sender);
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
