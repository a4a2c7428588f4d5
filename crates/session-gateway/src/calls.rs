//! Privileged requests over plain HTTP, each a session of its own: logs, proxies, token requests, ephemeral
//! containers, the API server's own files, and pods that reach beyond themselves.
//!
//! What the person came for is recorded as what was shown, before it goes on: logs, and what is proxied. Of the
//! others the call itself is recorded, and the body of those whose body says what will be. Tokens never are.

use crate::authorise::{self, Admitted, Wanted};
use crate::body::{self, Body, BodyError};
use crate::call_record;
use crate::chain::chain;
use crate::dispatch::Content;
use crate::gateway::Gateway;
use crate::registry::Phase;
use crate::reply::Failure;
use crate::session::Begun;
use crate::{headers, plain};
use access_model::Verb;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame};
use session_record::{Ending, Event, Stream};
use session_store::RecordError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// As [`session_record`] splits them.
const MOST_AT_ONCE: usize = 64 << 10;

type Frames = mpsc::Sender<Result<Frame<Bytes>, BodyError>>;
type Answer = Result<Response<Body>, Failure>;

/// Whether what passes in the bodies is recorded, or only that the call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    Recorded,
    CallOnly,
}

pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    wanted: Wanted,
    request: Request<Content>,
) -> Answer {
    let admitted = authorise::admit(gateway, &wanted).await?;
    let (answer, answered) = oneshot::channel();
    let running = Arc::clone(gateway);
    gateway.tasks.spawn(run(running, wanted, admitted, request, answer));
    // The task answers, or was ended by a panic.
    answered
        .await
        .unwrap_or_else(|_| Err(Failure::unavailable("the session ended before it began")))
}

async fn run(
    gateway: Arc<Gateway>,
    wanted: Wanted,
    admitted: Admitted,
    request: Request<Content>,
    answer: oneshot::Sender<Answer>,
) {
    let Admitted { begun, limits } = admitted;
    begun.live().enter(Phase::Running);
    let passing = match wanted.request.verb() {
        Verb::Logs | Verb::Proxy | Verb::NodeProxy => Passing::Recorded,
        Verb::Exec
        | Verb::Attach
        | Verb::PortForward
        | Verb::Debug
        | Verb::TokenRequest
        | Verb::ServerDebug
        | Verb::Api => Passing::CallOnly,
    };
    let ended = tokio::select! {
        ending = begun.live().ended() => ending,
        failure = begun.recording.failed() => Ending::RecordingFailed { why: failure.to_string() },
        () = tokio::time::sleep_until(limits.end) => Ending::Limit { which: limits.end_is.to_owned() },
        ending = pass(&begun, &wanted, request, passing, (answer, limits.idle)) => ending,
    };
    begun.live().enter(Phase::Sealing);
    begun.end(&gateway, ended).await;
}

async fn pass(
    begun: &Begun,
    wanted: &Wanted,
    request: Request<Content>,
    passing: Passing,
    (answer, idle): (oneshot::Sender<Answer>, Duration),
) -> Ending {
    let (parts, content) = request.into_parts();
    let keeps = matches!(content, Content::Read(_));
    let (kept, body, feeding) = match content {
        Content::Read(bytes) => {
            let kept = plain::of_read(&bytes, keeps, wanted.request.bodies_are_secret());
            (kept, body::full(bytes), None)
        }
        Content::Streamed(body) if passing == Passing::Recorded && !body.is_end_stream() => {
            let (frames, fed) = body::fed();
            (call_record::KeptBody::NotKept, fed, Some(feed(begun, body, frames, Stream::Stdin)))
        }
        Content::Streamed(body) => (call_record::KeptBody::NotKept, body, None),
    };
    let rule = begun.live().opening.rule.clone();
    let asked = call_record::asked(0, wanted, &rule, &parts.headers, &kept);
    if let Err(error) = admit(begun, asked).await {
        return failed(answer, &error);
    }
    let request = match plain::outgoing(wanted, parts, body) {
        Ok(mut request) => {
            if let Err(failure) = crate::impersonate::add_session(request.headers_mut(), begun.id())
            {
                return refused(answer, failure);
            }
            request
        }
        Err(failure) => return refused(answer, failure),
    };
    let sending = wanted.cluster.upstream.send_recorded(begun, request);
    let responding = async {
        let response = sending.await;
        respond(begun, response, passing, answer, idle).await
    };
    match feeding {
        None => responding.await,
        Some(feeding) => {
            let mut responding = std::pin::pin!(responding);
            tokio::select! {
                ending = &mut responding => ending,
                // The request's body is over, or could not be recorded.
                fed = feeding => match fed {
                    Ok(()) => responding.await,
                    Err(ending) => ending,
                },
            }
        }
    }
}

