//! Who calls, from where, and how it came to be known.

use access_model::Identity;
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;

/// What a connection is before any request: its other end, and the certificate that was proven in TLS.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: SocketAddr,
    /// Leaf first. It was checked against the authority, and was valid when the connection began.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

/// A caller whose proof was checked.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) address: SocketAddr,
}
