//! A session from the moment at which it may be: its recording began, and ends.
//!
//! [`Begun`] is what the state `RecorderReady` leaves behind. Requests that reach a container, a kubelet or a port are
//! only sent with it at hand ([`crate::upstream::Upstream`] asks for it), so that no way leads past a recording.

use crate::evidence::NoEvidence;
use crate::gateway::Gateway;
use crate::heads::Following;
use crate::metrics::RefusedBy;
use crate::places::Place;
use crate::registry::{Ask, Live, Registered};
use crate::reply::Failure;
use access_model::Verb;
use session_record::{Ending, Opening, SessionId};
use session_store::Recording;
use std::sync::Arc;
use tokio::sync::mpsc;

/// A session whose recording has begun, and is in the ledger.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) recording: Recording,
    asks: mpsc::Receiver<Ask>,
    registered: Registered,
    following: Following,
    place: Place,
}

/// A new id.
pub(crate) fn new_id() -> Result<SessionId, Failure> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_unspecified| {
        Failure::unavailable("there is no randomness for a session's id")
    })?;
    Ok(SessionId(u128::from_be_bytes(bytes)))
}

/// Begins the recording of a session that is allowed.
pub(crate) async fn begin(
    gateway: &Gateway,
    verb: Verb,
    opening: Opening,
) -> Result<Begun, (RefusedBy, Failure)> {
    if gateway.stop.is_cancelled() {
        let failure = Failure::unavailable("the gateway is stopping: try again in a moment");
        return Err((RefusedBy::Stopping, failure));
    }
    let Some(place) = gateway.places.session() else {
        let message =
            format!("the gateway has {} sessions open and takes no more", gateway.limits.sessions);
        return Err((RefusedBy::Limit, Failure::unavailable(message)));
    };
    let recording = match gateway.evidence.begin(opening.clone()).await {
        Ok(recording) => recording,
        Err(error) => return Err((RefusedBy::Recording, unrecorded(&error))),
    };
    let (registered, asks) = gateway.sessions.enter(opening);
    gateway.metrics.session_opened(verb);
    let following = gateway.heads.follow(recording.clone(), Arc::clone(&registered.live));
    Ok(Begun { recording, asks, registered, following, place })
}

fn unrecorded(error: &NoEvidence) -> Failure {
    let why = crate::chain::chain(error);
    tracing::error!(error = why, "a session was refused because it could not be recorded");
    Failure::unavailable(format!("the session cannot be recorded, so it is refused: {why}"))
}

impl Begun {
    pub(crate) fn id(&self) -> SessionId {
        self.recording.session()
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.registered.live
    }

    /// What a loop waits for, apart.
    pub(crate) fn parts(&mut self) -> (&Recording, &Live, &mut mpsc::Receiver<Ask>) {
        (&self.recording, &self.registered.live, &mut self.asks)
    }

    /// Ends the session's evidence. Nothing passes any more when this is called.
    pub(crate) async fn end(self, gateway: &Gateway, ending: Ending) {
        let Self { recording, asks, registered, following, place } = self;
        drop((asks, following));
        let (from_client, to_client) = registered.live.bytes();
        gateway.metrics.bytes(from_client, to_client);
        gateway.metrics.session_ended(&ending);
        let session = recording.session();
        tracing::info!(%session, ending = crate::metrics::ending_word(&ending), "a session is over");
        if let Ending::Killed { by, why } = &ending {
            gateway.evidence.killed(session, by, why).await;
        }
        gateway.evidence.end(recording, ending).await;
        drop((registered, place));
    }
}
