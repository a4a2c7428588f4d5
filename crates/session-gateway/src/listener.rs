//! The address that clients reach: TCP, TLS, and one task a connection.
//!
//! HTTP/2 is offered for plain use of the API; clients that upgrade ask for HTTP/1.1 themselves (RFC 9113 has no
//! upgrade, and extended CONNECT is not offered). Nothing is read from a connection faster than it is used.

use crate::caller::Connection;
use crate::chain::chain;
use crate::config::{Clients, Listen};
use crate::dispatch;
use crate::gateway::Gateway;
use crate::pem::{self, PemError};
use crate::places::Socket;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsStream};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// From the end of an answer to the end of the next request's headers; Go's clients keep connections for 90 s.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
const HEADER_BYTES: usize = 64 << 10;
const HEADER_COUNT: usize = 100;
const STREAMS_OF_CONNECTION: u32 = 250;
const WINDOW_BYTES: u32 = 256 << 10;
const HTTP2_PING: Duration = Duration::from_secs(30);
/// When no file descriptor is left, an accept fails at once and would again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What keeps the gateway from listening.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("could not use the certificate {path} with its key")]
    Certificate {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("could not check client certificates against {path}")]
    Verifier {
        path: PathBuf,
        #[source]
        source: VerifierBuilderError,
    },
    #[error("could not set up TLS")]
    Tls(#[source] rustls::Error),
    #[error("could not listen on {address}")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

/// TLS of one address, with client certificates where an authority is named.
pub(crate) fn tls(
    listen: &Listen,
    clients: &Clients,
    protocols: &[&[u8]],
) -> Result<TlsAcceptor, ListenError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(ListenError::Tls)?;
    let builder = match &clients.certificate_authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(pem::authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .allow_unauthenticated()
                .build()
                .map_err(|source| ListenError::Verifier { path: path.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let path = &listen.certificate;
    let mut tls = builder
        .with_single_cert(pem::certificates(path)?, pem::key(&listen.key)?)
        .map_err(|source| ListenError::Certificate { path: path.clone(), source })?;
    tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Accepts until the gateway stops. Connections beyond the limit wait in the kernel's queue.
pub(crate) async fn serve(gateway: Arc<Gateway>, listener: TcpListener, tls: TlsAcceptor) {
    loop {
        let Ok(place) = Arc::clone(&gateway.places.connections).acquire_owned().await else {
            return;
        };
        let Some((stream, address)) = accepted(&gateway, &listener).await else { return };
        let stream = Socket::of_client(stream, place);
        gateway.tasks.spawn(connection(Arc::clone(&gateway), tls.clone(), stream, address));
    }
}

/// The next connection; none once the gateway stops.
pub(crate) async fn accepted(
    gateway: &Gateway,
    listener: &TcpListener,
) -> Option<(TcpStream, SocketAddr)> {
    loop {
        let accepted = tokio::select! {
            () = gateway.stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                // Nagle's algorithm only costs time: what is written here is whole.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(error = chain(&error), %address, "a connection ended early");
                    continue;
                }
                return Some((stream, address));
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// None where no TLS connection comes about.
pub(crate) async fn handshake(
    tls: &TlsAcceptor,
    stream: Socket,
    address: SocketAddr,
) -> Option<TlsStream<Socket>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(TlsStream::from(stream)),
        Ok(Err(error)) => {
            tracing::debug!(error = chain(&error), %address, "no TLS connection came about");
            None
        }
        Err(_) => {
            tracing::debug!(%address, "a TLS handshake took too long");
            None
        }
    }
}

async fn connection(gateway: Arc<Gateway>, tls: TlsAcceptor, stream: Socket, address: SocketAddr) {
    let Some(stream) = handshake(&tls, stream, address).await else { return };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let connection = Arc::new(Connection::of(&stream, address));
    let io = TokioIo::new(stream);
    let ended = if http2 {
        serve_http2(&gateway, &connection, io).await
    } else {
        serve_http1(&gateway, &connection, io).await
    };
    if let Err(error) = ended {
        tracing::debug!(error = chain(&error), %address, "a connection ended early");
    }
}

type Io = TokioIo<TlsStream<Socket>>;

async fn serve_http1(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    io: Io,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| answer(gateway, connection, request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADER_COUNT)
        .max_header_size(HEADER_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = served.as_mut() => return ended,
        () = gateway.stop.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await
}

async fn serve_http2(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    io: Io,
) -> Result<(), hyper::Error> {
    let service = {
        let (gateway, connection) = (Arc::clone(gateway), Arc::clone(connection));
        service_fn(move |request| {
            let (gateway, connection) = (Arc::clone(&gateway), Arc::clone(&connection));
            async move { answer(&gateway, &connection, request).await }
        })
    };
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_OF_CONNECTION)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * 4)
        .keep_alive_interval(HTTP2_PING)
        .serve_connection(io, service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = served.as_mut() => return ended,
        () = gateway.stop.cancelled() => served.as_mut().graceful_shutdown(),
    }
    served.await
}

async fn answer(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    request: Request<Incoming>,
) -> Result<http::Response<crate::body::Body>, Infallible> {
    Ok(dispatch::answer(gateway, connection, request).await)
}
