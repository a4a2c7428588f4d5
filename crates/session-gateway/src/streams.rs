//! Sessions with streams: commands, and forwarded ports.
//!
//! A command's client is let in first and told everything as the command's status: whatever an upgrade is refused
//! with, clients take it for a missing protocol and ask again in another. Forwarded ports have no place for a status
//! before the first connection, so there the answer to the request says it.

use crate::authorise::{self, Admitted, SessionLimits, Wanted};
use crate::body::Body;
use crate::dial::{self, Call, DialError};
use crate::gateway::Gateway;
use crate::leg::Leg;
use crate::protocols::{self, Chosen, Purpose};
use crate::pump::{Over, Pump};
use crate::reply::Failure;
use crate::session::Begun;
use crate::transport::{self, Io};
use crate::{impersonate, upgrade};
use access_model::Transport;
use bytes::Bytes;
use http::{HeaderMap, Response, Uri};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use session_proto::Status;
use session_record::{Ending, Event};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tungstenite::protocol::Role;

/// What runtimes give their clients.
const STREAMS_TIMEOUT: Duration = Duration::from_secs(30);
/// For what the gateway still writes into a recording that may have failed.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);
/// With this exit code a command's client ends when the gateway ended its session.
const ENDED_BY_GATEWAY: u8 = 125;

/// A client that asks for a session with streams, and how it will be spoken to.
struct Asking {
    gateway: Arc<Gateway>,
    wanted: Wanted,
    call: Call,
    chosen: Chosen,
    is_web_socket: bool,
    upgrade: OnUpgrade,
}

/// Answers a request for a session with streams. The session itself is a task of its own.
pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    mut wanted: Wanted,
    headers: HeaderMap,
    purpose: Purpose,
    upgrade: OnUpgrade,
) -> Result<Response<Body>, Failure> {
    let Some(transport) = wanted.request.transport() else {
        return Err(Failure::bad_request("the request asks for no stream"));
    };
    let Some(chosen) = protocols::with_client(transport, &purpose) else {
        return match transport {
            Transport::Spdy { .. } => {
                Ok(upgrade::no_spdy_protocol(&protocols::over_spdy(&purpose)))
            }
            Transport::WebSocket { protocols } => {
                let message =
                    format!("the gateway speaks none of the protocols {}", protocols.join(", "));
                Err(Failure::bad_request(message))
            }
        };
    };
    let (answer, is_web_socket) = match transport {
        Transport::WebSocket { .. } => {
            let accept = upgrade::accept(&headers)?;
            (upgrade::switch_to_web_socket(accept, chosen.name), true)
        }
        Transport::Spdy { .. } => (upgrade::switch_to_spdy(chosen.name), false),
    };
    wanted.protocol.clone_from(&chosen.shown);
    let is_forward = matches!(purpose, Purpose::Forward { .. });
    let call = Call { target: target(&wanted)?, headers: passed_on(&wanted, &headers)?, purpose };
    let gateway = Arc::clone(gateway);
    let asking = Asking { gateway, wanted, call, chosen, is_web_socket, upgrade };
    let tasks = asking.gateway.tasks.clone();
    if is_forward {
        // A task of its own, so that a client that goes away meanwhile leaves no recording without an end.
        let (decided, decision) = oneshot::channel();
        tasks.spawn(forward(asking, decided));
        let gone = || Failure::unavailable("the session ended before it began");
        decision.await.unwrap_or_else(|_| Err(gone()))?;
    } else {
        tasks.spawn(command(asking));
    }
    Ok(answer)
}

/// Lets the client in, and decides then.
async fn command(asking: Asking) {
    let Asking { gateway, wanted, call, chosen, is_web_socket, upgrade } = asking;
    let Some(mut client) = client_leg(&gateway, upgrade, chosen, is_web_socket).await else {
        return;
    };
    let early = match client.ready(STREAMS_TIMEOUT).await {
        Ok(early) => early,
        Err(error) => {
            tracing::debug!(error = crate::chain::chain(&error), "a client did not get ready");
            return;
        }
    };
    let Admitted { begun, limits } = match authorise::admit(&gateway, &wanted).await {
        Ok(admitted) => admitted,
        Err(failure) => {
            say(&mut client, &Event::Status { text: failure.status().into() });
            client.close().await;
            return;
        }
    };
    match reach(&gateway, &wanted, &begun, call).await {
        Ok((upstream, from_upstream)) => {
            drop(wanted);
            run(gateway, begun, limits, (client, upstream), (early, from_upstream)).await;
        }
        Err((ending, status)) => {
            if let Some(text) = status {
                let event = Event::Status { text };
                record(&begun, event.clone()).await;
                say(&mut client, &event);
                tokio::join!(client.close(), begun.end(&gateway, ending));
            } else {
                end(&gateway, Over { ending, client, begun }).await;
            }
        }
    }
}

/// Decides, and lets the client in then.
async fn forward(asking: Asking, decided: oneshot::Sender<Result<(), Failure>>) {
    let Asking { gateway, wanted, call, chosen, is_web_socket, upgrade } = asking;
    let Admitted { begun, limits } = match authorise::admit(&gateway, &wanted).await {
        Ok(admitted) => admitted,
        Err(failure) => {
            // Whoever went away does not hear it.
            let _heard = decided.send(Err(failure));
            return;
        }
    };
    let (upstream, from_upstream) = match reach(&gateway, &wanted, &begun, call).await {
        Ok(reached) => reached,
        Err((ending, status)) => {
            let failure = Failure::of_status(status.as_deref().unwrap_or_default());
            let _heard = decided.send(Err(failure));
            begun.end(&gateway, ending).await;
            return;
        }
    };
    let client = match decided.send(Ok(())) {
        Ok(()) => client_leg(&gateway, upgrade, chosen, is_web_socket).await,
        Err(_) => None,
    };
    match client {
        Some(client) => {
            run(gateway, begun, limits, (client, upstream), (Vec::new(), from_upstream)).await;
        }
        None => {
            drop(upstream);
            begun.end(&gateway, Ending::ClientLeft).await;
        }
    }
}

