//! An API server: how it is reached, and as whom.
//!
//! Connections speak HTTP/1.1, because that is what upgrades need, and one request at a time uses one, so that no
//! watch holds up another. A connection on which an upgrade was tried is never used again, whatever the answer:
//! what follows it on the wire may no longer be HTTP. Redirects are answers like any other; they are not followed.

mod pool;
mod token;

use crate::body::Body;
use crate::chain::chain;
use crate::config::{Cluster, UpstreamIdentity};
use crate::pem::{self, PemError};
use crate::places::Socket;
use crate::session::Begun;
use crate::transport;
use http::header::{AUTHORIZATION, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pool::Pool;
use rustls::ClientConfig;
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use token::TokenFile;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) type Sender = http1::SendRequest<Body>;

/// Connecting and agreeing on TLS.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// An API server's own limit for what a kubelet sends is 1 MiB; real headers have some KiB.
const HEADER_BYTES: usize = 256 << 10;
const HEADER_COUNT: usize = 200;

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) name: String,
    host: String,
    port: u16,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// What precedes each path, without a slash at its end.
    base_path: String,
    token: Option<TokenFile>,
    pool: Pool,
}

/// What keeps an API server from being usable at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamConfigError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("could not use the certificate {certificate} with its key")]
    Certificate {
        certificate: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error("`{host}` cannot be the name of a server")]
    ServerName {
        host: String,
        #[source]
        source: InvalidDnsNameError,
    },
    #[error("`{host}` cannot be in a header")]
    HostHeader {
        host: String,
        #[source]
        source: http::header::InvalidHeaderValue,
    },
    #[error("could not set up TLS")]
    Tls(#[source] rustls::Error),
}

/// What went wrong with one request to an API server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("could not connect to the API server of cluster {cluster}")]
    Connect {
        cluster: String,
        #[source]
        source: io::Error,
    },
    #[error("the API server of cluster {cluster} did not accept a connection within {} s", DIAL_TIMEOUT.as_secs())]
    Slow { cluster: String },
    #[error("could not speak HTTP with the API server of cluster {cluster}")]
    Http {
        cluster: String,
        #[source]
        source: hyper::Error,
    },
    #[error("could not read the gateway's token in {path}")]
    Token {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the gateway's token in {path} cannot be in a header")]
    TokenText { path: PathBuf },
    #[error("the path cannot be put below that of cluster {cluster}")]
    Path { cluster: String },
}

impl Upstream {
    pub(crate) fn load(cluster: &Cluster) -> Result<Self, UpstreamConfigError> {
        let host = cluster.server.host_str().unwrap_or_default().to_owned();
        let port = cluster.server.port_or_known_default().unwrap_or(443);
        let authority = if port == 443 { host.clone() } else { format!("{host}:{port}") };
        let host_header = HeaderValue::from_str(&authority).map_err(|source| {
            UpstreamConfigError::HostHeader { host: authority.clone(), source }
        })?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = ServerName::try_from(bare.clone())
            .map_err(|source| UpstreamConfigError::ServerName { host: bare.clone(), source })?;
        let token = match &cluster.identity {
            UpstreamIdentity::Certificate { .. } => None,
            UpstreamIdentity::TokenFile(path) => Some(TokenFile::new(path.clone())),
        };
        Ok(Self {
            name: cluster.name.clone(),
            host: bare,
            port,
            host_header,
            server_name,
            tls: Arc::new(client_config(cluster)?),
            base_path: cluster.server.path().trim_end_matches('/').to_owned(),
            token,
            pool: Pool::default(),
        })
    }

    /// A request of plain traffic, on a connection of its own until its answer has been read.
    pub(crate) async fn send_plain(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        self.send(request).await
    }

    /// A privileged request that changes no protocol. Only who has a recording can send it.
    pub(crate) async fn send_recorded(
        &self,
        _recorded: &Begun,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        self.send(request).await
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        self.prepare(&mut request).await?;
        while let Some(mut sender) = self.pool.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.pool.attach(sender, response)),
                Err(mut failed) => match failed.take_message() {
                    // The server had closed it meanwhile, and nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(self.http(failed.into_error())),
                },
            }
        }
        let mut sender = self.dial().await?;
        let sent = sender.send_request(request).await;
        let response = sent.map_err(|source| self.http(source))?;
        Ok(self.pool.attach(sender, response))
    }

    /// A request that may change the protocol, on a connection that is used for nothing else. Only who has a
    /// recording can ask for it.
    pub(crate) async fn send_upgrade(
        &self,
        _recorded: &Begun,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, UpstreamError> {
        self.prepare(&mut request).await?;
        let mut sender = self.dial().await?;
        sender.send_request(request).await.map_err(|source| self.http(source))
    }

    /// Puts the base path before the path, and the gateway's own proof into the headers.
    async fn prepare(&self, request: &mut Request<Body>) -> Result<(), UpstreamError> {
        let rest = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let path: Uri = format!("{}{rest}", self.base_path)
            .parse()
            .map_err(|_invalid| UpstreamError::Path { cluster: self.name.clone() })?;
        *request.uri_mut() = path;
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(HOST, self.host_header.clone());
        headers.remove(AUTHORIZATION);
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header().await?);
        }
        Ok(())
    }

    async fn dial(&self) -> Result<Sender, UpstreamError> {
        let stream = tokio::time::timeout(DIAL_TIMEOUT, self.connect())
            .await
            .map_err(|_elapsed| UpstreamError::Slow { cluster: self.name.clone() })?;
        let connect = |source| UpstreamError::Connect { cluster: self.name.clone(), source };
        let (sender, connection) = http1::Builder::new()
            .max_headers(HEADER_COUNT)
            .max_header_size(HEADER_BYTES)
            .handshake(TokioIo::new(stream.map_err(connect)?))
            .await
            .map_err(|source| self.http(source))?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(error = chain(&error), "upstream connection ended");
            }
        });
        Ok(sender)
    }

    async fn connect(&self) -> io::Result<transport::Io> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        let stream = Socket::of_upstream(stream);
        Ok(tls.connect(self.server_name.clone(), stream).await?.into())
    }

    fn http(&self, source: hyper::Error) -> UpstreamError {
        UpstreamError::Http { cluster: self.name.clone(), source }
    }
}

fn client_config(cluster: &Cluster) -> Result<ClientConfig, UpstreamConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(UpstreamConfigError::Tls)?
        .with_root_certificates(pem::authorities(&cluster.authority)?);
    let mut config = match &cluster.identity {
        UpstreamIdentity::Certificate { certificate, key } => builder
            .with_client_auth_cert(pem::certificates(certificate)?, pem::key(key)?)
            .map_err(|source| UpstreamConfigError::Certificate {
                certificate: certificate.clone(),
                source,
            })?,
        UpstreamIdentity::TokenFile(_) => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
