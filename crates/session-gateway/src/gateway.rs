//! The gateway as a whole: what every connection shares, how it starts and how it stops.

use crate::config::{Config, Limits};
use crate::listener::{self, ListenError};
use crate::route::Routes;
use crate::upstream::{Upstream, UpstreamConfigError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long connections may go on after the gateway was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

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
}

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) routes: Routes,
    /// Cancelled when nobody new is let in.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Running {
    gateway: Arc<Gateway>,
    address: SocketAddr,
}

/// Starts a gateway; it serves until [`Running::stop`].
///
/// # Errors
/// When a file that the configuration names cannot be used, or an address not be listened on.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    let tls = listener::tls(config)?;
    let mut clusters = Vec::new();
    for cluster in &config.clusters {
        let upstream = Upstream::load(cluster).map_err(|source| StartError::Cluster {
            cluster: cluster.name.clone(),
            source,
        })?;
        clusters.push((cluster.hosts.clone(), Arc::new(upstream)));
    }
    let gateway = Arc::new(Gateway {
        name: config.name.clone(),
        limits: config.limits.clone(),
        routes: Routes::new(clusters),
        stop: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let bind = |source| ListenError::Bind { address: config.listen.address, source };
    let listener = TcpListener::bind(config.listen.address).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    gateway.tasks.spawn(listener::serve(Arc::clone(&gateway), listener, tls));
    Ok(Running { gateway, address })
}

impl Running {
    /// Where it listens, with the port that the system chose where the configuration left it open.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nobody new in, and waits for what is going on to end.
    pub async fn stop(self) {
        let Self { gateway, address: _ } = self;
        gateway.stop.cancel();
        gateway.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, gateway.tasks.wait()).await.is_err() {
            tracing::warn!(open = gateway.tasks.len(), "connections did not end in time");
        }
    }
}
