//! A connection after its upgrade, with a codec on it: what both a fake runtime and a client of tests speak with.

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use session_proto::{Codec, Input, Output};
use session_record::Event;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use tungstenite::protocol::{CloseFrame, Role};

pub(crate) struct Spoken {
    wire: Wire,
    codec: Codec,
    /// The peer's close frame, where there was one.
    pub(crate) closed: Option<(u16, String)>,
}

enum Wire {
    WebSocket(Box<WebSocketStream<TokioIo<Upgraded>>>),
    Stream(TokioIo<Upgraded>),
}

impl Spoken {
    pub(crate) async fn web_socket(upgraded: Upgraded, role: Role, codec: Codec) -> Self {
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), role, None).await;
        Self { wire: Wire::WebSocket(Box::new(socket)), codec, closed: None }
    }

    pub(crate) fn spdy(upgraded: Upgraded, codec: Codec) -> Self {
        Self { wire: Wire::Stream(TokioIo::new(upgraded)), codec, closed: None }
    }

    /// Waits until everything that is said arrives; `None` when the peer is gone.
    pub(crate) async fn ready(&mut self) -> Option<()> {
        while !self.codec.is_ready() {
            self.flush().await?;
            self.receive().await?;
        }
        self.flush().await
    }

    /// The next thing that the peer did; `None` when it is gone.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.codec.next_event() {
                return Some(event);
            }
            self.flush().await?;
            self.receive().await?;
        }
    }

    pub(crate) async fn say(&mut self, event: &Event) -> Option<()> {
        self.codec.send(event).unwrap();
        self.flush().await
    }

    /// A message that no codec would write.
    pub(crate) async fn say_raw(&mut self, message: Message) {
        match &mut self.wire {
            Wire::WebSocket(socket) => socket.send(message).await.unwrap(),
            Wire::Stream(stream) => stream.write_all(&message.into_data()).await.unwrap(),
        }
    }

    async fn receive(&mut self) -> Option<()> {
        let input = match &mut self.wire {
            Wire::WebSocket(socket) => match socket.next().await?.ok()? {
                Message::Binary(bytes) => Input::Binary(bytes),
                Message::Text(text) => Input::Text(text.into()),
                Message::Close(frame) => {
                    self.closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                    return None;
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Some(()),
            },
            Wire::Stream(stream) => {
                let mut bytes = BytesMut::with_capacity(16 << 10);
                if stream.read_buf(&mut bytes).await.ok()? == 0 {
                    return None;
                }
                Input::Bytes(bytes.freeze())
            }
        };
        self.codec.receive(input).unwrap();
        Some(())
    }

    pub(crate) async fn flush(&mut self) -> Option<()> {
        while let Some(output) = self.codec.next_output() {
            match (&mut self.wire, output) {
                (Wire::WebSocket(socket), Output::Binary(bytes)) => {
                    socket.send(Message::Binary(bytes)).await.ok()?;
                }
                (Wire::WebSocket(socket), Output::Text(text)) => {
                    socket.send(Message::text(text)).await.ok()?;
                }
                (Wire::Stream(stream), Output::Bytes(bytes)) => {
                    stream.write_all(&bytes).await.ok()?;
                }
                (_, output) => panic!("{output:?} on the wrong wire"),
            }
        }
        if let Wire::Stream(stream) = &mut self.wire {
            stream.flush().await.ok()?;
        }
        Some(())
    }

    /// Says that nothing more comes, and waits until the peer has heard it.
    pub(crate) async fn close(&mut self) -> Option<()> {
        self.codec.end();
        self.flush().await?;
        match &mut self.wire {
            Wire::WebSocket(socket) => {
                let frame = CloseFrame { code: 1000.into(), reason: "".into() };
                socket.as_mut().close(Some(frame)).await.ok()?;
                while socket.next().await.is_some() {}
            }
            Wire::Stream(stream) => {
                stream.shutdown().await.ok()?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await.ok()?;
            }
        }
        Some(())
    }
}
