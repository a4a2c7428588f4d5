//! Screens at moments, so that a player need not begin at the beginning.

use crate::screen::{LineEnds, Screen};

/// A keyframe is made after so much that was shown, or so much time.
const EVERY_BYTES: u64 = 256 << 10;
const EVERY_US: u64 = 10_000_000;
/// Beyond these there is one for twice as much.
const MAX_KEYFRAMES: usize = 1024;
const MAX_BYTES: usize = 32 << 20;

/// What the screen showed after all steps up to a moment.
#[derive(Debug, Clone)]
struct Keyframe {
    at_us: u64,
    size: (usize, usize),
    dump: String,
}

/// The keyframes of a recording, in the order of their times.
#[derive(Debug)]
pub struct Keyframes {
    line_ends: LineEnds,
    frames: Vec<Keyframe>,
    bytes: usize,
    /// Grows when there are too many.
    sparse: u64,
    shown_bytes: u64,
}

impl Keyframes {
    pub(crate) const fn new(line_ends: LineEnds) -> Self {
        Self { line_ends, frames: Vec::new(), bytes: 0, sparse: 1, shown_bytes: 0 }
    }

    pub(crate) const fn shown(&mut self, bytes: usize) {
        self.shown_bytes = self.shown_bytes.saturating_add(bytes as u64);
    }

    /// Called when all steps up to a moment were shown and none of a later one.
    pub(crate) fn between(&mut self, at_us: u64, screen: &Screen) {
        let last_us = self.frames.last().map_or(0, |frame| frame.at_us);
        let is_time = at_us.saturating_sub(last_us) >= EVERY_US * self.sparse;
        let is_due = self.shown_bytes >= EVERY_BYTES * self.sparse || is_time;
        if self.shown_bytes == 0 || !is_due {
            return;
        }
        let Some(dump) = screen.dump() else { return };
        self.shown_bytes = 0;
        self.bytes += dump.len();
        self.frames.push(Keyframe { at_us, size: screen.size(), dump });
        if self.frames.len() > MAX_KEYFRAMES || self.bytes > MAX_BYTES {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let mut keep = false;
        self.frames.retain(|_| {
            keep = !keep;
            keep
        });
        self.bytes = self.frames.iter().map(|frame| frame.dump.len()).sum();
        self.sparse = self.sparse.saturating_mul(2);
    }

    /// The screen at the last keyframe that is not later than a moment, and the moment from which on steps are to be
    /// shown on it.
    #[must_use]
    pub fn before(&self, at_us: u64) -> (Screen, u64) {
        let after = self.frames.partition_point(|frame| frame.at_us <= at_us);
        match after.checked_sub(1).and_then(|last| self.frames.get(last)) {
            None => (Screen::new(0, 0, self.line_ends), 0),
            Some(Keyframe { at_us, size, dump }) => {
                (Screen::of_dump(*size, self.line_ends, dump), at_us + 1)
            }
        }
    }
}
