//! Command lines: from the arguments, from the screen, from what was sent without a terminal.
//!
//! On a terminal the screen is asked and not the keyboard: history, completion and the cursor keys make of keystrokes
//! what only the line editor knows. A line counts when something was typed since the last one and the terminal goes to
//! the next line; what stands there then, without the prompt, is the command. The prompt is what stood before the
//! cursor at the first key. That works with output alone, because a recording without its input's key still
//! has the moments at which something was typed.

use crate::screen::Screen;
use session_record::{Event, Opening, Step, Stream};

/// Longest command line that is kept.
const MAX_COMMAND_BYTES: usize = 16 << 10;
/// Commands of one recording; after so many only their number goes on.
const MAX_COMMANDS: usize = 20_000;

/// Where a command line is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The session's own arguments: exact.
    Arguments,
    /// What the screen showed when the line was entered.
    Screen,
    /// A line of standard input that was no terminal: exact, and needs the input's key.
    Input,
    /// Something was typed that the screen did not show, such as a password. Its text is not known and not said.
    Hidden,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub at_us: u64,
    pub text: String,
    pub source: Source,
}

/// Finds command lines while steps go by.
#[derive(Debug)]
pub struct CommandLines {
    is_terminal: bool,
    /// Something that reads commands: a shell, as far as the arguments say.
    reads_commands: bool,
    prompt: Option<String>,
    last_prompt: String,
    /// Bytes typed since the last line, and when the last of them.
    typed: u64,
    typed_at_us: u64,
    /// Lines that were entered and that the terminal did not show the end of; not known without the input's key.
    entered: Option<u32>,
    input_line: Vec<u8>,
    pub found: Vec<CommandLine>,
    /// Commands beyond those that are kept.
    pub n_more: u64,
}

const SHELLS: &[&str] = &[
    "sh",
    "ash",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "fish",
    "busybox",
    "python",
    "python3",
    "psql",
    "mysql",
    "redis-cli",
];

impl CommandLines {
    #[must_use]
    pub fn new(opening: &Opening) -> Self {
        let command = &opening.access.command;
        let mut lines = Self {
            is_terminal: opening.access.terminal,
            reads_commands: command.first().is_some_and(|program| {
                let name = program.rsplit('/').next().unwrap_or(program);
                SHELLS.contains(&name)
            }),
            prompt: None,
            last_prompt: String::new(),
            typed: 0,
            typed_at_us: 0,
            entered: None,
            input_line: Vec::new(),
            found: Vec::new(),
            n_more: 0,
        };
        if !command.is_empty() {
            lines.push(0, &quoted(command), Source::Arguments);
        }
        lines
    }

    fn push(&mut self, at_us: u64, text: &str, source: Source) {
        if self.found.len() < MAX_COMMANDS {
            let text: String = text.chars().take(MAX_COMMAND_BYTES).collect();
            self.found.push(CommandLine { at_us, text, source });
        } else {
            self.n_more += 1;
        }
    }

    /// Looks at a step and shows it on the screen.
    pub fn step(&mut self, screen: &mut Screen, step: &Step) {
        match step {
            Step::Known(record) => match &record.event {
                Event::Data { stream: Stream::Stdin, bytes } => {
                    if self.is_terminal {
                        let enters =
                            bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count();
                        let entered =
                            self.entered.unwrap_or(0) + u32::try_from(enters).unwrap_or(u32::MAX);
                        self.entered = Some(entered);
                        self.typed(
                            screen,
                            record.at_us,
                            (bytes.len() - enters.min(bytes.len())) as u64,
                        );
                    } else {
                        self.sent(record.at_us, bytes);
                    }
                }
                Event::Data { stream: Stream::Stdout, bytes } => self.shown(screen, bytes),
                Event::Resize { columns, rows } => screen.resize(*columns, *rows),
                Event::Data {
                    stream: Stream::Stderr | Stream::ToPort { .. } | Stream::FromPort { .. },
                    ..
                }
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
            },
            // Its Enter is in the length, where there was one.
            Step::Withheld { at_us, stream: Stream::Stdin, length } if self.is_terminal => {
                self.typed(screen, *at_us, *length);
            }
            Step::Withheld { .. } => {}
        }
    }

    fn typed(&mut self, screen: &Screen, at_us: u64, length: u64) {
        if self.prompt.is_none() {
            let (line, before) = screen.cursor_line();
            let prompt: String = line.chars().take(before).collect();
            // The line editor's answer to an earlier key may be here already; then the last prompt is known.
            let known = !self.last_prompt.is_empty() && prompt.starts_with(&self.last_prompt);
            self.prompt = Some(if known { self.last_prompt.clone() } else { prompt });
        }
        self.typed += length;
        self.typed_at_us = at_us;
    }

    /// Shows output up to each end of a line, to look at the line before it goes.
    fn shown(&mut self, screen: &mut Screen, bytes: &[u8]) {
        if !self.is_terminal || self.prompt.is_none() {
            screen.feed(bytes);
            return;
        }
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            screen.feed(line);
            self.line_over(screen);
            let (newline, after) = after.split_at(1);
            screen.feed(newline);
            rest = after;
            if self.prompt.is_none() {
                break;
            }
        }
        screen.feed(rest);
    }

    fn line_over(&mut self, screen: &Screen) {
        // With the input's key it is known whether Enter was pressed at all.
        if self.entered == Some(0) || screen.is_alternate() {
            return;
        }
        let Some(prompt) = self.prompt.take() else { return };
        if let Some(entered) = &mut self.entered {
            *entered = entered.saturating_sub(1);
            if *entered > 0 {
                // More lines were pasted; each is shown after a prompt of its own.
                self.prompt = Some(prompt.clone());
            }
        }
        let typed = std::mem::take(&mut self.typed);
        let (line, _) = screen.cursor_line();
        let text = line.strip_prefix(prompt.trim_end()).unwrap_or(&line).trim().to_owned();
        let at_us = self.typed_at_us;
        if !text.is_empty() {
            self.last_prompt = prompt;
            self.push(at_us, &text, Source::Screen);
        } else if typed > 1 || (typed == 1 && self.entered.is_some()) {
            self.push(at_us, "", Source::Hidden);
        }
    }

    /// Standard input of something that reads commands, line by line.
    fn sent(&mut self, at_us: u64, bytes: &[u8]) {
        if !self.reads_commands {
            return;
        }
        for byte in bytes {
            if *byte == b'\n' {
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.input_line))
                    .trim()
                    .to_owned();
                if !line.is_empty() {
                    self.push(at_us, &line, Source::Input);
                }
            } else if self.input_line.len() < MAX_COMMAND_BYTES {
                self.input_line.push(*byte);
            }
        }
    }
}

/// Arguments as a shell would need them, so that their borders show.
fn quoted(arguments: &[String]) -> String {
    let is_plain = |argument: &String| {
        !argument.is_empty()
            && argument
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "@%+=:,./-_".contains(letter))
    };
    let words: Vec<String> = arguments
        .iter()
        .map(|argument| {
            if is_plain(argument) {
                argument.clone()
            } else {
                format!("'{}'", argument.replace('\'', "'\\''"))
            }
        })
        .collect();
    words.join(" ")
}
