//! A server over TLS that answers as an API server does, or fails as one does, and notes what it was asked.

use access_checks::{ApiServer, ApiServerConfig, Credential};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::serve::Listener;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use test_folder::TestFolder;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What it says to whatever is asked.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Json(u16, Value),
    Text(u16, String),
    /// To another place, as no API server does.
    Redirect,
    /// Nothing, and the connection stays.
    Hang,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

#[derive(Debug)]
struct Notes {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Asked>>,
}

pub(crate) struct Server {
    address: SocketAddr,
    authority: String,
    notes: Arc<Notes>,
    task: JoinHandle<()>,
    folder: TestFolder,
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Server {
    pub(crate) async fn start(answer: Answer) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notes = Arc::new(Notes { answer: Mutex::new(answer), asked: Mutex::default() });
        let for_server = Arc::clone(&notes);
        let app = Router::new().fallback(async move |method, uri, headers, body| {
            for_server.answered(method, uri, headers, body).await
        });
        let tls = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
        let task = tokio::spawn(async move { axum::serve(tls, app).await.unwrap() });
        Self { address, authority: certificate.pem(), notes, task, folder: TestFolder::new() }
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *self.notes.answer.lock().unwrap() = answer;
    }

    /// What it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.notes.asked.lock().unwrap())
    }

    /// The gateway's own token, in a file.
    pub(crate) fn token_file(&self, text: &str) -> PathBuf {
        let path = self.folder.join("token");
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A client of it that waits half a second.
    pub(crate) fn client(&self, audiences: &[&str]) -> ApiServer {
        self.client_that_trusts(&self.authority, audiences)
    }

    pub(crate) fn client_that_trusts(&self, authority: &str, audiences: &[&str]) -> ApiServer {
        ApiServer::new(ApiServerConfig {
            cluster: "prod".to_owned(),
            server: format!("https://{}/base/", self.address),
            authority: authority.as_bytes().to_vec(),
            credential: Credential::TokenFile(self.token_file("own-token\n")),
            answer_within: Duration::from_millis(500),
            audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
        })
        .unwrap()
    }
}

impl Notes {
    async fn answered(
        &self,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        self.asked.lock().unwrap().push(Asked {
            line: format!("{method} {uri}"),
            authorization: text("authorization").map(str::to_owned),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let answer = self.answer.lock().unwrap().clone();
        let response = |status: u16| Response::builder().status(status);
        match answer {
            Answer::Json(status, value) => response(status).body(value.to_string().into()).unwrap(),
            Answer::Text(status, text) => response(status).body(text.into()).unwrap(),
            Answer::Redirect => {
                response(307).header("location", "/elsewhere").body(Body::empty()).unwrap()
            }
            Answer::Hang => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
