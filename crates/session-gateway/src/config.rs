//! What the gateway is told: which address, whom to believe, which clusters, which limits.
//!
//! Text in, values out; files that the configuration names are opened by who needs them. Everything that is
//! wrong is a finding with its place. `docs/gateway-config.md` is the reference.

mod lower;
mod quantity;
mod raw;

use finding_model::{FileId, Finding};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// A configuration whose values make sense by themselves.
#[derive(Debug, Clone)]
pub struct Config {
    /// How recordings and the ledger call this gateway.
    pub name: String,
    pub listen: Listen,
    /// Where metrics and health are served, in plain HTTP: a loopback address.
    pub admin: Option<SocketAddr>,
    pub clients: Clients,
    /// At least one; names are unique.
    pub clusters: Vec<Cluster>,
    pub limits: Limits,
}

#[derive(Debug, Clone)]
pub struct Listen {
    pub address: SocketAddr,
    /// PEM, leaf first.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How callers may prove who they are.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Who signs client certificates (PEM).
    pub certificate_authority: Option<PathBuf>,
}

/// An API server, and as whom the gateway speaks to it.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub name: String,
    /// `https`, with a host; its path is put before every request's.
    pub server: Url,
    pub authority: PathBuf,
    pub identity: UpstreamIdentity,
    /// Names of the gateway under which this cluster is at the root instead of below `/clusters/NAME`.
    pub hosts: Vec<String>,
}

/// The gateway's own proof.
#[derive(Debug, Clone)]
pub enum UpstreamIdentity {
    Certificate { certificate: PathBuf, key: PathBuf },
    /// Read again whenever it has changed.
    TokenFile(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Limits {
    pub connections: usize,
    pub sessions: usize,
    /// How long a session may last.
    pub duration: Duration,
    /// How long a session may be silent in both directions.
    pub idle: Duration,
    /// How long a recording may take to accept or keep an event before its session ends.
    pub recorder_stall: Duration,
    /// The longest WebSocket message of a peer, in bytes.
    pub message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            sessions: 10_000,
            duration: Duration::from_hours(12),
            idle: Duration::from_hours(4),
            recorder_stall: Duration::from_secs(10),
            message: 16 << 20,
        }
    }
}

impl Config {
    /// Reads a configuration. Relative paths are below `folder`, which is where its file is.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, file: FileId, folder: &Path) -> Result<Self, Vec<Finding>> {
        lower::parse(text, file, folder)
    }
}
