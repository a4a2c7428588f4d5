//! A witness over HTTP: `POST /add-checkpoint` and nothing else.

use super::{Answer, Witness};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger_model::MAX_REQUEST_BYTES;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Connections that are served at once.
const CONNECTIONS: usize = 256;

/// Until a request's head is there, and until its body is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection without a request ends after this.
const IDLE: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error)]
pub enum WitnessServeError {
    #[error("could not listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the certificate or its key cannot be used")]
    Tls(#[source] tokio_rustls::rustls::Error),
    #[error("the certificate or its key cannot be read")]
    Pem(#[source] tokio_rustls::rustls::pki_types::pem::Error),
}

/// A witness that listens.
pub struct WitnessListener {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl WitnessListener {
    /// Listens; with a certificate chain and its key in PEM, by TLS.
    ///
    /// # Errors
    /// When the address or the certificate cannot be used.
    pub async fn bind(
        address: SocketAddr,
        certificate: Option<(&[u8], &[u8])>,
    ) -> Result<Self, WitnessServeError> {
        let tls = certificate.map(|(chain, key)| acceptor(chain, key)).transpose()?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| WitnessServeError::Listen { address, source })?;
        Ok(Self { listener, tls })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is over; no connection has the witness then, but a decision that is being written may.
    /// `told` hears what happens.
    pub async fn serve(
        self,
        witness: Arc<Witness>,
        told: Arc<dyn Fn(&str) + Send + Sync>,
        stop: impl Future<Output = ()>,
    ) {
        let mut connections = JoinSet::new();
        tokio::select! {
            () = stop => {}
            never = self.accept(&witness, &told, &mut connections) => match never {},
        }
        connections.shutdown().await;
    }

    async fn accept(
        &self,
        witness: &Arc<Witness>,
        told: &Arc<dyn Fn(&str) + Send + Sync>,
        connections: &mut JoinSet<()>,
    ) -> Infallible {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            let accepted = self.listener.accept().await;
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = accepted else { continue };
            let (witness, told) = (Arc::clone(witness), Arc::clone(told));
            let tls = self.tls.clone();
            connections.spawn(async move {
                connection(stream, tls, witness, told).await;
                drop(place);
            });
        }
    }
}

impl std::fmt::Debug for WitnessListener {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WitnessListener")
            .field("listener", &self.listener)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

fn acceptor(chain: &[u8], key: &[u8]) -> Result<TlsAcceptor, WitnessServeError> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(WitnessServeError::Pem)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(WitnessServeError::Pem)?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    Ok(TlsAcceptor::from(Arc::new(config.map_err(WitnessServeError::Tls)?)))
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    witness: Arc<Witness>,
    told: Arc<dyn Fn(&str) + Send + Sync>,
) {
    match tls {
        None => requests(stream, witness, &*told).await,
        Some(tls) => match timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, witness, &*told).await,
            Ok(Err(error)) => told(&format!("a connection did not get through TLS: {error}")),
            Err(_late) => told("a connection took too long for TLS"),
        },
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    witness: Arc<Witness>,
    told: &(dyn Fn(&str) + Send + Sync),
) {
    let service = service_fn(|request| {
        let witness = Arc::clone(&witness);
        async move {
            let answer = answer(request, witness).await;
            told(&answer.event);
            Ok::<_, Infallible>(response(answer))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(IDLE, served).await {
        told(&format!("a connection ended early: {error}"));
    }
}

async fn answer(request: Request<Incoming>, witness: Arc<Witness>) -> Answer {
    if request.uri().path() != "/add-checkpoint" {
        return plain(404, "try POST /add-checkpoint");
    }
    if request.method() != Method::POST {
        return plain(405, "try POST /add-checkpoint");
    }
    let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect();
    let body = match timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_broken)) => return plain(413, "the request is broken off, or too large"),
        Err(_late) => return plain(408, "the request took too long"),
    };
    let decided = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    decided.unwrap_or_else(|_panicked| plain(500, "the witness could not decide"))
}

fn plain(status: u16, text: &str) -> Answer {
    let content_type = "text/plain; charset=utf-8";
    Answer { status, content_type, body: format!("{text}\n"), event: format!("answered: {text}") }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static(answer.content_type);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
