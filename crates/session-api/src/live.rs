//! `GET /sessions/ID/live`: what a session shows, while it does.
//!
//! Whoever watches reads the recording's file at its own pace, so that no viewer slows a session. What a viewer does
//! not take waits for it in a short queue; when that is full for too long the view ends with `gap`, and a viewer that
//! asks again begins again.

use crate::answer::Refused;
use crate::api::Shared;
use crate::caller::By;
use crate::watching::Place;
use access_model::Permission;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Response, header};
use futures_util::stream;
use serde_json::{Value, json};
use session_formats::{Export, Format, Input};
use session_record::{Compartment, Step};
use session_store::Follow;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until, timeout};

/// Messages that wait for a viewer, and after how many bytes one ends; one step may be longer.
const QUEUE: usize = 8;
const MESSAGE_BYTES: usize = 64 << 10;
/// How long its last word waits for a viewer that takes nothing; the end of the stream says enough then.
const LAST_WORD: Duration = Duration::from_secs(60);
/// Between two signs of life, for whatever is between the server and the viewer.
const ALIVE: Duration = Duration::from_secs(15);
/// A view of a proof that never ends is asked for again once a day.
const LONGEST: Duration = Duration::from_hours(24);

/// A session as events of a stream; its header waits for the terminal's size.
#[derive(Debug)]
struct Screen {
    export: Option<Export>,
    /// How long the session went on when the view began: where the viewer's clock is.
    elapsed_ms: i64,
    has_header: bool,
}

/// What ends a view from this side.
#[derive(Debug)]
struct Terms {
    /// How long a viewer may take nothing while something waits.
    patience: Duration,
    /// When the proof of who watches ends.
    until: Instant,
    _place: Place,
}

pub(crate) async fn live(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Result<Response<Body>, Refused> {
    let visible = shared.visible(&caller, &id).await?;
    visible.needs(Permission::View)?;
    let session = visible.known.session;
    // The recorder keeps a recording for a while after its session, until it is compressed.
    let live = shared.going_on(session).and_then(|_phase| shared.recorder.live(session));
    let live = live.ok_or_else(Refused::not_live)?;
    let place = shared.watching.enter(&caller.user);
    let place =
        place.ok_or_else(|| Refused::busy("as many watch sessions as may at the same time"))?;
    shared.viewed(&caller, session, "live").await?;
    let now_ms = shared.now_ms();
    let expires_ms = caller.expires_at.map(|at| at.saturating_mul(1000));
    let left_ms = expires_ms.map_or(i64::MAX, |at| at.saturating_sub(now_ms)).max(0);
    let left = Duration::from_millis(left_ms.unsigned_abs()).min(LONGEST);
    let elapsed_ms = now_ms.saturating_sub(visible.known.at_ms).max(0);
    let screen = Screen { export: None, elapsed_ms, has_header: false };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let follow = live.follow(Compartment::Output);
    let terms = Terms { patience: shared.patience, until: Instant::now() + left, _place: place };
    tokio::spawn(watch(follow, screen, sender, terms));
    Ok(answer(receiver))
}

fn answer(receiver: Receiver<Message>) -> Response<Body> {
    let messages = stream::unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await? {
            Message::More(bytes) => Some((Ok::<_, Infallible>(bytes), Some(receiver))),
            Message::Last(bytes) => Some((Ok(bytes), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(messages));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

#[derive(Debug)]
enum Message {
    More(Bytes),
    Last(Bytes),
}

/// Follows a recording until it ends, its viewer leaves, is too slow, or may not any more.
async fn watch(mut follow: Follow, mut screen: Screen, sender: Sender<Message>, terms: Terms) {
    let mut more = vec![Bytes::from_static(b"retry: 1000\n\n")];
    loop {
        for message in more {
            match sender.send_timeout(Message::More(message), terms.patience).await {
                Ok(()) => {}
                Err(SendTimeoutError::Closed(_)) => return,
                Err(SendTimeoutError::Timeout(_)) => return end(&sender, "gap", screen).await,
            }
        }
        let next = tokio::select! {
            () = sender.closed() => return,
            () = sleep_until(terms.until) => return end(&sender, "gap", screen).await,
            next = timeout(ALIVE, follow.next()) => next,
        };
        more = match next {
            Err(_silent) => vec![Bytes::from_static(b": alive\n\n")],
            Ok(Ok(steps)) if steps.is_empty() => return end(&sender, "done", screen).await,
            Ok(Ok(steps)) => match screen.messages(&follow, &steps) {
                Ok(messages) => messages,
                Err(error) => {
                    tracing::error!(%error, "a live view could not be written");
                    return end(&sender, "gap", screen).await;
                }
            },
            Ok(Err(error)) => {
                tracing::error!(%error, "a recording that is written could not be read");
                return end(&sender, "gap", screen).await;
            }
        };
    }
}

async fn end(sender: &Sender<Message>, event: &str, screen: Screen) {
    let mut last = screen.rest().unwrap_or_default();
    last.extend_from_slice(format!("event: {event}\ndata: {{}}\n\n").as_bytes());
    if sender.send_timeout(Message::Last(last.into()), LAST_WORD).await.is_err() {
        tracing::debug!("a viewer left before its last word");
    }
}

impl Screen {
    fn messages(&mut self, follow: &Follow, steps: &[Step]) -> io::Result<Vec<Bytes>> {
        let (mut messages, mut lines) = (Vec::new(), Vec::new());
        if self.export.is_none()
            && let Some(opening) = follow.opening()
        {
            let begun = Export::begin(Format::Asciicast2, Input::LeftOut, opening, &mut lines)?;
            self.export = Some(begun);
        }
        for step in steps {
            if let Some(export) = &mut self.export {
                export.step(step, &mut lines)?;
            }
            if lines.len() >= MESSAGE_BYTES {
                messages.push(self.framed(&std::mem::take(&mut lines))?.into());
            }
        }
        messages.push(self.framed(&lines)?.into());
        Ok(messages)
    }

    /// Of a session that never showed anything, the header.
    fn rest(mut self) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        if let Some(export) = self.export.take() {
            export.end(&mut lines)?;
        }
        self.framed(&lines)
    }

    fn framed(&mut self, lines: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(lines.len() + lines.len() / 8);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            out.extend_from_slice(b"data: ");
            if self.has_header {
                out.extend_from_slice(line);
            } else {
                self.has_header = true;
                let mut header: Value = serde_json::from_slice(line)?;
                if let Some(members) = header.as_object_mut() {
                    let (seconds, rest) = (self.elapsed_ms / 1000, self.elapsed_ms % 1000);
                    let text = format!("{seconds}.{rest:03}");
                    members.insert("time".to_owned(), json!(text.parse::<f64>().unwrap_or(0.0)));
                }
                safe_output::json::write_part(&mut out, &header)?;
            }
            out.extend_from_slice(b"\n\n");
        }
        Ok(out)
    }
}
