//! What the gateway is told: which address, whom to believe, which clusters, which limits.
//!
//! Text in, values out; files that the configuration names are opened by who needs them. Everything that is
//! wrong is a finding with its place. `docs/gateway-config.md` is the reference.

mod clients;
mod console;
mod lower;
mod quantity;
mod raw;
mod recordings;
mod rules;
mod times;

use access_checks::OidcConfig;
use access_model::{Rules, SessionGrants};
use finding_model::{FileId, Finding};
use session_record::Durability;
use session_store::{Readers, S3Config, Watermarks};
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
    /// Where recordings are shown, and to whom.
    pub console: Option<Console>,
    pub clients: Clients,
    /// At least one; names are unique.
    pub clusters: Vec<Cluster>,
    pub rules: Rules,
    pub calls: Calls,
    pub recordings: Recordings,
    pub ledger: Ledger,
    pub limits: Limits,
}

#[derive(Debug, Clone)]
pub struct Listen {
    pub address: SocketAddr,
    /// PEM, leaf first.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Where sessions are shown: `docs/sessions-api.md`.
#[derive(Debug, Clone)]
pub struct Console {
    /// Another address than clients of clusters use, with its own certificate where one is named.
    pub listen: Listen,
    /// Files of age identities that open recordings. Without one, facts are shown and what is live.
    pub identities: Vec<PathBuf>,
    pub grants: SessionGrants,
}

/// How callers may prove who they are.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Who signs client certificates (PEM).
    pub certificate_authority: Option<PathBuf>,
    pub oidc: Vec<Issuer>,
    /// Whether tokens of a cluster's service accounts are good for that cluster, and for whom they have to be.
    pub service_accounts: Option<Vec<String>>,
}

/// An OIDC issuer, and the file with its server's authority where it has one of its own.
#[derive(Debug, Clone)]
pub struct Issuer {
    pub oidc: OidcConfig,
    pub authority: Option<PathBuf>,
}

/// Which calls of plain API traffic are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    None,
    Mutations,
    All,
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
    Certificate {
        certificate: PathBuf,
        key: PathBuf,
    },
    /// Read again whenever it has changed.
    TokenFile(PathBuf),
}

/// Where recordings are written, for whom, and what may go on when.
#[derive(Debug, Clone)]
pub struct Recordings {
    pub folder: PathBuf,
    pub readers: Readers,
    /// For sessions with a terminal.
    pub of_terminals: Durability,
    pub of_others: Durability,
    pub commit_interval: Duration,
    pub watermarks: Watermarks,
    pub ballast: u64,
    pub upkeep: Upkeep,
}

/// What becomes of recordings that are over.
#[derive(Debug, Clone)]
pub struct Upkeep {
    pub archive: Option<ArchiveTo>,
    /// How long a recording is kept after its end; for ever where nothing is said.
    pub keep: Option<Duration>,
    pub every: Duration,
}

/// Object storage to which recordings are copied.
#[derive(Debug, Clone)]
pub struct ArchiveTo {
    pub storage: S3Config,
    pub prefix: String,
}

#[derive(Debug, Clone)]
pub struct Ledger {
    pub folder: PathBuf,
    /// The secret key that signs checkpoints, as `weir ledger key` writes it.
    pub key: PathBuf,
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Of clients, sessions' among them.
    pub connections: usize,
    /// That are answered at once, watches among them.
    pub requests: usize,
    pub sessions: usize,
    /// How long a session may last.
    pub duration: Duration,
    /// How long a session may be silent in both directions.
    pub idle: Duration,
    /// How long a recording may take to accept or keep an event before its session ends.
    pub recorder_stall: Duration,
    /// How often both sides of a session are pinged.
    pub ping: Duration,
    /// The longest WebSocket message of a peer, in bytes.
    pub message: usize,
    /// Whether sessions go on when the proof of who the caller is has expired.
    pub outlast_proof: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            requests: 20_000,
            sessions: 10_000,
            duration: Duration::from_hours(12),
            idle: Duration::from_hours(4),
            recorder_stall: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            message: 16 << 20,
            outlast_proof: false,
        }
    }
}

/// Files that are open whatever goes on: of the ledger, of recordings that are sealed, of the console, of idle connections
/// to API servers.
const OTHER_FILES: usize = 512;

impl Limits {
    /// As much as this many open files have room for. A client's connection is a file, and another to the API server while
    /// it asks for a session; a session is a connection with one to the API server and one file of its recording; a
    /// request is one to the API server.
    pub(crate) fn within_files(mut self, files: usize) -> Self {
        let files = files.saturating_sub(OTHER_FILES);
        self.sessions = self.sessions.min(files / 10 * 3);
        let rest = files - self.sessions;
        self.connections = self.connections.min(rest / 7 * 3);
        self.requests = self.requests.min(rest - 2 * self.connections);
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_files_are_enough_for_all_that_is_allowed() {
        for files in [0, 511, 512, 600, 1024, 20_000, 70_512, 1 << 20, usize::MAX] {
            let limits = Limits::default().within_files(files);
            let Limits { connections, requests, sessions, .. } = limits;
            let most = connections * 2 + requests + sessions;
            assert!(most <= files.saturating_sub(OTHER_FILES), "{files}: {limits:?}");
            assert!(sessions <= connections, "{files}: a session is a connection");
        }
        let Limits { connections, requests, sessions, .. } = Limits::default().within_files(70_512);
        assert_eq!((connections, requests, sessions), (20_000, 20_000, 10_000));
        assert!(Limits::default().within_files(20_000).sessions >= 5000);
    }
}
