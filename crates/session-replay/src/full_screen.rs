//! Command lines inside of a program that has the whole screen, such as a terminal multiplexer.
//!
//! Such a program draws where it likes, so there are no ends of lines to wait for. What counts is the cursor's row each
//! time that all of a step was shown: where it began with a known prompt and had text, and then is another row or has
//! no text, the text was entered. Only prompts that were seen outside are known, so what is edited is seldom taken
//! for a command.

use crate::command_line::KeysSay;
use crate::keys::Typed;
use crate::prompts::Prompts;
use crate::screen::cursor_line;
use avt::Terminal;
use std::collections::VecDeque;

const MAX_WAITING: usize = 64;
/// `# ` and `> ` stand at the beginning of many lines of many files.
const MIN_PROMPT: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct FullScreen {
    shown: Option<Shown>,
    entered: VecDeque<(u64, Typed)>,
    /// The last key since the row's text changed, where keys cannot be read.
    key_at_us: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
struct Shown {
    prompt: String,
    text: String,
    row: usize,
}

#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at_us: u64,
    pub(crate) prompt: String,
    pub(crate) text: String,
    pub(crate) keys_say: KeysSay,
}

impl FullScreen {
    pub(crate) const fn key(&mut self, at_us: u64) {
        self.key_at_us = Some(at_us);
    }

    pub(crate) fn entered(&mut self, at_us: u64, typed: Typed) {
        if self.entered.len() >= MAX_WAITING {
            self.entered.pop_front();
        }
        self.entered.push_back((at_us, typed));
    }

    pub(crate) fn look(&mut self, terminal: &Terminal, prompts: &Prompts) -> Option<Found> {
        let line = cursor_line(terminal);
        let now = prompts.split(&line.text).filter(|(prompt, _)| prompt.trim().len() >= MIN_PROMPT);
        let now = now.map(|(prompt, text)| Shown {
            prompt: prompt.to_owned(),
            text: text.trim().to_owned(),
            row: line.rows.start,
        });
        if self.shown == now {
            return None;
        }
        let before = std::mem::replace(&mut self.shown, now);
        let is_over = match (&before, &self.shown) {
            (Some(before), Some(now)) => now.text.is_empty() || now.row != before.row,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        let found = before
            .filter(|before| is_over && !before.text.is_empty())
            .and_then(|before| self.take(before));
        self.key_at_us = None;
        found
    }

    fn take(&mut self, before: Shown) -> Option<Found> {
        let (at_us, keys_say) = match self.entered.pop_front() {
            Some((at_us, Typed::Edited)) => (at_us, KeysSay::Nothing),
            Some((at_us, Typed::Plainly(typed))) if typed.trim() == before.text => {
                (at_us, KeysSay::Same)
            }
            Some((at_us, Typed::Plainly(_))) => (at_us, KeysSay::Different),
            None => (self.key_at_us?, KeysSay::Nothing),
        };
        let Shown { prompt, text, row: _ } = before;
        Some(Found { at_us, prompt, text, keys_say })
    }
}
