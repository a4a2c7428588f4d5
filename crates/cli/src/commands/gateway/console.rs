//! The console beside a gateway: `session-api` with what the gateway has, on an address of its own.

use session_api::{Api, ApiConfig, Caller, Going, NotDone, Unproven};
use session_gateway::config::Console;
use session_gateway::{AskError, Config, ListenError, Phase, Registry, Running, ServeError};
use session_record::SessionId;
use session_store::{AgeIdentities, UnwrapKey, WrapError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long who watches a session may take nothing while something waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What keeps the console from being opened.
#[derive(Debug, thiserror::Error)]
enum ConsoleError {
    #[error("could not read the identities in {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is no file of age identities")]
    Identities {
        path: PathBuf,
        #[source]
        source: WrapError,
    },
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Serves a gateway, with its console where the configuration has one.
pub(crate) fn serve(config: &Config) -> Result<(), ServeError> {
    session_gateway::serve_with(config, async |running| match &config.console {
        Some(console) => open(config, console, running).await,
        None => Ok(()),
    })
}

async fn open(config: &Config, console: &Console, running: &Running) -> Result<(), ConsoleError> {
    let told = ApiConfig {
        recordings: config.recordings.folder.clone(),
        ledger: config.ledger.folder.clone(),
        grants: console.grants.clone(),
        keys: keys(console)?,
        patience: PATIENCE,
    };
    let going = Arc::new(OfGateway(running.sessions().clone()));
    let api = Api::new(told, running.recorder().clone(), running.ledger().clone(), going);
    let answering = api.clone();
    let opened = running.open_console(console, &config.clients, move |visitor, request| {
        let api = answering.clone();
        async move {
            let (mut parts, body) = request.into_parts();
            // The page itself is no secret, and nobody has to be asked about a proof for it.
            if parts.uri.path().starts_with("/api/") {
                let proven = visitor.identity(&parts.headers).await;
                parts.extensions.insert(Caller(
                    proven
                        .map_err(|error| Unproven { status: error.status, message: error.message }),
                ));
            }
            api.answer(parts, body).await
        }
    });
    opened.await?;
    tokio::spawn(async move { api.prepare().await });
    Ok(())
}

fn keys(console: &Console) -> Result<Vec<Arc<dyn UnwrapKey>>, ConsoleError> {
    let mut keys: Vec<Arc<dyn UnwrapKey>> = Vec::new();
    for path in &console.identities {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConsoleError::Read { path: path.clone(), source })?;
        let identities = AgeIdentities::parse(&text)
            .map_err(|source| ConsoleError::Identities { path: path.clone(), source })?;
        keys.push(Arc::new(identities));
    }
    Ok(keys)
}

/// The gateway's sessions, as the API asks for them.
#[derive(Debug)]
struct OfGateway(Registry);

impl Going for OfGateway {
    fn phase(&self, session: SessionId) -> Option<session_api::Phase> {
        Some(match self.0.find(session)?.phase {
            Phase::Opening | Phase::Running => session_api::Phase::Running,
            Phase::Frozen => session_api::Phase::Frozen,
            Phase::Sealing => session_api::Phase::Ending,
        })
    }

    fn kill(&self, session: SessionId, by: &str, why: &str) -> Result<(), NotDone> {
        self.0.kill(session, by, why).map_err(not_done)
    }

    fn freeze(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.0.freeze(session, by).map_err(not_done)
    }

    fn thaw(&self, session: SessionId, by: &str) -> Result<(), NotDone> {
        self.0.thaw(session, by).map_err(not_done)
    }
}

const fn not_done(error: AskError) -> NotDone {
    match error {
        AskError::NoSuchSession => NotDone::NotGoing,
        AskError::Busy => NotDone::Busy,
    }
}
