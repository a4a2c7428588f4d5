//! One export, in any of the formats.

use crate::asciicast::{Asciicast, Version};
use crate::json;
use crate::pcapng::Pcapng;
use crate::plain::{RawText, Text};
use safe_output::json::write_line;
use session_record::{Opening, Step};
use std::io::{self, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What was shown as asciicast v3: <https://docs.asciinema.org/manual/asciicast/v3/>.
    Asciicast,
    /// asciicast v2, which more players read.
    Asciicast2,
    /// The lines that were shown.
    Text,
    /// All bytes that were shown, with control characters written out.
    RawText,
    /// A JSON object a line: the opening, then each step.
    Json,
    /// What went over forwarded ports, as packets.
    Pcapng,
}

/// Whether what was typed is written where the steps have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    LeftOut,
    Written,
}

/// Writes a recording while its steps go by.
#[derive(Debug)]
pub struct Export {
    input: Input,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Asciicast(Box<Asciicast>),
    Text(Text),
    RawText(RawText),
    Json,
    Pcapng(Box<Pcapng>),
}

impl Export {
    /// Writes what comes before the first step.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn begin(
        format: Format,
        input: Input,
        opening: &Opening,
        out: &mut dyn Write,
    ) -> io::Result<Self> {
        let kind = match format {
            Format::Asciicast => Kind::Asciicast(Box::new(Asciicast::new(Version::V3, opening))),
            Format::Asciicast2 => Kind::Asciicast(Box::new(Asciicast::new(Version::V2, opening))),
            Format::Text => Kind::Text(Text::new(opening)),
            Format::RawText => Kind::RawText(RawText::default()),
            Format::Json => {
                let mut header = json::opening_json(opening);
                if let Some(header) = header.as_object_mut() {
                    header.insert("kind".to_owned(), "SessionExport".into());
                }
                write_line(out, &header)?;
                Kind::Json
            }
            Format::Pcapng => Kind::Pcapng(Box::new(Pcapng::begin(opening, out)?)),
        };
        Ok(Self { input, kind })
    }

    /// Writes a step.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn step(&mut self, step: &Step, out: &mut dyn Write) -> io::Result<()> {
        match &mut self.kind {
            Kind::Asciicast(format) => format.step(step, self.input, out),
            Kind::Text(format) => format.step(step, out),
            Kind::RawText(format) => format.step(step, self.input, out),
            Kind::Json => write_line(out, &json::step_json(step, self.input)),
            Kind::Pcapng(format) => format.step(step, out),
        }
    }

    /// Writes what comes after the last step.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self.kind {
            Kind::Asciicast(format) => format.end(out),
            Kind::Text(format) => format.end(out),
            Kind::RawText(_) | Kind::Json | Kind::Pcapng(_) => Ok(()),
        }
    }
}
