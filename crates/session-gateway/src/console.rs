//! A second address, for whoever shows sessions: proofs and TLS as for clients of clusters, and no way to a cluster.
//!
//! HTTP/1.1 only: browsers share its few connections between pages, and a limit of connections is then one of
//! requests. What is answered is not the gateway's: `session-api` knows it.

use crate::body::{Body, BodyError, streamed};
use crate::caller::Connection;
use crate::chain::chain;
use crate::config::{Clients, Console};
use crate::gateway::{Gateway, Running, bind};
use crate::listener::{self, ListenError};
use crate::places::Socket;
use access_model::Identity;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

const CONNECTIONS: usize = 512;
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const HEADER_BYTES: usize = 32 << 10;
const HEADER_COUNT: usize = 64;

/// The other end of a connection, who may prove who it is.
#[derive(Debug, Clone)]
pub struct Visitor {
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
}

/// Nobody knows who sent a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotProven {
    /// 401; 403 for names that nobody has through the gateway; 503 where it cannot be judged now.
    pub status: StatusCode,
    /// For the person.
    pub message: String,
}

impl Visitor {
    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// When that is not proven.
    pub async fn identity(&self, headers: &HeaderMap) -> Result<Identity, NotProven> {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        // Service accounts of two clusters have the same names: they say who somebody is where there is one.
        let mut clusters = self.gateway.routes.clusters();
        let api = clusters.next().filter(|_| clusters.next().is_none());
        let api = api.map(|cluster| &cluster.api);
        let found = self.gateway.identities.identify(&self.connection, &headers, api).await;
        found.map_err(|failure| NotProven { status: failure.code, message: failure.message })
    }
}

impl Running {
    /// Answers on the console's address until the gateway stops.
    ///
    /// # Errors
    /// When its certificate cannot be used, or the address not be listened on.
    pub async fn open_console<A, F, B>(
        &self,
        console: &Console,
        clients: &Clients,
        answer: A,
    ) -> Result<SocketAddr, ListenError>
    where
        A: Fn(Visitor, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let tls = listener::tls(&console.listen, clients, &[b"http/1.1"])?;
        let (listener, address) = bind(console.listen.address).await?;
        let gateway = Arc::clone(&self.gateway);
        self.gateway.tasks.spawn(serve(gateway, listener, tls, answer));
        tracing::info!(%address, "the console answers");
        Ok(address)
    }
}

async fn serve<A, F, B>(gateway: Arc<Gateway>, listener: TcpListener, tls: TlsAcceptor, answer: A)
where
    A: Fn(Visitor, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Some((stream, address)) = listener::accepted(&gateway, &listener).await else { return };
        let connected = (Socket::of_client(stream, place), address);
        let (shared, tls, answer) = (Arc::clone(&gateway), tls.clone(), answer.clone());
        gateway.tasks.spawn(connection(shared, tls, connected, answer));
    }
}

async fn connection<A, F, B>(
    gateway: Arc<Gateway>,
    tls: TlsAcceptor,
    (stream, address): (Socket, SocketAddr),
    answer: A,
) where
    A: Fn(Visitor, Request<Incoming>) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    let Some(stream) = listener::handshake(&tls, stream, address).await else { return };
    let connection = Arc::new(Connection::of(&stream, address));
    let service = service_fn(|request: Request<Incoming>| {
        let visitor =
            Visitor { gateway: Arc::clone(&gateway), connection: Arc::clone(&connection) };
        let answered = answer(visitor, request);
        async move { Ok::<Response<Body>, Infallible>(answered.await.map(streamed)) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADER_COUNT)
        .max_header_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = gateway.stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = chain(&error), %address, "a connection to the console ended early");
    }
}
