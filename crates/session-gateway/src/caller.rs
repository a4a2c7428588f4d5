//! Who calls, from where, and for which cluster.

use crate::activity::Activity;
use crate::places::Socket;
use crate::upstream::Upstream;
use access_checks::ApiServer;
use access_model::Identity;
use http::HeaderMap;
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use tokio_rustls::TlsStream;

/// What a connection is before any request: its other end, and the certificate that was proven in TLS.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) address: SocketAddr,
    /// Leaf first. It was checked against the authority, and was valid when the connection began.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Connection {
    pub(crate) fn of(stream: &TlsStream<Socket>, address: SocketAddr) -> Self {
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let owned = certificates.iter().map(|certificate| certificate.clone().into_owned());
        Self { address, certificates: owned.collect() }
    }
}

/// A cluster: the way for requests of callers, and for the gateway's own questions.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) upstream: Upstream,
    pub(crate) api: ApiServer,
    pub(crate) activity: Activity,
}

/// A caller whose proof was checked, and what it says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) address: SocketAddr,
    pub(crate) user_agent: Option<String>,
    pub(crate) kubectl_session: Option<String>,
    pub(crate) kubectl_command: Option<String>,
    /// Why, where the caller says so.
    pub(crate) reason: Option<String>,
}

/// Longer ones are cut: nothing is decided by them.
const LONGEST_SELF_DESCRIPTION: usize = 512;

impl Caller {
    pub(crate) fn new(
        identity: Identity,
        address: SocketAddr,
        headers: &HeaderMap,
        reason: Option<String>,
    ) -> Self {
        Self {
            identity,
            address,
            user_agent: described(headers, "user-agent"),
            kubectl_session: described(headers, "kubectl-session"),
            kubectl_command: described(headers, "kubectl-command"),
            reason,
        }
    }
}

fn described(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut text = String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned();
    text.truncate(text.floor_char_boundary(LONGEST_SELF_DESCRIPTION));
    Some(text)
}
