//! What the fake API server runs: commands that are nothing but rules for what to answer, and a note of what was
//! executed.

use crate::fake_api::Notes;
use crate::wire::Spoken;
use bytes::Bytes;
use session_proto::Status;
use session_record::{Event, Stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a runtime knows of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Executed {
    pub(crate) command: Vec<String>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) stdin_ended: bool,
    pub(crate) resizes: Vec<(u16, u16)>,
    pub(crate) written: Vec<u8>,
    pub(crate) over: bool,
}

pub(crate) struct Runtime {
    spoken: Spoken,
    notes: Arc<Notes>,
    index: usize,
}

impl Runtime {
    pub(crate) fn new(spoken: Spoken, notes: Arc<Notes>, command: &[String]) -> Self {
        let index = notes.begin(command);
        Self { spoken, notes, index }
    }

    /// Runs a command until it ends, or the peer is gone.
    pub(crate) async fn run(mut self, command: &[String]) {
        if self.execute(command).await.is_some() {
            let _gone = self.spoken.close().await;
        }
        self.note(|executed| executed.over = true);
    }

    async fn execute(&mut self, command: &[String]) -> Option<()> {
        self.spoken.ready().await?;
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            // Says what it is told to.
            ["echo", text] => self.write(Stream::Stdout, format!("{text}\n").into()).await?,
            ["fail", text, _] => self.write(Stream::Stderr, format!("{text}\n").into()).await?,
            // Gives back what it is sent.
            ["cat"] => loop {
                match self.next().await? {
                    Event::Data { bytes, .. } => self.write(Stream::Stdout, bytes).await?,
                    Event::End { .. } => break,
                    _ => {}
                }
            },
            // Reads without ever answering.
            ["swallow"] => while !matches!(self.next().await?, Event::End { .. }) {},
            // A shell on a terminal: echoes, and answers each line.
            // What a client attaches to is one, too.
            ["shell"] | [] => self.shell().await?,
            // So many bytes.
            ["count", bytes] => self.count(bytes.parse().unwrap()).await?,
            // Nothing, until the peer is gone.
            ["sleep"] => loop {
                self.next().await?;
            },
            // Gone in the middle of it.
            ["vanish"] => {
                self.write(Stream::Stdout, Bytes::from_static(b"half a line")).await?;
                return None;
            }
            _ => {}
        }
        let code = words.last().and_then(|word| word.strip_prefix("exit=")?.parse().ok());
        let status = code.map_or(Status::Success, |code| Status::Exited { code });
        self.spoken.say(&Event::Status { text: status.to_json().into() }).await
    }

    /// The n-th byte is n modulo 251.
    async fn count(&mut self, bytes: usize) -> Option<()> {
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + (32 << 10));
            let piece: Vec<u8> = (at..end).map(|at| u8::try_from(at % 251).unwrap()).collect();
            self.write(Stream::Stdout, piece.into()).await?;
            at = end;
        }
        Some(())
    }

    async fn shell(&mut self) -> Option<()> {
        self.write(Stream::Stdout, Bytes::from_static(b"$ ")).await?;
        let mut line = Vec::new();
        loop {
            let Event::Data { bytes, .. } = self.next().await? else { continue };
            for byte in bytes {
                match byte {
                    0x04 => return Some(()),
                    b'\r' => {
                        let text = String::from_utf8_lossy(&line).into_owned();
                        line.clear();
                        self.notes.ran(&text);
                        let answer = format!("\r\nran {text}\r\n$ ");
                        self.write(Stream::Stdout, answer.into()).await?;
                    }
                    _ => {
                        line.push(byte);
                        self.write(Stream::Stdout, Bytes::copy_from_slice(&[byte])).await?;
                    }
                }
            }
        }
    }

    /// Ports that give back what they are sent; port 9 refuses.
    pub(crate) async fn forward(mut self) {
        let mut ports = BTreeMap::new();
        while let Some(event) = self.next().await {
            let answered = match event {
                Event::Connected { connection, port: 9 } => {
                    let text = Bytes::from_static(b"connection refused");
                    self.spoken.say(&Event::ConnectionError { connection, text }).await
                }
                Event::Connected { connection, port } => {
                    ports.insert(connection, port);
                    Some(())
                }
                Event::Data { stream: Stream::ToPort { connection }, bytes } => {
                    self.write(Stream::FromPort { connection }, bytes).await
                }
                Event::End { stream: Stream::ToPort { connection } } => {
                    let stream = Stream::FromPort { connection };
                    self.spoken.say(&Event::End { stream }).await
                }
                _ => Some(()),
            };
            if answered.is_none() {
                break;
            }
        }
        self.note(|executed| executed.over = true);
    }

    /// The next thing that the peer did, noted.
    async fn next(&mut self) -> Option<Event> {
        let event = self.spoken.next().await?;
        self.note(|executed| match &event {
            Event::Data { bytes, .. } => executed.stdin.extend_from_slice(bytes),
            Event::End { .. } => executed.stdin_ended = true,
            Event::Resize { columns, rows } => executed.resizes.push((*columns, *rows)),
            _ => {}
        });
        Some(event)
    }

    async fn write(&mut self, stream: Stream, bytes: Bytes) -> Option<()> {
        self.spoken.say(&Event::Data { stream, bytes: bytes.clone() }).await?;
        self.note(|executed| executed.written.extend_from_slice(&bytes));
        Some(())
    }

    fn note(&self, change: impl FnOnce(&mut Executed)) {
        self.notes.change(self.index, change);
    }
}
