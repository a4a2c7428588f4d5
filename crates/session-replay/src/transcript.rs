//! The lines that were shown, in their order, for searching and for reading without a player.

use crate::text::TextDecoder;
use avt::observer::Transcript as Observed;
use avt::{Line as Row, Terminal};
use session_record::{Event, Opening, Step, Stream};

const MAX_LINE_BYTES: usize = 64 << 10;

/// A line, and when its last part was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub at_us: u64,
    pub text: String,
}

/// Collects lines: of a terminal when they are final, otherwise as they come, standard error included.
#[derive(Debug)]
pub struct Transcript {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Terminal(Box<OnScreen>),
    Plain { out: Open, error: Open },
}

struct OnScreen {
    terminal: Terminal,
    decoder: TextDecoder,
    observed: Observed,
}

#[derive(Debug, Default)]
struct Open {
    decoder: TextDecoder,
    text: String,
}

impl Transcript {
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        let kind = if opening.access.terminal {
            Kind::Terminal(Box::new(OnScreen::new()))
        } else {
            Kind::Plain { out: Open::default(), error: Open::default() }
        };
        Self { kind }
    }

    /// The lines that a step makes final. On a screen of its own, as an editor has, a row counts when it changes.
    pub fn step(&mut self, step: &Step) -> Vec<Line> {
        let Step::Known(record) = step else { return Vec::new() };
        let texts = match (&mut self.kind, &record.event) {
            (Kind::Terminal(screen), Event::Data { stream: Stream::Stdout, bytes }) => {
                screen.feed(bytes)
            }
            (Kind::Terminal(screen), Event::Resize { columns, rows }) => {
                let (columns, rows) = crate::screen::bounded(*columns, *rows);
                screen.terminal.resize_with(columns, rows, &mut screen.observed)
            }
            (Kind::Plain { out, error: _ }, Event::Data { stream: Stream::Stdout, bytes }) => {
                out.feed(bytes)
            }
            (Kind::Plain { out: _, error }, Event::Data { stream: Stream::Stderr, bytes }) => {
                error.feed(bytes)
            }
            _ => Vec::new(),
        };
        lines(record.at_us, texts)
    }

    /// What is left when nothing more is shown.
    pub fn finish(self, at_us: u64) -> Vec<Line> {
        let texts = match self.kind {
            Kind::Terminal(screen) => screen.observed.finish(&screen.terminal),
            Kind::Plain { mut out, mut error } => {
                let mut texts = Vec::new();
                for open in [&mut out, &mut error] {
                    let rest = open.decoder.finish();
                    open.text.push_str(&rest);
                    if !open.text.is_empty() {
                        texts.push(std::mem::take(&mut open.text));
                    }
                }
                texts
            }
        };
        lines(at_us, texts)
    }
}

fn lines(at_us: u64, texts: Vec<String>) -> Vec<Line> {
    texts.into_iter().filter(|text| !text.is_empty()).map(|text| Line { at_us, text }).collect()
}

impl std::fmt::Debug for OnScreen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("OnScreen")
    }
}

impl OnScreen {
    fn new() -> Self {
        let (columns, rows) = crate::screen::bounded(0, 0);
        #[expect(clippy::expect_used, reason = "both are at least 1")]
        let terminal = Terminal::new(columns, rows).expect("a size of at least 1 by 1");
        Self { terminal, decoder: TextDecoder::default(), observed: Observed::new() }
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let before = self.alternate();
        let text = self.decoder.feed(bytes);
        let mut texts = self.terminal.feed_with(text.as_str(), &mut self.observed);
        let after = self.alternate();
        for (row, text) in after.iter().enumerate() {
            if before.get(row) != Some(text) {
                texts.push(text.clone());
            }
        }
        texts
    }

    fn alternate(&self) -> Vec<String> {
        if self.terminal.active_screen_kind() != avt::ScreenKind::Alternate {
            return Vec::new();
        }
        self.terminal.screen().visible_lines().map(row_text).collect()
    }
}

fn row_text(row: &Row) -> String {
    row.text().trim_end().to_owned()
}

impl Open {
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
