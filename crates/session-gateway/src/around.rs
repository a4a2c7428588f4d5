//! Privileged requests without streams: logs, proxies, tokens, ephemeral containers. A session is recorded around each.
//!
//! The request is recorded as a `Call`, the answer's body as `Stdout` where it is what the person came for. Bodies that
//! are secrets by what they are, are not recorded.

use crate::authorise::{self, Wanted};
use crate::body::{self, Body, BodyError};
use crate::chain::chain;
use crate::gateway::Gateway;
use crate::reply::Failure;
use crate::session::Begun;
use crate::{headers, impersonate};
use access_model::Verb;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use session_record::{Ending, Event, Stream};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What is read of a request that is recorded with its body: an API server takes no more of a pod.
const BODY_BYTES: usize = 3 << 20;
/// Longest piece of an answer in one event.
const EVENT_BYTES: usize = 64 << 10;

/// Asks, records and answers.
pub(crate) async fn serve(
    gateway: &Arc<Gateway>,
    wanted: Wanted,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let begun = authorise::admit(gateway, &wanted).await?;
    let answered = answer(&wanted, &begun, request).await;
    match answered {
        Ok(response) => Ok(watched(gateway, &wanted, begun, response)),
        Err(failure) => {
            begun.end(gateway, Ending::UpstreamLeft { why: failure.message.clone() }).await;
            Err(failure)
        }
    }
}

async fn answer(
    wanted: &Wanted,
    begun: &Begun,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (mut parts, incoming) = request.into_parts();
    let is_secret = wanted.request.bodies_are_secret();
    let (sent, shown): (Body, Option<Bytes>) = if is_secret || !wanted.request.mutates() {
        (body::streamed(incoming), None)
    } else {
        let read = Limited::new(incoming, BODY_BYTES).collect().await;
        let bytes = read
            .map_err(|_ignored| {
                Failure::bad_request("the request's body is too long to be recorded")
            })?
            .to_bytes();
        (body::full(bytes.clone()), Some(bytes))
    };
    let call = serde_json::json!({
        "method": parts.method.as_str(), "target": wanted.target.to_string(),
        "body": shown.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    });
    let event = Event::Call { json: call.to_string().into() };
    begun.recording.admit(event).await.map_err(|error| unrecorded(&error))?;
    headers::strip_request(&mut parts.headers);
    impersonate::add(&mut parts.headers, &wanted.caller.identity, Some(begun.id()))?;
    parts.version = http::Version::HTTP_11;
    parts.uri = wanted.target.clone();
    let sent = wanted.upstream.send(Request::from_parts(parts, sent)).await;
    let mut response = sent.map_err(|error| Failure::bad_gateway(chain(&error)))?;
    headers::strip_response(response.headers_mut());
    Ok(response)
}

fn unrecorded(error: &dyn std::error::Error) -> Failure {
    Failure::unavailable(format!("the session can no longer be recorded: {}", chain(error)))
}

/// The answer's body, each piece recorded before it goes on; the session ends with it.
fn watched(
    gateway: &Arc<Gateway>,
    wanted: &Wanted,
    begun: Begun,
    response: Response<Body>,
) -> Response<Body> {
    let is_shown = matches!(
        wanted.request.verb(),
        Verb::Logs | Verb::Proxy | Verb::NodeProxy | Verb::ServerDebug
    );
    let (parts, incoming) = response.into_parts();
    let status = parts.status;
    let (sender, receiver) = mpsc::channel(1);
    let gateway = Arc::clone(gateway);
    let tasks = gateway.tasks.clone();
    tasks.spawn(async move {
        let ending = tokio::select! {
            ending = begun.live().ended() => ending,
            ending = pass(&begun, incoming, is_shown, &sender) => ending,
        };
        drop(sender);
        tracing::debug!(session = %begun.id(), status = status.as_u16(), "a recorded request is over");
        begun.end(&gateway, ending).await;
    });
    let body = StreamBody::new(Pieces(receiver));
    Response::from_parts(parts, http_body_util::BodyExt::boxed_unsync(body))
}

async fn pass(
    begun: &Begun,
    mut incoming: Body,
    is_shown: bool,
    sender: &mpsc::Sender<Result<Frame<Bytes>, BodyError>>,
) -> Ending {
    while let Some(frame) = incoming.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                let why = error.to_string();
                drop(sender.send(Err(error)).await);
                return Ending::UpstreamLeft { why };
            }
        };
        if let (true, Some(data)) = (is_shown, frame.data_ref()) {
            let mut rest = data.clone();
            while !rest.is_empty() {
                let bytes = rest.split_to(rest.len().min(EVENT_BYTES));
                let event = Event::Data { stream: Stream::Stdout, bytes };
                begun.live().passed(&event);
                if let Err(error) = begun.recording.admit(event).await {
                    let why = chain(&error);
                    drop(sender.send(Err(why.clone().into())).await);
                    return Ending::RecordingFailed { why };
                }
            }
        }
        if sender.send(Ok(frame)).await.is_err() {
            return Ending::ClientLeft;
        }
    }
    Ending::Finished { exit_code: None }
}

/// A channel as a stream of frames.
struct Pieces(mpsc::Receiver<Result<Frame<Bytes>, BodyError>>);

impl futures_util::Stream for Pieces {
    type Item = Result<Frame<Bytes>, BodyError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
