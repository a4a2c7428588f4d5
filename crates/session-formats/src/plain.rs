//! Text for people who read.

use crate::export::Input;
use safe_output::visible;
use session_record::{Event, Opening, Step, Stream};
use session_replay::{Line, TextDecoder, Transcript};
use std::io::{self, Write};

/// The lines that were shown.
#[derive(Debug)]
pub(crate) struct Text {
    transcript: Transcript,
    last_us: u64,
}

impl Text {
    pub(crate) fn new(opening: &Opening) -> Self {
        Self { transcript: Transcript::new(opening), last_us: 0 }
    }

    pub(crate) fn step(&mut self, step: &Step, out: &mut dyn Write) -> io::Result<()> {
        self.last_us = step.at_us();
        write_lines(&self.transcript.step(step), out)
    }

    pub(crate) fn end(self, out: &mut dyn Write) -> io::Result<()> {
        write_lines(&self.transcript.finish(self.last_us), out)
    }
}

fn write_lines(lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", visible(&line.text)))
}

/// Everything that was sent, with time and stream.
#[derive(Debug, Default)]
pub(crate) struct RawText {
    out: TextDecoder,
    error: TextDecoder,
    typed: TextDecoder,
}

impl RawText {
    pub(crate) fn step(
        &mut self,
        step: &Step,
        input: Input,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (at_us, word, text) = match step {
            Step::Withheld { at_us, stream, length } => {
                (*at_us, word(*stream), format!("({length} bytes, withheld)"))
            }
            Step::Known(record) => match &record.event {
                Event::Data { stream, bytes }
                    if stream.is_from_person() && input == Input::LeftOut =>
                {
                    (record.at_us, word(*stream), format!("({} bytes, left out)", bytes.len()))
                }
                Event::Data { stream, bytes } => {
                    let text = match stream {
                        Stream::Stdout => self.out.feed(bytes),
                        Stream::Stderr => self.error.feed(bytes),
                        Stream::Stdin => self.typed.feed(bytes),
                        Stream::ToPort { .. } | Stream::FromPort { .. } => {
                            String::from_utf8_lossy(bytes).into_owned()
                        }
                    };
                    (record.at_us, word(*stream), text)
                }
                Event::End { .. }
                | Event::Resize { .. }
                | Event::Status { .. }
                | Event::Connected { .. }
                | Event::ConnectionError { .. }
                | Event::Disconnected { .. }
                | Event::Call { .. }
                | Event::Notice { .. }
                | Event::Frozen { .. }
                | Event::Thawed { .. }
                | Event::Marker { .. } => match told(&record.event) {
                    Some((word, text)) => (record.at_us, word, text),
                    None => return Ok(()),
                },
            },
        };
        for line in text.split_inclusive('\n') {
            let line = line.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
            // A blank at the end would not be seen.
            let line =
                line.strip_suffix(' ').map_or_else(|| line.clone(), |rest| format!("{rest}\\s"));
            writeln!(
                out,
                "{}.{:06} {word:<7} {}",
                at_us / 1_000_000,
                at_us % 1_000_000,
                visible(&line)
            )?;
        }
        Ok(())
    }
}

const fn word(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdin => "stdin",
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::ToPort { .. } => "to-port",
        Stream::FromPort { .. } => "port",
    }
}

fn told(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::Data { .. } => return None,
        Event::End { stream } => ("end", word(*stream).to_owned()),
        Event::Resize { columns, rows } => ("resize", format!("{columns}x{rows}")),
        Event::Status { text } => ("status", String::from_utf8_lossy(text).into_owned()),
        Event::Connected { connection, port } => {
            ("connect", format!("{connection} to port {port}"))
        }
        Event::ConnectionError { connection, text } => {
            ("error", format!("{connection}: {}", String::from_utf8_lossy(text)))
        }
        Event::Disconnected { connection } => ("over", connection.to_string()),
        Event::Call { json } => ("call", String::from_utf8_lossy(json).into_owned()),
        Event::Notice { text } => ("notice", text.clone()),
        Event::Frozen { by } => ("frozen", by.clone()),
        Event::Thawed { by } => ("thawed", by.clone()),
        Event::Marker { by, text } => ("marker", format!("{text} ({by})")),
    })
}