fn target(wanted: &Wanted) -> Result<Uri, Failure> {
    let target = wanted.request.target().parse();
    target.map_err(|_invalid| Failure::bad_request("the path of the request cannot be read"))
}

/// Who calls, and what the client says of itself; nothing else of a client's headers is for the cluster.
fn passed_on(wanted: &Wanted, headers: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut passed_on = HeaderMap::new();
    for name in ["user-agent", "kubectl-command", "kubectl-session"] {
        if let Some(value) = headers.get(name) {
            passed_on.insert(name, value.clone());
        }
    }
    impersonate::add(&mut passed_on, &wanted.caller.identity, None)?;
    Ok(passed_on)
}

/// The client's side, once its connection speaks the other protocol.
async fn client_leg(
    gateway: &Gateway,
    upgrade: OnUpgrade,
    chosen: Chosen,
    is_web_socket: bool,
) -> Option<Leg> {
    let upgraded = upgrade.await.ok()?;
    let parts = upgraded.downcast::<TokioIo<Io>>().ok()?;
    let (io, read): (Io, Bytes) = (parts.io.into_inner(), parts.read_buf);
    Some(if is_web_socket {
        let longest = gateway.limits.message;
        let wire = transport::web_socket(io, &read, Role::Server, longest).await;
        Leg::web_socket(wire, chosen.codec)
    } else {
        Leg::spdy(transport::byte_stream(io, &read), chosen.codec)
    })
}

/// The cluster's side, or how the session ends without it, and the status that says so.
async fn reach(
    gateway: &Gateway,
    wanted: &Wanted,
    begun: &Begun,
    mut call: Call,
) -> Result<(Leg, Vec<Event>), (Ending, Option<Bytes>)> {
    if let Err(failure) = impersonate::add_session(&mut call.headers, begun.id()) {
        let why = failure.message.clone();
        return Err((Ending::UpstreamLeft { why }, Some(failure.status().into())));
    }
    let dialled = tokio::select! {
        ending = begun.live().ended() => return Err((ending, None)),
        dialled = dial::dial(&wanted.cluster.upstream, begun, &call, gateway.limits.message) => dialled,
    };
    dialled.map_err(|error: DialError| {
        let why = crate::chain::chain(&error);
        tracing::info!(session = %begun.id(), error = why, "the cluster's side did not come about");
        (Ending::UpstreamLeft { why }, Some(error.status()))
    })
}

async fn run(
    gateway: Arc<Gateway>,
    begun: Begun,
    limits: SessionLimits,
    legs: (Leg, Leg),
    (from_client, from_upstream): (Vec<Event>, Vec<Event>),
) {
    let pump = Pump::new(legs, begun, Arc::clone(&gateway), limits);
    let over = pump.run(from_client, from_upstream).await;
    end(&gateway, over).await;
}

/// Tells the person what there is to tell, and seals. Neither waits for the other.
async fn end(gateway: &Gateway, over: Over) {
    let Over { ending, mut client, begun } = over;
    if let Some(text) = farewell(&ending) {
        let notice = Event::Notice { text };
        record(&begun, notice.clone()).await;
        say(&mut client, &notice);
        say(
            &mut client,
            &Event::Status { text: Status::Exited { code: ENDED_BY_GATEWAY }.to_json().into() },
        );
    }
    tokio::join!(client.close(), begun.end(gateway, ending));
}

/// Into a recording that may have failed. It says less then, and nothing else depends on it.
async fn record(begun: &Begun, event: Event) {
    let recorded = begun.recording.record(event);
    match tokio::time::timeout(LAST_WORDS_TIMEOUT, recorded).await {
        Ok(Ok(_position)) => {}
        Ok(Err(error)) => {
            let error = crate::chain::chain(&error);
            tracing::warn!(session = %begun.id(), error, "a recording lacks its last words");
        }
        Err(_) => tracing::warn!(session = %begun.id(), "a recording lacks its last words"),
    }
}

/// To a client whose protocol may have no words for it.
fn say(client: &mut Leg, event: &Event) {
    if let Err(violation) = client.encode(event) {
        tracing::debug!(error = crate::chain::chain(&violation), "a client is not told");
    }
}

/// What the person is told when the gateway ended the session, or the cluster did without a status.
fn farewell(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Finished { .. } | Ending::ClientLeft | Ending::Recovered => None,
        Ending::UpstreamLeft { why } => Some(format!("the cluster ended the session: {why}")),
        Ending::Killed { by, why } => Some(format!("{by} ended the session: {why}")),
        Ending::Limit { which } => Some(format!("the session ended: {which}")),
        Ending::RecordingFailed { why } => {
            Some(format!("the session ended because it can no longer be recorded: {why}"))
        }
        Ending::Protocol { why } => Some(format!("the session ended: {why}")),
        Ending::GatewayStopped => Some("the session ended: the gateway is stopping".to_owned()),
    }
}
