//! Bodies of requests and responses: streamed, never held.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, Empty, Full, StreamBody};
use hyper::body::Frame;
use std::convert::Infallible;
use tokio::sync::mpsc;

pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

pub(crate) fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

pub(crate) fn streamed<B>(body: B) -> Body
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BodyError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// The first bytes of a body, at most about so many, and what follows them if that was not all.
pub(crate) async fn begin(mut body: Body, most: usize) -> Result<(Bytes, Option<Body>), BodyError> {
    let mut begin = BytesMut::new();
    while begin.len() <= most {
        let Some(frame) = body.frame().await else { return Ok((begin.freeze(), None)) };
        match frame?.into_data() {
            Ok(bytes) => begin.extend_from_slice(&bytes),
            Err(trailers) => {
                let rest = StreamBody::new(stream::iter([Ok(trailers)]));
                return Ok((begin.freeze(), Some(BodyExt::boxed_unsync(rest))));
            }
        }
    }
    Ok((begin.freeze(), Some(body)))
}

/// A body whose first bytes were read, whole again.
pub(crate) fn after(begin: Bytes, rest: Body) -> Body {
    let begin = stream::iter([Ok(Frame::data(begin))]);
    BodyExt::boxed_unsync(StreamBody::new(begin.chain(BodyStream::new(rest))))
}

/// A body that somebody else feeds, frame by frame, no faster than it is read.
pub(crate) fn fed() -> (mpsc::Sender<Result<Frame<Bytes>, BodyError>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let frames = stream::unfold(receiver, |mut receiver| async {
        let frame = receiver.recv().await?;
        Some((frame, receiver))
    });
    (sender, BodyExt::boxed_unsync(StreamBody::new(frames)))
}

fn never(impossible: Infallible) -> BodyError {
    match impossible {}
}
