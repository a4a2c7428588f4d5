//! The recording of plain API traffic: one for each cluster, begun anew now and then, so that it can be read, kept and
//! removed in parts.
//!
//! A call that is to be recorded and cannot be does not go on.

use crate::caller::Cluster;
use crate::chain::chain;
use crate::clock;
use crate::gateway::Gateway;
use crate::registry::Phase;
use crate::session::{self, Begun};
use access_model::Verb;
use session_record::{Access, Client, Ending, Event, Opening, SessionId, User};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A recording is ended after this time, or after so many calls.
const LONGEST: Duration = Duration::from_hours(1);
const MOST_CALLS: u64 = 100_000;

/// A cluster's recording of calls, where there is one.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    begun: Begun,
    since: Instant,
    calls: u64,
}

/// Which call of which recording it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    recording: SessionId,
    call: u64,
}

/// Records what is asked for, as the record that `make` gives it for its number. When this returns, it may be.
pub(crate) async fn asked(
    gateway: &Gateway,
    cluster: &Cluster,
    make: impl FnOnce(u64) -> Event,
) -> Result<Recorded, String> {
    let mut current = cluster.activity.current.lock().await;
    rotate(gateway, &mut current).await;
    let current = match &mut *current {
        Some(current) => current,
        none => none.insert(Current {
            begun: begin(gateway, cluster).await?,
            since: Instant::now(),
            calls: 0,
        }),
    };
    let call = current.calls;
    current.calls += 1;
    let (recording, session) = (current.begun.recording.clone(), current.begun.id());
    let event = make(call);
    current.begun.live().passed(&event);
    let position = recording.record(event).await.map_err(|error| chain(&error))?;
    let waits = recording.durable(position);
    waits.await.map_err(|error| chain(&error))?;
    Ok(Recorded { recording: session, call })
}

/// Records what came of it, in whichever recording is the current one. The call is over, so that nothing depends on it
/// but what is known of it.
pub(crate) async fn answered(
    gateway: &Gateway,
    cluster: &Cluster,
    recorded: Recorded,
    outcome: Result<u16, String>,
) {
    let mut current = cluster.activity.current.lock().await;
    let Some(current) = current.as_mut() else { return };
    let event = crate::call_record::answered(recorded.call, recorded.recording, outcome);
    current.begun.live().passed(&event);
    if let Err(error) = current.begun.recording.record(event).await {
        let error = chain(&error);
        tracing::warn!(gateway = gateway.name, error, "what came of a call is not recorded");
    }
}

/// Ends what is old, or what somebody ended.
async fn rotate(gateway: &Gateway, current: &mut Option<Current>) {
    let is_over = |current: &Current| {
        current.since.elapsed() >= LONGEST
            || current.calls >= MOST_CALLS
            || current.begun.live().ending().is_some()
    };
    if current.as_ref().is_some_and(is_over)
        && let Some(over) = current.take()
    {
        let ending = over.begun.live().ending();
        over.begun.end(gateway, ending.unwrap_or(Ending::Finished { exit_code: None })).await;
    }
}

/// Ends a cluster's recording of calls.
pub(crate) async fn stop(gateway: &Gateway, cluster: &Cluster) {
    if let Some(over) = cluster.activity.current.lock().await.take() {
        over.begun.end(gateway, Ending::GatewayStopped).await;
    }
}

async fn begin(gateway: &Gateway, cluster: &Cluster) -> Result<Begun, String> {
    let opening = Opening {
        session: session::new_id().map_err(|failure| failure.message)?,
        at_ms: clock::now_ms(),
        gateway: gateway.name.clone(),
        cluster: cluster.upstream.name.clone(),
        user: User {
            name: format!("gateway {}", gateway.name),
            uid: None,
            groups: Vec::new(),
            proof: "the gateway itself, for all callers".to_owned(),
        },
        client: Client {
            address: String::new(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: String::new(),
        },
        access: Access {
            verb: Verb::Api.word().to_owned(),
            namespace: None,
            name: None,
            uid: None,
            container: None,
            command: Vec::new(),
            terminal: false,
        },
        reason: None,
        rule: "activity".to_owned(),
        durability: gateway.recordings.of_others,
    };
    let begun = session::begin(gateway, Verb::Api, opening).await;
    let begun = begun.map_err(|(_, failure)| failure.message)?;
    begun.live().enter(Phase::Running);
    Ok(begun)
}
