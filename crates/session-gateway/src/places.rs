//! How much at once: connections, requests and sessions. Each takes a place before it takes a file.

use crate::body::Body;
use crate::config::Limits;
use http_body_util::BodyExt as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) type Place = OwnedSemaphorePermit;

#[derive(Debug)]
pub(crate) struct Places {
    /// Of clients, from the first byte until the socket is closed, whatever it became meanwhile.
    pub(crate) connections: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(limits: &Limits) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            connections: places(limits.connections),
            requests: places(limits.requests),
            sessions: places(limits.sessions),
        }
    }

    /// For a request until its answer has been read; none where there are too many.
    pub(crate) fn request(&self) -> Option<Place> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// For a session until its recording is sealed; none where there are too many.
    pub(crate) fn session(&self) -> Option<Place> {
        Arc::clone(&self.sessions).try_acquire_owned().ok()
    }
}

/// A TCP connection. A client's has its place with it, because an upgrade gives it to another owner.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    _place: Option<Place>,
}

impl Socket {
    pub(crate) const fn of_client(stream: TcpStream, place: Place) -> Self {
        Self { stream, _place: Some(place) }
    }

    /// To an API server: it belongs to a request or a session that has a place.
    pub(crate) const fn of_upstream(stream: TcpStream) -> Self {
        Self { stream, _place: None }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The body of an answer, with the place of its request until it has been read or is given up.
pub(crate) fn holding(body: Body, place: Place) -> Body {
    let pass = move |error| {
        let _held = &place;
        error
    };
    body.map_err(pass).boxed_unsync()
}
