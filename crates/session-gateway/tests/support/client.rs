//! A client of the gateway: HTTP/1.1 or HTTP/2 over TLS, or the bare TLS stream.

use crate::pki::Leaf;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) type Body = BoxBody<Bytes, io::Error>;
pub(crate) type Sent = Request<Body>;

pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    authority: String,
    leaf: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    bearer: Option<String>,
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

pub(crate) fn get(path: &str) -> Sent {
    Request::get(path).header("host", "gateway").body(body("")).unwrap()
}

impl Client {
    pub(crate) fn new(address: SocketAddr, authority: String, leaf: Option<&Leaf>) -> Self {
        let leaf = leaf.map(|leaf| {
            let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes());
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            (chain.map(Result::unwrap).collect(), key)
        });
        Self { address, authority, leaf, bearer: None }
    }

    /// The same with a token in each request.
    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { bearer: Some(format!("Bearer {token}")), ..self }
    }

    pub(crate) fn prove(&self, request: &mut Sent) {
        if let Some(bearer) = &self.bearer {
            request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
        }
    }

    pub(crate) async fn tls(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.authority.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.leaf {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("gateway").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    pub(crate) async fn http1(&self) -> http1::SendRequest<Body> {
        let io = TokioIo::new(self.tls(&["http/1.1"]).await);
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        sender
    }

    pub(crate) async fn http2(&self) -> http2::SendRequest<Body> {
        let io = TokioIo::new(self.tls(&["h2"]).await);
        let (sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// One request over HTTP/1.1, and the whole answer.
    pub(crate) async fn send(&self, mut request: Sent) -> (u16, String) {
        self.prove(&mut request);
        let mut sender = self.http1().await;
        read(sender.send_request(request).await.unwrap()).await
    }
}

pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8_lossy(&bytes).into_owned())
}
