//! Shows a session's steps at their times.

use super::keys::{Key, Keys};
use crate::Console;
use crate::commands::sessions::folder::{clock, failed};
use crate::exit::ExpectedError;
use report_formats::visible;
use session_record::{Event, Reader, Step, Stream};
use session_replay::{Keyframes, Painter, Screen};
use session_store::RecordingSource;
use std::io;
use std::time::{Duration, Instant};

/// Steps that follow each other faster are shown together.
const FRAME: Duration = Duration::from_millis(20);
const SKIP_US: u64 = 10_000_000;
/// A command that was just gone to is not the previous one.
const JUST_US: u64 = 500_000;

/// A command line, and when it was entered.
pub(super) struct Command {
    pub(super) at_us: u64,
    pub(super) text: String,
}

/// How fast it goes.
pub(super) struct Pace {
    pub(super) speed: f64,
    pub(super) max_idle_us: u64,
    pub(super) is_paused: bool,
}

pub(super) struct Player {
    reader: Reader<RecordingSource>,
    keyframes: Keyframes,
    commands: Vec<Command>,
    pace: Pace,
    screen: Screen,
    painter: Painter,
    at_us: u64,
    /// A step that was read and is still to come.
    next: Option<Step>,
    /// It broke off, or is at its end.
    is_over: bool,
}

impl Player {
    pub(super) fn new(
        reader: Reader<RecordingSource>,
        keyframes: Keyframes,
        commands: Vec<Command>,
        pace: Pace,
    ) -> Self {
        let screen = Screen::of(reader.opening());
        let painter = Painter::default();
        let (at_us, next, is_over) = (0, None, false);
        Self { reader, keyframes, commands, pace, screen, painter, at_us, next, is_over }
    }

    pub(super) fn play(
        &mut self,
        from_us: u64,
        keys: &Keys,
        console: &mut Console,
    ) -> Result<(), ExpectedError> {
        self.go_to(from_us)?;
        // What was waited for and not shown yet.
        let mut late = Duration::ZERO;
        loop {
            let pause = self.pause();
            late += pause.unwrap_or_default();
            if pause.is_some() && late < FRAME {
                self.show_next();
                continue;
            }
            self.draw(console)?;
            let until = pause.map(|_| Instant::now() + late);
            late = Duration::ZERO;
            match keys.wait(until)? {
                None => self.show_next(),
                Some(Key::Quit) => return Ok(()),
                Some(key) => self.take(key)?,
            }
        }
    }

    /// How long it is to the next step; none where none comes by itself.
    fn pause(&mut self) -> Option<Duration> {
        self.look_ahead();
        let next = self.next.as_ref().filter(|_| !self.pace.is_paused)?;
        let pause = next.at_us().saturating_sub(self.at_us).min(self.pace.max_idle_us);
        Some(Duration::from_micros(pause).div_f64(self.pace.speed))
    }

    fn look_ahead(&mut self) {
        if self.next.is_none() && !self.is_over {
            // What is wrong with it is said when it is over.
            self.next = self.reader.next_step().unwrap_or_default();
            self.is_over = self.next.is_none();
        }
    }

    fn show_next(&mut self) {
        self.look_ahead();
        if let Some(step) = self.next.take() {
            self.at_us = step.at_us();
            show(&mut self.screen, &step);
        }
    }

    /// From the last screen that is known before, because a screen is what all before it made of it.
    fn go_to(&mut self, at_us: u64) -> Result<(), ExpectedError> {
        let (screen, from_us) = self.keyframes.before(at_us);
        self.screen = screen;
        self.reader.seek(from_us).map_err(failed)?;
        (self.next, self.is_over, self.at_us) = (None, false, from_us.min(at_us));
        loop {
            self.look_ahead();
            if self.next.as_ref().is_none_or(|next| next.at_us() > at_us) {
                break;
            }
            self.show_next();
        }
        if self.next.is_some() {
            self.at_us = at_us;
        }
        Ok(())
    }

    fn take(&mut self, key: Key) -> Result<(), ExpectedError> {
        match key {
            Key::Quit => Ok(()),
            Key::Pause => {
                self.pace.is_paused = !self.pace.is_paused;
                Ok(())
            }
            Key::Step => {
                self.pace.is_paused = true;
                self.show_next();
                Ok(())
            }
            Key::Faster => {
                self.pace.speed = (self.pace.speed * 1.5).min(1000.0);
                Ok(())
            }
            Key::Slower => {
                self.pace.speed = (self.pace.speed / 1.5).max(0.05);
                Ok(())
            }
            Key::Forward => self.go_to(self.at_us.saturating_add(SKIP_US)),
            Key::Back => self.go_to(self.at_us.saturating_sub(SKIP_US)),
            Key::Begin => self.go_to(0),
            Key::NextCommand => {
                let next = self.commands.iter().find(|command| command.at_us > self.at_us);
                next.map(|command| command.at_us).map_or(Ok(()), |at_us| self.go_to(at_us))
            }
            Key::PreviousCommand => {
                let is_before = |command: &&Command| command.at_us + JUST_US < self.at_us;
                let last = self.commands.iter().rfind(is_before);
                last.map(|command| command.at_us).map_or(Ok(()), |at_us| self.go_to(at_us))
            }
            Key::Redraw => {
                self.painter = Painter::default();
                Ok(())
            }
        }
    }

    fn draw(&mut self, console: &mut Console) -> io::Result<()> {
        let (columns, rows) = terminal_size::terminal_size()
            .map_or((80, 24), |(columns, rows)| (usize::from(columns.0), usize::from(rows.0)));
        let status = self.status(columns);
        // The status first, so that the cursor ends where the session had it.
        write!(console.out, "\x1b[{rows};1H\x1b[0;7m{status}\x1b[0m")?;
        let painted = self.painter.paint(&self.screen, columns, rows.saturating_sub(1));
        console.out.write_all(painted.as_bytes())?;
        console.out.flush()
    }

    fn status(&self, columns: usize) -> String {
        let state = match (self.is_over && self.next.is_none(), self.pace.is_paused) {
            (true, _) => "end",
            (false, true) => "paused",
            (false, false) => "playing",
        };
        let number = self.commands.partition_point(|command| command.at_us <= self.at_us);
        let command = number.checked_sub(1).and_then(|last| self.commands.get(last));
        let command = command.map_or("", |command| &command.text);
        let text = format!(
            " {}  {state}  ×{:.2}  {number}/{} {}",
            clock(self.at_us),
            self.pace.speed,
            self.commands.len(),
            visible(command)
        );
        // Only letters whose width is sure; the row must not go over into the next one.
        let sure = |letter: char| if letter.is_ascii() || letter == '×' { letter } else { '?' };
        let text: String = text.chars().map(sure).take(columns.saturating_sub(1)).collect();
        format!("{text:<width$}", width = columns.saturating_sub(1))
    }
}

fn show(screen: &mut Screen, step: &Step) {
    let Step::Known(record) = step else { return };
    match &record.event {
        Event::Data { stream: Stream::Stdout | Stream::Stderr, bytes } => screen.feed(bytes),
        Event::Resize { columns, rows } => screen.resize(*columns, *rows),
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
