//! A client of exec that does nothing but the protocol: what it measures is the way, not itself.

use crate::upstream::frames;
use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;

/// Enter is what a command line is held for until it is on disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Letter,
    Enter,
}

pub(crate) struct Exec {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

/// Where a session goes: an address, and what stands before the API's paths there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) base: &'static str,
}

impl Exec {
    /// Opens a session, and waits for the first message, which says that the runtime is there.
    pub(crate) async fn open(
        tls: &Arc<ClientConfig>,
        target: &Target,
        command: &[&str],
        terminal: bool,
    ) -> Result<Self> {
        let stream = TcpStream::connect(target.address).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream =
            TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.context("TLS")?;
        let command: String =
            command.iter().map(|argument| format!("command={argument}&")).collect();
        let terminal = if terminal { "tty=true&" } else { "stderr=true&" };
        let base = target.base;
        let url = format!(
            "wss://localhost{base}/api/v1/namespaces/default/pods/p/exec?{command}container=c&{terminal}stdin=true&stdout=true"
        );
        let mut request = url.into_client_request()?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("v5.channel.k8s.io"));
        let (socket, _) = client_async_with_config(request, stream, Some(frames()))
            .await
            .context("the upgrade")?;
        let mut exec = Self { socket };
        exec.message().await.context("the session's first message")?;
        Ok(exec)
    }

    /// One key, and its echo.
    pub(crate) async fn key(&mut self, key: Key) -> Result<Duration> {
        let sent = Instant::now();
        let message: &[u8] = match key {
            Key::Letter => b"\0x",
            Key::Enter => b"\0\r",
        };
        self.socket.send(Message::Binary(Bytes::from_static(message))).await?;
        self.message().await?;
        Ok(sent.elapsed())
    }

    /// Reads all that is sent, and gives how much it was.
    pub(crate) async fn drain(&mut self) -> Result<u64> {
        let mut bytes = 0;
        loop {
            match self.message().await? {
                message if message.first() == Some(&1) => bytes += message.len() as u64 - 1,
                message
                    if message.starts_with(b"\x03")
                        && message.windows(9).any(|part| part == b"\"Success\"") =>
                {
                    return Ok(bytes);
                }
                message => bail!("unexpected: {}", String::from_utf8_lossy(&message)),
            }
        }
    }

    /// Sends that much on stdin and waits for the command's end.
    pub(crate) async fn fill(&mut self, bytes: u64) -> Result<()> {
        let frame = Bytes::from(vec![0; crate::upstream::FRAME_BYTES]);
        let mut left = bytes;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(usize::MAX).min(frame.len() - 1);
            self.socket.feed(Message::Binary(frame.slice(..=now))).await?;
            left -= now as u64;
        }
        self.socket.send(Message::Binary(Bytes::from_static(&[255, 0]))).await?;
        self.drain().await.map(drop)
    }

    async fn message(&mut self) -> Result<Bytes> {
        loop {
            match self.socket.next().await.context("the session ended")?? {
                Message::Binary(bytes) => return Ok(bytes),
                Message::Close(frame) => bail!("the session was closed: {frame:?}"),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}
