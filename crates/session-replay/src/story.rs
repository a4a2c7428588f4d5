//! What happened in a session, in one pass over its steps.

use crate::command_line::CommandLine;
use crate::command_lines::CommandLines;
use crate::files::{FileEntry, FileList};
use crate::interpreter::Oddity;
use crate::keyframe::Keyframes;
use crate::screen::{LineEnds, Screen};
use session_record::{Event, Opening, Step, Stream};

const MAX_MOMENTS: usize = 20_000;
/// Odd things are told a few times each, not for every step of a flood.
const MAX_ODD: usize = 100;

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
    /// Something on the terminal that is seldom sent in good faith.
    Odd,
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
            Self::Odd => "odd",
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
    keyframes: Keyframes,
    n_odd: usize,
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
            screen: Screen::of(opening),
            commands: CommandLines::new(opening),
            files: FileList::new(opening),
            keyframes: Keyframes::new(LineEnds::of(opening)),
            n_odd: 0,
            moments: Vec::new(),
            ports: Vec::new(),
            status: None,
            input_bytes: 0,
            output_bytes: 0,
            last_us: 0,
        }
    }

    pub fn step(&mut self, step: &Step) {
        if step.at_us() > self.last_us {
            self.keyframes.between(self.last_us, &self.screen);
        }
        self.last_us = step.at_us();
        self.commands.typed(&self.screen, step);
        self.files.step(step);
        match step {
            Step::Withheld { at_us: _, stream, length } => self.count(*stream, *length),
            Step::Known(record) => self.event(record.at_us, &record.event),
        }
    }

    /// Nothing more comes: what was typed last and never shown is told, too.
    pub fn finish(&mut self) {
        self.commands.finish(self.last_us);
    }

    fn event(&mut self, at_us: u64, event: &Event) {
        if let Event::Data { stream, bytes } = event {
            self.count(*stream, bytes.len() as u64);
            if matches!(stream, Stream::Stdout | Stream::Stderr) {
                self.show(at_us, bytes);
            }
            return;
        }
        if let Event::Resize { columns, rows } = event {
            self.screen.resize(*columns, *rows);
        }
        if let Event::Status { text } = event {
            self.status = Some(String::from_utf8_lossy(text).into_owned());
        }
        if let Event::Connected { connection, port } = event
            && self.ports.len() < MAX_MOMENTS
        {
            let (connection, port) = (*connection, *port);
            let (to_port_bytes, from_port_bytes) = (0, 0);
            self.ports.push(Port { at_us, connection, port, to_port_bytes, from_port_bytes });
        }
        if let Some((kind, text)) = moment(event) {
            self.tell(Moment { at_us, kind, text });
        }
    }

    fn show(&mut self, at_us: u64, bytes: &[u8]) {
        let Self { screen, commands, .. } = self;
        screen.feed_watched(bytes, &mut |terminal, function| commands.watch(terminal, function));
        self.commands.shown(self.screen.terminal());
        self.keyframes.shown(bytes.len());
        for odd in self.screen.take_odd() {
            self.odd(at_us, odd);
        }
    }

    fn odd(&mut self, at_us: u64, odd: Oddity) {
        self.n_odd += 1;
        if self.n_odd <= MAX_ODD {
            self.tell(Moment { at_us, kind: MomentKind::Odd, text: odd.text().to_owned() });
        }
    }

    fn tell(&mut self, moment: Moment) {
        if self.moments.len() < MAX_MOMENTS {
            self.moments.push(moment);
        }
    }

    fn count(&mut self, stream: Stream, length: u64) {
        match stream {
            Stream::Stdin | Stream::ToPort { .. } => self.input_bytes += length,
            Stream::Stdout | Stream::Stderr | Stream::FromPort { .. } => {
                self.output_bytes += length;
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

    /// Commands beyond those that are kept.
    #[must_use]
    pub const fn n_more_commands(&self) -> u64 {
        self.commands.n_more
    }

    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files.found
    }

    #[must_use]
    pub const fn file_list(&self) -> &FileList {
        &self.files
    }

    /// The screen after the last step.
    #[must_use]
    pub const fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Screens to begin from, for a player.
    #[must_use]
    pub fn into_keyframes(self) -> Keyframes {
        self.keyframes
    }
}

fn moment(event: &Event) -> Option<(MomentKind, String)> {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(match event {
        Event::Resize { columns, rows } => (MomentKind::Resize, format!("{columns}×{rows}")),
        Event::Marker { by, text } => (MomentKind::Marker, format!("{text} ({by})")),
        Event::Notice { text } => (MomentKind::Notice, text.clone()),
        Event::Frozen { by } => (MomentKind::Frozen, by.clone()),
        Event::Thawed { by } => (MomentKind::Thawed, by.clone()),
        Event::Connected { connection, port } => {
            (MomentKind::Connected, format!("connection {connection} to port {port}"))
        }
        Event::ConnectionError { connection, text } => {
            (MomentKind::ConnectionError, format!("connection {connection}: {}", lossy(text)))
        }
        Event::Disconnected { connection } => {
            (MomentKind::Disconnected, format!("connection {connection}"))
        }
        Event::Data { .. } | Event::End { .. } | Event::Status { .. } | Event::Call { .. } => {
            return None;
        }
    })
}
