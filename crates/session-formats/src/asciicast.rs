//! asciicast v2 and v3: a header, then an event a line.
//!
//! v2 has times since the beginning, v3 since the event before. The size is part of the header, so the header waits for
//! the first size of the terminal, which clients send before anything is shown. What was shown is passed on as far as
//! it shows something: a cast is played by programs that hand it to a terminal as it is, so titles, links, clipboards,
//! images and questions to the terminal are left out. All bytes are in the JSON.

use crate::export::Input;
use safe_output::json::{write_line, write_part};
use safe_output::visible;
use serde_json::{Value, json};
use session_record::{Event, Opening, Step, Stream};
use session_replay::{SafeStream, TextDecoder, quoted};
use std::io::{self, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2,
    V3,
}

#[derive(Debug)]
pub(crate) struct Asciicast {
    version: Version,
    header: Value,
    has_begun: bool,
    last_us: u64,
    shown: SafeStream,
    errors: SafeStream,
    typed: TextDecoder,
    is_terminal: bool,
}

impl Asciicast {
    pub(crate) fn new(version: Version, opening: &Opening) -> Self {
        let command = visible(&quoted(&opening.access.command)).into_owned();
        let seconds = opening.at_ms.div_euclid(1000);
        let title = format!("session {}", opening.session);
        let header = match version {
            Version::V2 => {
                json!({ "version": 2, "width": 80, "height": 24, "timestamp": seconds, "command": command, "title": title })
            }
            Version::V3 => json!({
                "version": 3, "term": { "cols": 80, "rows": 24 }, "timestamp": seconds, "command": command, "title": title,
            }),
        };
        Self {
            version,
            header,
            has_begun: false,
            last_us: 0,
            shown: SafeStream::default(),
            errors: SafeStream::default(),
            typed: TextDecoder::default(),
            is_terminal: opening.access.terminal,
        }
    }

    pub(crate) fn step(
        &mut self,
        step: &Step,
        input: Input,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let Step::Known(record) = step else { return Ok(()) };
        let at_us = record.at_us;
        match &record.event {
            Event::Resize { columns, rows } if !self.has_begun => {
                self.size(*columns, *rows);
                Ok(())
            }
            Event::Resize { columns, rows } => {
                self.event(at_us, "r", &format!("{columns}x{rows}"), out)
            }
            Event::Data { stream: stream @ (Stream::Stdout | Stream::Stderr), bytes } => {
                let shown =
                    if *stream == Stream::Stdout { &mut self.shown } else { &mut self.errors };
                let text = shown.feed(bytes);
                // Without a terminal there is nobody who returns the carriage.
                let text = if self.is_terminal { text } else { text.replace('\n', "\r\n") };
                if text.is_empty() { Ok(()) } else { self.event(at_us, "o", &text, out) }
            }
            Event::Data { stream: Stream::Stdin, bytes } if input == Input::Written => {
                let text = self.typed.feed(bytes);
                if text.is_empty() { Ok(()) } else { self.event(at_us, "i", &text, out) }
            }
            Event::Marker { by: _, text } => self.event(at_us, "m", &visible(text), out),
            Event::Status { text } if self.version == Version::V3 => match exit_code(text) {
                Some(code) => self.event(at_us, "x", &code, out),
                None => Ok(()),
            },
            Event::Data { .. }
            | Event::End { .. }
            | Event::Status { .. }
            | Event::Connected { .. }
            | Event::ConnectionError { .. }
            | Event::Disconnected { .. }
            | Event::Call { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. } => Ok(()),
        }
    }

    fn size(&mut self, columns: u16, rows: u16) {
        let Some(header) = self.header.as_object_mut() else { return };
        if columns == 0 || rows == 0 {
            return;
        }
        match self.version {
            Version::V2 => {
                header.insert("width".to_owned(), json!(columns));
                header.insert("height".to_owned(), json!(rows));
            }
            Version::V3 => {
                header.insert("term".to_owned(), json!({ "cols": columns, "rows": rows }));
            }
        }
    }

    fn begin(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        write_line(out, &self.header)
    }

    fn event(&mut self, at_us: u64, code: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)?;
        let time = match self.version {
            Version::V2 => at_us,
            Version::V3 => at_us.saturating_sub(self.last_us),
        };
        self.last_us = at_us;
        let (seconds, rest) = (time / 1_000_000, time % 1_000_000);
        write!(out, "[{seconds}.{rest:06}, \"{code}\", ")?;
        write_part(out, &text)?;
        writeln!(out, "]")
    }

    pub(crate) fn end(mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begin(out)
    }
}

/// As text, which is what the format has.
fn exit_code(status: &[u8]) -> Option<String> {
    let status: Value = serde_json::from_slice(status).ok()?;
    if status.get("status")?.as_str()? == "Success" {
        return Some("0".to_owned());
    }
    let causes = status.get("details")?.get("causes")?.as_array()?;
    let code = causes
        .iter()
        .find(|cause| cause.get("reason").and_then(Value::as_str) == Some("ExitCode"))?;
    code.get("message")?.as_str()?.parse::<i32>().ok().map(|code| code.to_string())
}
