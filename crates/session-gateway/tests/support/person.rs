//! Somebody who runs a command, or forwards ports, through a gateway.

use crate::client::{Client, body};
use crate::wire::Spoken;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use session_proto::{Asked, Codec, Role, Status, Version};
use session_record::{Event, Stream};
use tungstenite::protocol::Role as WebSocketRole;

/// What a client asks to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    WebSocket(&'static str),
    Spdy(&'static str),
}

pub(crate) const V5: Protocol = Protocol::WebSocket("v5.channel.k8s.io");
pub(crate) const SPDY: Protocol = Protocol::Spdy("v4.channel.k8s.io");
pub(crate) const TUNNEL: Protocol = Protocol::WebSocket("SPDY/3.1+portforward.k8s.io");
pub(crate) const SPDY_FORWARD: Protocol = Protocol::Spdy("portforward.k8s.io");

pub(crate) struct Person {
    pub(crate) spoken: Spoken,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) status: Option<Bytes>,
}

/// How a command ended, as its client sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: String,
    pub(crate) closed: Option<u16>,
}

/// `command=…` for each word, with the streams in the front.
pub(crate) fn query(streams: &str, command: &[&str]) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for stream in streams.split(' ').filter(|stream| !stream.is_empty()) {
        pairs.append_pair(stream, "true");
    }
    for word in command {
        pairs.append_pair("command", word);
    }
    pairs.finish()
}

impl Client {
    /// Runs a command in a pod of the namespace `shop`.
    pub(crate) async fn exec(&self, protocol: Protocol, streams: &str, command: &[&str]) -> Person {
        let path = format!("/api/v1/namespaces/shop/pods/web/exec?{}", query(streams, command));
        self.run(protocol, &path).await.unwrap()
    }

    /// Asks for a session; the answer where it is none.
    pub(crate) async fn run(
        &self,
        protocol: Protocol,
        path: &str,
    ) -> Result<Person, (u16, String)> {
        let url = url::Url::parse(&format!("https://gateway{path}")).unwrap();
        let flag =
            |name: &str| url.query_pairs().any(|(key, value)| key == name && value == "true");
        let asked = Asked {
            stdin: flag("stdin"),
            stdout: flag("stdout"),
            stderr: flag("stderr"),
            terminal: flag("tty"),
        };
        let codec = codec(protocol, path, asked);
        let mut sender = self.http1().await;
        let mut request = request(protocol, path);
        self.prove(&mut request);
        let mut response = sender.send_request(request).await.unwrap();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(crate::client::read(response).await);
        }
        let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
        let mut spoken = match protocol {
            Protocol::WebSocket(name) => {
                let answered = response.headers().get("sec-websocket-protocol");
                assert_eq!(
                    answered.map(|name| name.to_str().unwrap()),
                    (!name.is_empty()).then_some(name)
                );
                Spoken::web_socket(upgraded, WebSocketRole::Client, codec).await
            }
            Protocol::Spdy(_) => Spoken::spdy(upgraded, codec),
        };
        let _gone = spoken.ready().await;
        Ok(Person { spoken, stdout: Vec::new(), stderr: Vec::new(), status: None })
    }
}

fn request(protocol: Protocol, path: &str) -> crate::client::Sent {
    let builder =
        Request::builder().uri(path).header("host", "gateway").header("connection", "Upgrade");
    let builder = match protocol {
        Protocol::WebSocket(name) => {
            let builder = builder
                .method(Method::GET)
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
            if name.is_empty() { builder } else { builder.header("sec-websocket-protocol", name) }
        }
        Protocol::Spdy(name) => builder
            .method(Method::POST)
            .header("upgrade", "SPDY/3.1")
            .header("x-stream-protocol-version", name),
    };
    builder.header("kubectl-session", "one-kubectl").body(body("")).unwrap()
}

fn codec(protocol: Protocol, path: &str, asked: Asked) -> Codec {
    let version = |name: &str| match name.split('.').next() {
        Some("v5") => Version::V5,
        Some("v4") => Version::V4,
        Some("v3") => Version::V3,
        Some("v2") => Version::V2,
        _ => Version::V1,
    };
    match protocol {
        _ if path.contains("/portforward") => {
            Codec::forward_streams(Role::Client, matches!(protocol, Protocol::WebSocket(_)))
        }
        Protocol::WebSocket(name) => {
            Codec::command_channels(Role::Client, version(name), name.contains("base64"), asked)
        }
        Protocol::Spdy(name) => Codec::command_streams(Role::Client, version(name), asked),
    }
}

impl Person {
    pub(crate) async fn type_in(&mut self, bytes: impl Into<Bytes>) {
        let event = Event::Data { stream: Stream::Stdin, bytes: bytes.into() };
        self.spoken.say(&event).await.unwrap();
    }

    pub(crate) async fn end_stdin(&mut self) {
        self.spoken.say(&Event::End { stream: Stream::Stdin }).await.unwrap();
    }

    pub(crate) async fn resize(&mut self, columns: u16, rows: u16) {
        self.spoken.say(&Event::Resize { columns, rows }).await.unwrap();
    }

    /// Reads until this was shown.
    pub(crate) async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.stdout).contains(text) {
            let shown = String::from_utf8_lossy(&self.stdout).into_owned();
            assert!(self.step().await, "the session ended, and showed {shown:?}");
        }
    }

    /// Takes the next thing that comes; whether there was one.
    pub(crate) async fn step(&mut self) -> bool {
        match self.spoken.next().await {
            None => return false,
            Some(Event::Data { stream: Stream::Stdout | Stream::FromPort { .. }, bytes }) => {
                self.stdout.extend_from_slice(&bytes);
            }
            Some(Event::Data { bytes, .. }) => self.stderr.extend_from_slice(&bytes),
            Some(Event::Status { text }) => self.status = Some(text),
            Some(_) => {}
        }
        true
    }

    /// Reads to the end, and answers the end.
    pub(crate) async fn wait(mut self) -> Outcome {
        while self.step().await {}
        let closed = self.spoken.closed.as_ref().map(|(code, _)| *code);
        let _gone = self.spoken.close().await;
        let status = self.status.unwrap_or_default();
        Outcome {
            stdout: String::from_utf8_lossy(&self.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            status: String::from_utf8_lossy(&status).into_owned(),
            closed,
        }
    }
}

pub(crate) fn success() -> String {
    Status::Success.to_json()
}

pub(crate) fn exited(code: u8) -> String {
    Status::Exited { code }.to_json()
}