async fn respond(
    begun: &Begun,
    response: Result<Response<Body>, crate::upstream::UpstreamError>,
    passing: Passing,
    answer: oneshot::Sender<Answer>,
    idle: Duration,
) -> Ending {
    let mut response = match response {
        Ok(response) => response,
        Err(error) => {
            let why = chain(&error);
            let event = call_record::answered(0, begun.id(), Err(why.clone()));
            let _recorded = admit(begun, event).await;
            let _heard = answer.send(Err(Failure::bad_gateway(why.clone())));
            return Ending::UpstreamLeft { why };
        }
    };
    let event = call_record::answered(0, begun.id(), Ok(response.status().as_u16()));
    if let Err(error) = admit(begun, event).await {
        return failed(answer, &error);
    }
    headers::strip_response(response.headers_mut());
    let (frames, fed) = body::fed();
    let (parts, body) = response.into_parts();
    if answer.send(Ok(Response::from_parts(parts, fed))).is_err() {
        return Ending::ClientLeft;
    }
    let stream = match passing {
        Passing::Recorded => Some(Stream::Stdout),
        Passing::CallOnly => None,
    };
    show(begun, body, frames, stream, idle).await
}

/// Shows the client an answer's body, recorded first where it is what the person came for.
async fn show(
    begun: &Begun,
    mut body: Body,
    frames: Frames,
    stream: Option<Stream>,
    idle: Duration,
) -> Ending {
    loop {
        let next = tokio::select! {
            next = body.frame() => next,
            () = frames.closed() => return Ending::ClientLeft,
            () = tokio::time::sleep_until(Instant::now() + idle) => {
                return Ending::Limit { which: format!("nothing was sent for {} s", idle.as_secs()) };
            }
        };
        let frame = match next {
            None => return Ending::Finished { exit_code: None },
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                let why = error.to_string();
                let _heard = frames.send(Err(error)).await;
                return Ending::UpstreamLeft { why };
            }
        };
        if let (Some(stream), Some(bytes)) = (stream, frame.data_ref())
            && let Err(error) = record_all(begun, stream, bytes.clone()).await
        {
            return Ending::RecordingFailed { why: chain(&error) };
        }
        if frames.send(Ok(frame)).await.is_err() {
            return Ending::ClientLeft;
        }
    }
}

/// Passes a request's body on, recorded first.
async fn feed(begun: &Begun, mut body: Body, frames: Frames, stream: Stream) -> Result<(), Ending> {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Ending::ClientLeft) };
        let Some(bytes) = frame.data_ref() else { continue };
        if let Err(error) = record_all(begun, stream, bytes.clone()).await {
            return Err(Ending::RecordingFailed { why: chain(&error) });
        }
        if frames.send(Ok(frame)).await.is_err() {
            // The cluster has answered without reading all of it.
            return Ok(());
        }
    }
    Ok(())
}

async fn record_all(begun: &Begun, stream: Stream, mut bytes: Bytes) -> Result<(), RecordError> {
    while !bytes.is_empty() {
        let next = bytes.split_to(bytes.len().min(MOST_AT_ONCE));
        admit(begun, Event::Data { stream, bytes: next }).await?;
    }
    Ok(())
}

async fn admit(begun: &Begun, event: Event) -> Result<(), RecordError> {
    begun.live().passed(&event);
    begun.recording.admit(event).await.map(|_position| ())
}

fn failed(answer: oneshot::Sender<Answer>, error: &RecordError) -> Ending {
    let why = chain(error);
    let message = format!("the session ended because it can no longer be recorded: {why}");
    let _heard = answer.send(Err(Failure::unavailable(message)));
    Ending::RecordingFailed { why }
}

fn refused(answer: oneshot::Sender<Answer>, failure: Failure) -> Ending {
    let why = failure.message.clone();
    let _heard = answer.send(Err(failure));
    Ending::Protocol { why }
}
