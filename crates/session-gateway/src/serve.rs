//! A gateway as a process: until it is told to stop.

use crate::config::{Config, Limits};
use crate::gateway::{Running, StartError, start};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// What ended a gateway that should have served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("could not turn core files off")]
    Core(#[source] io::Error),
    #[error("could not learn or raise the limit of open files")]
    Files(#[source] io::Error),
    #[error("could not start threads")]
    Runtime(#[source] io::Error),
    #[error("could not listen for signals")]
    Signals(#[source] io::Error),
    #[error("the gateway could not start")]
    Start(#[source] StartError),
    #[error("the gateway's console could not start")]
    Console(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Serves until SIGTERM or SIGINT; then sessions are told, ended and sealed.
///
/// # Errors
/// When it cannot start.
pub fn serve(config: &Config) -> Result<(), ServeError> {
    serve_with(config, async |_running| Ok::<(), std::convert::Infallible>(()))
}

/// As [`serve`], with what is opened beside the gateway once it runs: the console.
///
/// # Errors
/// When it cannot start, or what is beside it cannot.
pub fn serve_with<E>(
    config: &Config,
    beside: impl AsyncFnOnce(&Running) -> Result<(), E>,
) -> Result<(), ServeError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    // A core file would have keys and content of sessions in it.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|error| ServeError::Core(io::Error::from(error)))?;
    let mut config = config.clone();
    config.limits = within_open_files(&config.limits)
        .map_err(|error| ServeError::Files(io::Error::from(error)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("gateway")
        .build()
        .map_err(ServeError::Runtime)?;
    runtime.block_on(until_signal(&config, beside))
}

/// Raises the limit of open files as far as the process may, and lowers what the configuration allows to what there is
/// room for: a recorder or a ledger that can open no file would end everybody's sessions.
fn within_open_files(limits: &Limits) -> nix::Result<Limits> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let fitting = limits.clone().within_files(usize::try_from(most).unwrap_or(usize::MAX));
    let counts = |limits: &Limits| (limits.connections, limits.requests, limits.sessions);
    if counts(&fitting) != counts(limits) {
        tracing::warn!(
            open_files = most,
            connections = fitting.connections,
            requests = fitting.requests,
            sessions = fitting.sessions,
            "the limit of open files has room for fewer connections, requests and sessions than the configuration \
             allows: raise it (LimitNOFILE= of a service, a runtime's ulimits), or lower `limits`",
        );
    }
    Ok(fitting)
}

async fn until_signal<E>(
    config: &Config,
    beside: impl AsyncFnOnce(&Running) -> Result<(), E>,
) -> Result<(), ServeError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let running = start(config).await.map_err(ServeError::Start)?;
    if let Err(error) = beside(&running).await {
        running.stop().await;
        return Err(ServeError::Console(Box::new(error)));
    }
    tracing::info!(address = %running.address(), name = config.name, "the gateway serves");
    let word = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = word, open = running.sessions().len(), "the gateway stops");
    running.stop().await;
    Ok(())
}
