//! `weir sessions play`.

mod keys;

use super::folder::{FolderArgs, KeyArgs, clock, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use keys::{Key, Keys};
use session_record::{Event, Reader, Step, Stream};
use session_replay::{Painter, Screen, Story};
use session_store::RecordingSource;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const HELP: &str = "\
Keys: space pauses, → and ← go 10 seconds, n and p to the next and the previous command, + and - change the speed, q ends.

What is shown is drawn from a model of the terminal: no escape sequence of the recording reaches yours.";

/// Play a session in this terminal
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct PlayArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// How much faster than it was
    #[arg(long, default_value_t = 1.0, value_parser = parse_speed)]
    speed: f64,
    /// Longest pause, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = parse_speed)]
    max_idle: f64,
    /// Begin at this second
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    from: f64,
    /// Begin at this command, as `show` counts them from 1
    #[arg(long, value_name = "N", conflicts_with = "from")]
    command: Option<usize>,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && (0.01..=10_000.0).contains(&value) => Ok(value),
        _ => Err("write a number between 0.01 and 10000".to_owned()),
    }
}

pub(crate) fn run(args: &PlayArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    if !io::stdout().is_terminal() {
        let message =
            "playing needs a terminal: `weir sessions export --format text` writes what was shown";
        return Err(ExpectedError::Usage(message.to_owned()));
    }
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let commands = commands(args.keys.reader(&recordings, session)?)?;
    let from_us = match args.command {
        Some(number) => *commands.get(number.wrapping_sub(1)).ok_or_else(|| {
            ExpectedError::Usage(format!("the session has {} commands", commands.len()))
        })?,
        None => micros(args.from),
    };
    let open = || args.keys.reader(&recordings, session);
    let mut player = Player {
        reader: open()?,
        screen: Screen::default(),
        painter: Painter::default(),
        commands,
        at_us: 0,
        speed: args.speed,
        max_idle_us: micros(args.max_idle),
        is_paused: false,
        next: None,
        title: format!("session {session}"),
    };
    let keys = Keys::begin()?;
    console.out.write_all(b"\x1b[?1049h")?;
    let played = player.play(from_us, &keys, console, &open);
    console.out.write_all(b"\x1b[0m\x1b[?25h\x1b[?1049l")?;
    console.out.flush()?;
    drop(keys);
    played?;
    Ok(Outcome::Yes)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds that a person wrote"
)]
fn micros(seconds: f64) -> u64 {
    (seconds.clamp(0.0, 1e9) * 1e6) as u64
}

/// The times of all command lines.
fn commands(mut reader: Reader<RecordingSource>) -> Result<Vec<u64>, ExpectedError> {
    let mut story = Story::new(reader.opening());
    while let Some(step) = reader.next_step().map_err(failed)? {
        story.step(&step);
    }
    Ok(story.commands().iter().map(|command| command.at_us).collect())
}

struct Player {
    reader: Reader<RecordingSource>,
    screen: Screen,
    painter: Painter,
    commands: Vec<u64>,
    at_us: u64,
    speed: f64,
    max_idle_us: u64,
    is_paused: bool,
    /// A step that was read and is still to come.
    next: Option<Step>,
    title: String,
}

type Open<'a> = dyn Fn() -> Result<Reader<RecordingSource>, ExpectedError> + 'a;

impl Player {
    fn play(
        &mut self,
        from_us: u64,
        keys: &Keys,
        console: &mut Console,
        open: &Open<'_>,
    ) -> Result<(), ExpectedError> {
        self.go_to(from_us, open)?;
        loop {
            self.draw(console)?;
            let Some(step) = self.upcoming()? else {
                self.is_paused = true;
                if !self.take(keys.wait(None)?, open)? {
                    return Ok(());
                }
                continue;
            };
            let pause = step.at_us().saturating_sub(self.at_us).min(self.max_idle_us);
            let wait = if self.is_paused {
                None
            } else {
                Some(Duration::from_micros(pause).div_f64(self.speed))
            };
            let until = wait.map(|wait| Instant::now() + wait);
            match keys.wait(until)? {
                None => {
                    self.show(&step);
                    self.next = None;
                }
                key => {
                    if !self.take(key, open)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn upcoming(&mut self) -> Result<Option<Step>, ExpectedError> {
        if self.next.is_none() {
            self.next = self.reader.next_step().map_err(failed)?;
        }
        Ok(self.next.clone())
    }

    fn show(&mut self, step: &Step) {
        self.at_us = step.at_us();
        if let Step::Known(record) = step {
            match &record.event {
                Event::Data { stream: Stream::Stdout | Stream::Stderr, bytes } => {
                    self.screen.feed(bytes)
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
        }
    }

    /// From the beginning, because a screen is what all before it made of it.
    fn go_to(&mut self, at_us: u64, open: &Open<'_>) -> Result<(), ExpectedError> {
        self.reader = open()?;
        self.screen = Screen::default();
        self.next = None;
        self.at_us = 0;
        while let Some(step) = self.upcoming()? {
            if step.at_us() > at_us {
                break;
            }
            self.show(&step);
            self.next = None;
        }
        self.at_us = at_us.min(self.next.as_ref().map_or(self.at_us, Step::at_us).max(self.at_us));
        Ok(())
    }

    /// Whether to go on.
    fn take(&mut self, key: Option<Key>, open: &Open<'_>) -> Result<bool, ExpectedError> {
        const SKIP_US: u64 = 10_000_000;
        let Some(key) = key else { return Ok(true) };
        match key {
            Key::Quit => return Ok(false),
            Key::Pause => self.is_paused = !self.is_paused,
            Key::Faster => self.speed = (self.speed * 1.5).min(1000.0),
            Key::Slower => self.speed = (self.speed / 1.5).max(0.05),
            Key::Forward => self.go_to(self.at_us.saturating_add(SKIP_US), open)?,
            Key::Back => self.go_to(self.at_us.saturating_sub(SKIP_US), open)?,
            Key::NextCommand => {
                if let Some(at) = self.commands.iter().find(|at| **at > self.at_us) {
                    self.go_to(*at, open)?;
                }
            }
            Key::PreviousCommand => {
                // The command that was just gone to is not the previous one.
                if let Some(at) = self.commands.iter().rev().find(|at| **at + 500_000 < self.at_us)
                {
                    self.go_to(*at, open)?;
                }
            }
            Key::Redraw => self.painter = Painter::default(),
        }
        Ok(true)
    }

    fn draw(&mut self, console: &mut Console) -> io::Result<()> {
        let (columns, rows) = terminal_size::terminal_size()
            .map_or((80, 24), |(columns, rows)| (usize::from(columns.0), usize::from(rows.0)));
        let painted = self.painter.paint(&self.screen, columns, rows.saturating_sub(1));
        let state = if self.is_paused { "paused" } else { "playing" };
        let status: String =
            format!(" {}  {}  {state}  ×{:.2}", self.title, clock(self.at_us), self.speed)
                .chars()
                .take(columns)
                .collect();
        let cursor = self.screen.cursor().map_or((1, 1), |(column, row)| (column + 1, row + 1));
        write!(
            console.out,
            "{painted}\x1b[{rows};1H\x1b[7m{status}\x1b[K\x1b[0m\x1b[{};{}H",
            cursor.1, cursor.0
        )?;
        console.out.flush()
    }
}
