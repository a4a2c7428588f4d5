//! Connections that wait for their next request.

use super::Sender;
use crate::body::{Body, BodyError};
use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// More than this many wait for nothing.
const MOST: usize = 64;
/// API servers close connections after some minutes of silence; the race is avoided by being earlier.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    idle: Arc<Mutex<Vec<(Instant, Sender)>>>,
}

impl Pool {
    /// The connection that was used last, so that those too many grow old.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(since, sender)| since.elapsed() < LONGEST && !sender.is_closed());
        idle.pop().map(|(_, sender)| sender)
    }

    fn give(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST && !sender.is_closed() {
            idle.push((Instant::now(), sender));
        }
    }

    /// The connection comes back when the answer has been read to its end, and only then.
    pub(super) fn attach(&self, sender: Sender, response: Response<Incoming>) -> Response<Body> {
        response.map(|body| {
            if body.is_end_stream() {
                self.give(sender);
                return crate::body::streamed(body);
            }
            PooledBody { body, lease: Some((sender, self.clone())) }.boxed_unsync()
        })
    }
}

struct PooledBody {
    body: Incoming,
    lease: Option<(Sender, Pool)>,
}

impl hyper::body::Body for PooledBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let read_to_end = frame.is_none() || self.body.is_end_stream();
        if let Some(Err(_)) = &frame {
            self.lease = None;
        } else if read_to_end && let Some((sender, pool)) = self.lease.take() {
            pool.give(sender);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
