//! What happened in a session, in one pass over its steps.

use crate::command_lines::{CommandLine, CommandLines};
use crate::files::{FileEntry, FileList};
use crate::screen::Screen;
use session_record::{Event, Opening, Step, Stream};

const MAX_MOMENTS: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentKind {
    Resize,
    Marker,
    Notice,
    Frozen,
    Thawed,
    Connected,
    ConnectionError,
    Disconnected,
}

impl MomentKind {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resize => "resize",
            Self::Marker => "marker",
            Self::Notice => "notice",
            Self::Frozen => "frozen",
            Self::Thawed => "thawed",
            Self::Connected => "connected",
            Self::ConnectionError => "connection-error",
            Self::Disconnected => "disconnected",
        }
    }
}

/// Something beside the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub at_us: u64,
    pub kind: MomentKind,
    pub text: String,
}

/// A connection to a port, and what went over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub at_us: u64,
    pub connection: u32,
    pub port: u16,
    pub to_port_bytes: u64,
    pub from_port_bytes: u64,
}

/// All that a person is told of a session.
#[derive(Debug)]
pub struct Story {
    screen: Screen,
    commands: CommandLines,
    files: FileList,
    pub moments: Vec<Moment>,
    pub ports: Vec<Port>,
    pub status: Option<String>,
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub last_us: u64,
}

impl Story {
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        Self {
            screen: Screen::default(),
            commands: CommandLines::new(opening),
            files: FileList::new(opening),
            moments: Vec::new(),
            ports: Vec::new(),
            status: None,
            input_bytes: 0,
            output_bytes: 0,
            last_us: 0,
        }
    }

    pub fn step(&mut self, step: &Step) {
        self.last_us = step.at_us();
        self.commands.step(&mut self.screen, step);
        self.files.step(step);
        match step {
            Step::Withheld { at_us: _, stream, length } => self.count(*stream, *length),
            Step::Known(record) => self.event(record.at_us, &record.event),
        }
    }

    fn event(&mut self, at_us: u64, event: &Event) {
        let (kind, text) = match event {
            Event::Data { stream, bytes } => return self.count(*stream, bytes.len() as u64),
            Event::Status { text } => {
                self.status = Some(String::from_utf8_lossy(text).into_owned());
                return;
            }
            Event::Connected { connection, port } => {
                let new = Port {
                    at_us,
                    connection: *connection,
                    port: *port,
                    to_port_bytes: 0,
                    from_port_bytes: 0,
                };
                if self.ports.len() < MAX_MOMENTS {
                    self.ports.push(new);
                }
                (MomentKind::Connected, format!("connection {connection} to port {port}"))
            }
            Event::ConnectionError { connection, text } => (
                MomentKind::ConnectionError,
                format!("connection {connection}: {}", String::from_utf8_lossy(text)),
            ),
            Event::Disconnected { connection } => {
                (MomentKind::Disconnected, format!("connection {connection}"))
            }
            Event::Resize { columns, rows } => (MomentKind::Resize, format!("{columns}×{rows}")),
            Event::Notice { text } => (MomentKind::Notice, text.clone()),
            Event::Frozen { by } => (MomentKind::Frozen, by.clone()),
            Event::Thawed { by } => (MomentKind::Thawed, by.clone()),
            Event::Marker { by, text } => (MomentKind::Marker, format!("{text} ({by})")),
            Event::End { .. } | Event::Call { .. } => return,
        };
        if self.moments.len() < MAX_MOMENTS {
            self.moments.push(Moment { at_us, kind, text });
        }
    }

    fn count(&mut self, stream: Stream, length: u64) {
        match stream {
            Stream::Stdin | Stream::ToPort { .. } => self.input_bytes += length,
            Stream::Stdout | Stream::Stderr | Stream::FromPort { .. } => {
                self.output_bytes += length
            }
        }
        let (Stream::ToPort { connection } | Stream::FromPort { connection }) = stream else {
            return;
        };
        if let Some(port) = self.ports.iter_mut().rev().find(|port| port.connection == connection) {
            let bytes = if stream.is_from_person() {
                &mut port.to_port_bytes
            } else {
                &mut port.from_port_bytes
            };
            *bytes += length;
        }
    }

    #[must_use]
    pub fn commands(&self) -> &[CommandLine] {
        &self.commands.found
    }

    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files.found
    }

    /// The screen after the last step.
    #[must_use]
    pub const fn screen(&self) -> &Screen {
        &self.screen
    }
}
