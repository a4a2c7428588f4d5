//! The gateway as a whole: what every connection shares, how it starts and how it stops.

use crate::activity::{self, Activity};
use crate::admin;
use crate::caller::Cluster;
use crate::chain::chain;
use crate::config::{self, Calls, Config, Limits, Recordings, UpstreamIdentity};
use crate::evidence::Evidence;
use crate::heads::Heads;
use crate::identify::{Identities, IssuerError};
use crate::in_ledger::InLedger;
use crate::listener::{self, ListenError};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::registry::Registry;
use crate::route::Routes;
use crate::upkeep::Keeper;
use crate::upstream::{Upstream, UpstreamConfigError};
use access_checks::{ApiServer, ApiServerConfig, ApiServerConfigError, Credential};
use access_model::Rules;
use ledger_model::{KeyError, SignerKey};
use ledger_store::{AppendError, Ledger, LedgerOptions, ReadError};
use session_record::Ending;
use session_store::{
    ArchiveError, Disk, Found, RealDisk, Recorder, RecorderConfig, Recordings as Stored,
    SpaceLevel, SystemClock,
};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// How long connections may go on after the gateway was told to stop and sessions have ended.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// For the gateway's own questions to an API server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What keeps the gateway from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("cluster {cluster} cannot be used")]
    Cluster {
        cluster: String,
        #[source]
        source: UpstreamConfigError,
    },
    #[error("could not read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cluster {cluster} cannot be asked")]
    ApiServer {
        cluster: String,
        #[source]
        source: ApiServerConfigError,
    },
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error("recordings cannot be written")]
    Recorder(#[source] session_store::StartError),
    #[error("could not read the ledger's key in {path}")]
    ReadKey {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not use the ledger's key in {path}")]
    Key {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error("the ledger cannot be opened")]
    Ledger(#[source] ledger_store::OpenError),
    #[error("the archive of recordings cannot be used")]
    Archive(#[source] Box<ArchiveError>),
    #[error("the ledger's opening was given up")]
    LedgerGivenUp,
    #[error("the ledger's newest entries cannot be read")]
    ReadLedger(#[source] Box<ReadError>),
    #[error("the ledger did not take what was recovered")]
    Recovered(#[source] AppendError),
}

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) places: Places,
    pub(crate) recordings: Recordings,
    pub(crate) calls: Calls,
    pub(crate) rules: Rules,
    pub(crate) identities: Identities,
    pub(crate) routes: Routes,
    pub(crate) evidence: Evidence,
    pub(crate) sessions: Registry,
    pub(crate) heads: Arc<Heads>,
    pub(crate) metrics: Arc<Metrics>,
    /// Cancelled when nobody new is let in.
    pub(crate) stop: CancellationToken,
    /// Cancelled when nothing is left to be told.
    pub(crate) gone: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    pub(crate) gateway: Arc<Gateway>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

/// Starts a gateway; it serves until [`Running::stop`].
///
/// # Errors
/// When a file that the configuration names cannot be used, or an address not be listened on.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    start_on(config, Arc::new(RealDisk)).await
}

/// As [`start`], with recordings on another disk: tests give one that fails.
///
/// # Errors
/// As [`start`].
pub async fn start_on(config: &Config, disk: Arc<dyn Disk>) -> Result<Running, StartError> {
    let tls = listener::tls(&config.listen, &config.clients, &[b"h2", b"http/1.1"])?;
    let routes = routes(config)?;
    let identities = Identities::load(&config.clients)?;
    let metrics = Arc::new(Metrics::default());
    let stored = Stored::new(&config.recordings.folder);
    let keeper = Keeper::new(stored, &config.recordings.upkeep, Arc::clone(&disk));
    let keeper = keeper.map_err(|error| StartError::Archive(Box::new(error)))?;
    let evidence = evidence(config, disk, Arc::clone(&metrics)).await?;
    let gateway = Arc::new(Gateway {
        name: config.name.clone(),
        limits: config.limits.clone(),
        places: Places::new(&config.limits),
        recordings: config.recordings.clone(),
        calls: config.calls,
        rules: config.rules.clone(),
        identities,
        routes,
        evidence,
        sessions: Registry::default(),
        heads: Arc::default(),
        metrics,
        stop: CancellationToken::new(),
        gone: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let (listener, address) = bind(config.listen.address).await?;
    let admin = match config.admin {
        None => None,
        Some(address) => Some(bind(address).await?),
    };
    let admin = admin.map(|(listener, address)| {
        tokio::spawn(admin::serve(Arc::clone(&gateway), listener));
        address
    });
    if let Some(keeper) = keeper {
        let (tasks, gateway) = (gateway.tasks.clone(), Arc::clone(&gateway));
        // Its round is waited for: a deletion that is in the ledger happens.
        let round = async move { keeper.run(&gateway.evidence, gateway.stop.clone()).await };
        tasks.spawn(round);
    }
    tokio::spawn(watch(Arc::clone(&gateway)));
    gateway.tasks.spawn(listener::serve(Arc::clone(&gateway), listener, tls));
    Ok(Running { gateway, address, admin })
}

fn routes(config: &Config) -> Result<Routes, StartError> {
    let mut clusters = Vec::new();
    for cluster in &config.clusters {
        let upstream = Upstream::load(cluster)
            .map_err(|source| StartError::Cluster { cluster: cluster.name.clone(), source })?;
        let api = api_server(cluster, config.clients.service_accounts.clone().unwrap_or_default())?;
        let cluster_of = Cluster { upstream, api, activity: Activity::default() };
        clusters.push((cluster.hosts.clone(), Arc::new(cluster_of)));
    }
    Ok(Routes::new(clusters))
}

fn api_server(cluster: &config::Cluster, audiences: Vec<String>) -> Result<ApiServer, StartError> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|source| StartError::Read { path: path.clone(), source })
    };
    let credential = match &cluster.identity {
        UpstreamIdentity::Certificate { certificate, key } => Credential::Certificate {
            certificates: read(certificate)?,
            key: Zeroizing::new(read(key)?),
        },
        UpstreamIdentity::TokenFile(path) => Credential::TokenFile(path.clone()),
    };
    let server = ApiServerConfig {
        cluster: cluster.name.clone(),
        server: cluster.server.as_str().to_owned(),
        authority: read(&cluster.authority)?,
        credential,
        answer_within: ANSWER_TIMEOUT,
        audiences,
    };
    ApiServer::new(server)
        .map_err(|source| StartError::ApiServer { cluster: cluster.name.clone(), source })
}

/// Opens the ledger and the recorder, and tells the one what the other found.
async fn evidence(
    config: &Config,
    disk: Arc<dyn Disk>,
    metrics: Arc<Metrics>,
) -> Result<Evidence, StartError> {
    let path = config.ledger.key.clone();
    let text = tokio::fs::read_to_string(&path).await;
    let text = text.map_err(|source| StartError::ReadKey { path: path.clone(), source })?;
    let key: SignerKey = text.trim().parse().map_err(|source| StartError::Key { path, source })?;
    let folder = config.ledger.folder.clone();
    let options = LedgerOptions::new(folder, key, &config.name, env!("CARGO_PKG_VERSION"));
    let opened = tokio::task::spawn_blocking(move || Ledger::open(options)).await;
    let ledger =
        opened.map_err(|_panicked| StartError::LedgerGivenUp)?.map_err(StartError::Ledger)?;
    let recordings = &config.recordings;
    let recorder = RecorderConfig {
        commit_interval: recordings.commit_interval,
        stall: config.limits.recorder_stall,
        watermarks: recordings.watermarks,
        ballast_bytes: recordings.ballast,
        ..RecorderConfig::new(recordings.folder.clone(), recordings.readers.clone())
    };
    let clock = Arc::new(SystemClock::start());
    let (recorder, recovered) =
        Recorder::start(recorder, disk, clock).await.map_err(StartError::Recorder)?;
    let evidence = Evidence { recorder, ledger, metrics };
    let began = recovered.iter().filter_map(|recovered| match &recovered.found {
        Found::Sealed { opening, .. } => Some(opening.at_ms),
        Found::NeverBegan { .. } | Found::Unrecovered { .. } => None,
    });
    let known = match began.min() {
        None => InLedger::default(),
        Some(oldest_ms) => {
            evidence.ledger.flush().await.map_err(StartError::Recovered)?;
            let read = InLedger::since(&config.ledger.folder, oldest_ms).await;
            read.map_err(|error| StartError::ReadLedger(Box::new(error)))?
        }
    };
    for found in recovered {
        evidence.recovered(found, &known).await.map_err(StartError::Recovered)?;
    }
    Ok(evidence)
}

pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let bind = |source| ListenError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    Ok((listener, address))
}

/// What goes on beside the connections.
async fn watch(gateway: Arc<Gateway>) {
    tokio::select! {
        () = gateway.gone.cancelled() => {}
        () = gateway.heads.tell(&gateway.evidence) => {}
        () = ledger_failure(&gateway) => {}
    }
}

/// Sessions whose end nobody could prove do not go on.
async fn ledger_failure(gateway: &Gateway) {
    let why = why_failed(gateway).await;
    if !gateway.stop.is_cancelled() {
        tracing::error!(why, "the ledger takes no entries: all sessions end");
    }
    gateway.sessions.end_all(&Ending::RecordingFailed { why: format!("the ledger failed: {why}") });
    gateway.gone.cancelled().await;
}

async fn why_failed(gateway: &Gateway) -> String {
    let mut progress = gateway.evidence.ledger.progress();
    match progress.wait_for(|progress| progress.failed.is_some()).await {
        Ok(progress) => progress.failed.as_ref().map(ToString::to_string).unwrap_or_default(),
        Err(_) => "it was closed".to_owned(),
    }
}

impl Gateway {
    /// Why nobody should be sent here now.
    pub(crate) fn not_ready(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("the gateway is stopping".to_owned());
        }
        if let Some(failure) = &self.evidence.ledger.progress().borrow().failed {
            return Some(format!("the ledger takes no entries: {failure}"));
        }
        let space = *self.evidence.recorder.space().borrow();
        (space.level != SpaceLevel::Enough)
            .then(|| format!("only {} bytes are free for recordings", space.free_bytes))
    }
}

impl Running {
    /// Where it listens, with the port that the system chose where the configuration left it open.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics and health are.
    #[must_use]
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The sessions that are going on.
    #[must_use]
    pub fn sessions(&self) -> &Registry {
        &self.gateway.sessions
    }

    /// What recordings are written with, for whoever shows them.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.gateway.evidence.recorder
    }

    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.gateway.evidence.ledger
    }

    /// Lets nobody new in, tells those who have a session that it ends, seals, and waits for what is still going on.
    pub async fn stop(self) {
        let Self { gateway, address: _, admin: _ } = self;
        gateway.stop.cancel();
        gateway.sessions.end_all(&Ending::GatewayStopped);
        gateway.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, gateway.tasks.wait()).await.is_err() {
            tracing::warn!(open = gateway.tasks.len(), "connections did not end in time");
        }
        for cluster in gateway.routes.clusters() {
            activity::stop(&gateway, cluster).await;
        }
        gateway.gone.cancel();
        if let Err(error) = gateway.evidence.ledger.clone().close().await {
            tracing::error!(error = chain(&error), "the ledger was not closed");
        }
    }
}
