//! What a person presses while a session is played.

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use std::io;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Pause,
    Step,
    Begin,
    Faster,
    Slower,
    Forward,
    Back,
    NextCommand,
    PreviousCommand,
    Redraw,
}

/// The terminal gives keys one by one for as long as this is there.
pub(super) struct Keys;

impl Keys {
    pub(super) fn begin() -> io::Result<Self> {
        terminal::enable_raw_mode().map(|()| Self)
    }

    /// The next key that means something, or none at the moment that was given.
    pub(super) fn wait(&self, until: Option<Instant>) -> io::Result<Option<Key>> {
        loop {
            let left = until.map_or(Duration::from_hours(1), |until| {
                until.saturating_duration_since(Instant::now())
            });
            if !event::poll(left)? {
                if until.is_some() {
                    return Ok(None);
                }
                continue;
            }
            if let Some(key) = meaning(&event::read()?) {
                return Ok(Some(key));
            }
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal is gone if this fails.
        drop(terminal::disable_raw_mode());
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every key that is not listed means nothing")]
fn meaning(event: &Event) -> Option<Key> {
    let key = match event {
        Event::Key(key) if key.kind == KeyEventKind::Press => key,
        Event::Resize(..) => return Some(Key::Redraw),
        _ => return None,
    };
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char(' ') => Some(Key::Pause),
        KeyCode::Char('.') => Some(Key::Step),
        KeyCode::Char('0') => Some(Key::Begin),
        KeyCode::Char('+' | '=') => Some(Key::Faster),
        KeyCode::Char('-') => Some(Key::Slower),
        KeyCode::Right => Some(Key::Forward),
        KeyCode::Left => Some(Key::Back),
        KeyCode::Char('n') => Some(Key::NextCommand),
        KeyCode::Char('p') => Some(Key::PreviousCommand),
        _ => None,
    }
}
