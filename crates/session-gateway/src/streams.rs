//! Sessions with streams: commands, and forwarded ports.
//!
//! A command's client is let in first and told everything as the command's status: whatever an upgrade is refused
//! with, clients take it for a missing protocol and ask again in another. Forwarded ports have no place for a status
//! before the first connection, so there the answer to the request says it.

use crate::authorise::{self, Wanted};
use crate::body::Body;
use crate::dial::{self, Call, DialError};
use crate::gateway::Gateway;
use crate::leg::Leg;
use crate::protocols::{self, Chosen, Purpose};
use crate::pump::{Deadlines, Mode, Over, Pump};
use crate::reply::Failure;
use crate::session::Begun;
use crate::transport::{self, Io};
use crate::upgrade;
use access_model::Transport;
use bytes::Bytes;
use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use session_proto::Status;
use session_record::{Ending, Event};
use std::sync::Arc;
use std::time::Duration;
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
    purpose: Purpose,
    chosen: Chosen,
    is_web_socket: bool,
    upgrade: OnUpgrade,
}

/// Answers a request for a session with streams. The session itself is a task of its own.
pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    mut wanted: Wanted,
    transport: &Transport,
    purpose: Purpose,
    upgrade: OnUpgrade,
) -> Result<Response<Body>, Failure> {
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
            let accept = upgrade::accept(&wanted.headers)?;
            (upgrade::switch_to_web_socket(accept, chosen.name), true)
        }
        Transport::Spdy { .. } => (upgrade::switch_to_spdy(chosen.name), false),
    };
    wanted.protocol.clone_from(&chosen.shown);
    let is_forward = matches!(purpose, Purpose::Forward { .. });
    let gateway = Arc::clone(gateway);
    let asking = Asking { gateway, wanted, purpose, chosen, is_web_socket, upgrade };
    if is_forward {
        forward(asking).await?;
    } else {
        let tasks = asking.gateway.tasks.clone();
        tasks.spawn(command(asking));
    }
    Ok(answer)
}

/// Lets the client in, and decides then.
async fn command(asking: Asking) {
    let Asking { gateway, wanted, purpose, chosen, is_web_socket, upgrade } = asking;
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
    let begun = match authorise::admit(&gateway, &wanted).await {
        Ok(begun) => begun,
        Err(failure) => {
            say(&mut client, &Event::Status { text: failure.status().into() });
            client.close().await;
            return;
        }
    };
    match reach(&gateway, &wanted, &begun, purpose).await {
        Ok((upstream, from_upstream)) => {
            run(gateway, wanted, begun, (client, upstream), (early, from_upstream)).await;
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
async fn forward(asking: Asking) -> Result<(), Failure> {
    let Asking { gateway, wanted, purpose, chosen, is_web_socket, upgrade } = asking;
    let begun = authorise::admit(&gateway, &wanted).await?;
    let (upstream, from_upstream) = match reach(&gateway, &wanted, &begun, purpose).await {
        Ok(reached) => reached,
        Err((ending, status)) => {
            let failure = Failure::of_status(status.as_deref().unwrap_or_default());
            begun.end(&gateway, ending).await;
            return Err(failure);
        }
    };
    let tasks = gateway.tasks.clone();
    tasks.spawn(async move {
        let Some(client) = client_leg(&gateway, upgrade, chosen, is_web_socket).await else {
            drop(upstream);
            begun.end(&gateway, Ending::ClientLeft).await;
            return;
        };
        run(gateway, wanted, begun, (client, upstream), (Vec::new(), from_upstream)).await;
    });
    Ok(())
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
    purpose: Purpose,
) -> Result<(Leg, Vec<Event>), (Ending, Option<Bytes>)> {
    let call = Call {
        target: wanted.target.clone(),
        headers: wanted.upstream_headers(begun.id()).map_err(|failure| {
            let why = failure.message.clone();
            (Ending::UpstreamLeft { why }, Some(failure.status().into()))
        })?,
        purpose,
    };
    let dialled = tokio::select! {
        ending = begun.live().ended() => return Err((ending, None)),
        dialled = dial::dial(&wanted.upstream, begun, &call, gateway.limits.message) => dialled,
    };
    dialled.map_err(|error: DialError| {
        let why = crate::chain::chain(&error);
        tracing::info!(session = %begun.id(), error = why, "the cluster's side did not come about");
        (Ending::UpstreamLeft { why }, Some(error.status()))
    })
}

async fn run(
    gateway: Arc<Gateway>,
    wanted: Wanted,
    begun: Begun,
    legs: (Leg, Leg),
    (from_client, from_upstream): (Vec<Event>, Vec<Event>),
) {
    let limits = &gateway.limits;
    let (ends, end_is) = wanted.end(limits);
    let deadlines = Deadlines {
        idle: limits.idle,
        end: ends,
        end_is,
        ping: limits.ping,
        stall: limits.recorder_stall,
    };
    let opening = &begun.live().opening;
    let mode = Mode { durability: opening.durability, terminal: opening.access.terminal };
    drop(wanted);
    let pump = Pump::new(legs, begun, Arc::clone(&gateway), deadlines, mode);
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
