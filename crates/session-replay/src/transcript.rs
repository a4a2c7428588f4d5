//! The lines of a session in their order, for searching and for reading without a player.

use crate::interpreter::Interpreter;
use crate::lines::Lines;
use crate::screen::Screen;
use crate::text::TextDecoder;
use avt::parser::Function;
use session_record::{Event, Opening, Step, Stream};

const MAX_LINE_BYTES: usize = 64 << 10;

/// A line, and when it was complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at_us: u64,
    pub text: String,
}

/// Collects lines: of a terminal when the screen showed them, otherwise as they come, standard error included.
#[derive(Debug)]
pub struct Transcript {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Terminal(Box<OnScreen>),
    Plain { out: Plain, error: Plain },
    Raw { out: Box<Raw>, error: Box<Raw> },
}

#[derive(Debug)]
struct OnScreen {
    screen: Screen,
    lines: Lines,
}

#[derive(Debug, Default)]
struct Plain {
    decoder: TextDecoder,
    text: String,
}

/// All letters that were sent, also those that were covered at once.
#[derive(Debug, Default)]
struct Raw {
    interpreter: Interpreter,
    text: String,
}

impl Transcript {
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        let kind = if opening.access.terminal {
            Kind::Terminal(Box::new(OnScreen {
                screen: Screen::of(opening),
                lines: Lines::default(),
            }))
        } else {
            Kind::Plain { out: Plain::default(), error: Plain::default() }
        };
        Self { kind }
    }

    /// The lines as they were sent, whatever the screen made of them: what was written over stands there with the
    /// carriage returns and backspaces between. Control sequences are left out.
    #[must_use]
    pub fn raw() -> Self {
        Self { kind: Kind::Raw { out: Box::default(), error: Box::default() } }
    }

    /// The lines that are complete with this step.
    pub fn step(&mut self, step: &Step) -> Vec<Line> {
        let Step::Known(record) = step else { return Vec::new() };
        let at_us = record.at_us;
        match (&mut self.kind, &record.event) {
            (Kind::Terminal(on_screen), event) => on_screen.event(at_us, event),
            (Kind::Plain { out, error: _ }, Event::Data { stream: Stream::Stdout, bytes }) => {
                lines(at_us, out.feed(bytes))
            }
            (Kind::Plain { out: _, error }, Event::Data { stream: Stream::Stderr, bytes }) => {
                lines(at_us, error.feed(bytes))
            }
            (Kind::Raw { out, error: _ }, Event::Data { stream: Stream::Stdout, bytes }) => {
                lines(at_us, out.feed(bytes))
            }
            (Kind::Raw { out: _, error }, Event::Data { stream: Stream::Stderr, bytes }) => {
                lines(at_us, error.feed(bytes))
            }
            (Kind::Plain { .. } | Kind::Raw { .. }, _) => Vec::new(),
        }
    }

    /// What is left when nothing more is shown.
    #[must_use]
    pub fn finish(self, at_us: u64) -> Vec<Line> {
        match self.kind {
            Kind::Terminal(mut on_screen) => {
                on_screen.lines.finish(on_screen.screen.terminal());
                on_screen.take()
            }
            Kind::Plain { out, error } => {
                let rest = |mut plain: Plain| {
                    let rest = plain.decoder.finish();
                    plain.text + &rest
                };
                lines(at_us, vec![rest(out), rest(error)])
            }
            Kind::Raw { out, error } => lines(at_us, vec![out.text, error.text]),
        }
    }
}

fn lines(at_us: u64, texts: Vec<String>) -> Vec<Line> {
    texts.into_iter().filter(|text| !text.is_empty()).map(|text| Line { at_us, text }).collect()
}

impl OnScreen {
    fn event(&mut self, at_us: u64, event: &Event) -> Vec<Line> {
        self.lines.time(at_us, self.screen.terminal());
        match event {
            Event::Data { stream: Stream::Stdout | Stream::Stderr, bytes } => {
                let Self { screen, lines } = self;
                lines.shown(at_us);
                screen.feed_watched(bytes, &mut |terminal, function| {
                    lines.watch(terminal, function);
                });
            }
            Event::Resize { columns, rows } => self.screen.resize(*columns, *rows),
            Event::Data { .. }
            | Event::End { .. }
            | Event::Status { .. }
            | Event::Connected { .. }
            | Event::ConnectionError { .. }
            | Event::Disconnected { .. }
            | Event::Call { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => {}
        }
        self.take()
    }

    fn take(&mut self) -> Vec<Line> {
        self.lines.take().into_iter().map(|(at_us, text)| Line { at_us, text }).collect()
    }
}

impl Plain {
    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        for letter in self.decoder.feed(bytes).chars() {
            if letter == '\n' || self.text.len() >= MAX_LINE_BYTES {
                texts.push(std::mem::take(&mut self.text).trim_end_matches('\r').to_owned());
            }
            if letter != '\n' {
                self.text.push(letter);
            }
        }
        texts
    }
}

impl Raw {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other function shows no letter")]
    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let Self { interpreter, text } = self;
        let mut texts = Vec::new();
        interpreter.feed(bytes, &mut |function| {
            match function {
                Function::Print(letter) => text.push(letter),
                Function::Cr => text.push('\r'),
                Function::Bs => text.push('\u{8}'),
                Function::Ht => text.push('\t'),
                Function::Lf | Function::Nel => {
                    texts.push(std::mem::take(text).trim_end_matches('\r').to_owned());
                }
                _ => {}
            }
            if text.len() >= MAX_LINE_BYTES {
                texts.push(std::mem::take(text));
            }
        });
        texts
    }
}
