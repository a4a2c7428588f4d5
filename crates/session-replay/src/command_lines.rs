//! Finds command lines: from the arguments, from the screen, from what was sent without a terminal.
//!
//! On a terminal the screen is asked and not the keyboard. A line counts when something was typed since the last one
//! and the terminal goes to the next line; what stands there then, without the prompt, is the command. The prompt is
//! what stood before the cursor at the first key, or one that was seen before. That works with output alone, because
//! a recording without its input's key still has the moments at which something was typed; it is then not known
//! which key was Enter, so a line that completion wrote again is taken back when the shell shows it again. With the
//! key it is known which lines were entered, and each is found or said to be hidden.

use crate::command_line::{CommandLine, KeysSay, Source, quoted, reads_commands};
use crate::entered::{Entered, Verdict, compare, is_mask, with_prompt};
use crate::full_screen::FullScreen;
use crate::keys::{Key, Keys, Typed};
use crate::prompts::{Prompts, continues};
use crate::screen::{Screen, cursor_line, is_alternate};
use crate::text::cut_off;
use avt::Terminal;
use avt::parser::{DecMode, Function, Osc, ShellIntegration};
use session_record::{Event, Opening, Step, Stream};
use std::collections::VecDeque;

/// Longest command line that is kept.
const MAX_COMMAND_BYTES: usize = 16 << 10;
/// Commands of one recording, and their text; after so many only their number goes on.
const MAX_COMMANDS: usize = 20_000;
const MAX_TEXT_BYTES: usize = 16 << 20;
/// Lines that were entered and not shown, and lines that were shown and not entered.
const MAX_WAITING: usize = 64;
/// The longest that a terminal takes to show what was typed.
const ANSWER_US: u64 = 200_000;
/// So many keys that show nothing are more than an arrow key that had nowhere to go.
const MIN_SILENT: u32 = 2;
/// A shorter prompt stands in many texts.
const MIN_PROMPT: usize = 4;

/// Finds command lines while steps go by.
#[derive(Debug)]
pub(crate) struct CommandLines {
    is_terminal: bool,
    reads_commands: bool,
    prompts: Prompts,
    /// What the shell marked as its prompt, on the line that is being typed.
    marked: Option<String>,
    typing: Option<Typing>,
    /// There once a key could be read.
    keys: Option<Keys>,
    waiting: VecDeque<Entered>,
    full_screen: FullScreen,
    /// Lines that ended since the last command, to know whether the next line continues it.
    lines_since: usize,
    input_line: Vec<u8>,
    text_bytes: usize,
    pub(crate) found: Vec<CommandLine>,
    /// Commands beyond those that are kept.
    pub(crate) n_more: u64,
}

/// The line that is being typed.
#[derive(Debug)]
struct Typing {
    begun_us: u64,
    at_us: u64,
    prompt: Option<String>,
    bytes: u64,
    /// Something was shown since the last key.
    has_shown: bool,
    /// Keys after which something was shown before the next one, and others.
    n_echoed: u32,
    n_silent: u32,
    /// Lines that ended since the first key.
    above: Vec<String>,
}

impl CommandLines {
    pub(crate) fn new(opening: &Opening) -> Self {
        let mut lines = Self {
            is_terminal: opening.access.terminal,
            reads_commands: reads_commands(opening),
            prompts: Prompts::default(),
            marked: None,
            typing: None,
            keys: None,
            waiting: VecDeque::new(),
            full_screen: FullScreen::default(),
            lines_since: 0,
            input_line: Vec::new(),
            text_bytes: 0,
            found: Vec::new(),
            n_more: 0,
        };
        if !opening.access.command.is_empty() {
            let text = quoted(&opening.access.command);
            lines.push((0, 0), "", &text, (Source::Arguments, KeysSay::Nothing));
        }
        lines
    }

    fn push(
        &mut self,
        (begun_us, at_us): (u64, u64),
        prompt: &str,
        text: &str,
        (source, keys_say): (Source, KeysSay),
    ) {
        self.lines_since = 0;
        let [prompt, text] = [prompt, text].map(|text| cut_off(text, MAX_COMMAND_BYTES).to_owned());
        self.text_bytes += prompt.len() + text.len();
        if self.found.len() >= MAX_COMMANDS || self.text_bytes > MAX_TEXT_BYTES {
            self.n_more += 1;
            return;
        }
        self.found.push(CommandLine { at_us, begun_us, text, prompt, source, keys_say });
    }

    /// What was typed, before the screen answers.
    pub(crate) fn typed(&mut self, screen: &Screen, step: &Step) {
        match step {
            Step::Withheld { at_us, stream: Stream::Stdin, length } if self.is_terminal => {
                if screen.is_alternate() {
                    self.full_screen.key(*at_us);
                } else {
                    self.begin(screen.terminal(), *at_us, *length);
                }
            }
            Step::Withheld { .. } => {}
            Step::Known(record) => {
                let Event::Data { stream: Stream::Stdin, bytes } = &record.event else { return };
                if self.is_terminal {
                    self.typed_keys(screen, record.at_us, bytes);
                } else if self.reads_commands {
                    self.sent(record.at_us, bytes);
                }
            }
        }
    }

    fn typed_keys(&mut self, screen: &Screen, at_us: u64, bytes: &[u8]) {
        let is_alternate = screen.is_alternate();
        for byte in bytes {
            let key = self.keys.get_or_insert_default().byte(*byte);
            if !is_alternate {
                self.begin(screen.terminal(), at_us, 1);
            }
            match key {
                Key::Typed => {}
                Key::Interrupt => self.forget(),
                Key::Enter => {
                    let typed = self.keys.get_or_insert_default().take();
                    if is_alternate {
                        self.full_screen.entered(at_us, typed);
                    } else {
                        self.enter(at_us, typed);
                    }
                }
            }
        }
    }

    /// The first key of a line, or one more.
    fn begin(&mut self, terminal: &Terminal, at_us: u64, length: u64) {
        if let Some(typing) = &mut self.typing {
            let before = cursor_line(terminal).before;
            let is_new_prompt = self.keys.is_none()
                && typing.has_shown
                && typing.prompt.as_ref().is_some_and(|prompt| before.len() > prompt.len())
                && self
                    .prompts
                    .at_end(&before)
                    .is_some_and(|known| known.len() >= MIN_PROMPT || typing.is_silent());
            if !is_new_prompt {
                typing.key(at_us, length);
                return;
            }
            self.hidden_typing();
        }
        self.give_up_before(at_us);
        let before = cursor_line(terminal).before;
        let prompt = self.waiting.is_empty().then(|| self.prompt_of(before));
        self.typing = Some(Typing {
            begun_us: at_us,
            at_us,
            prompt,
            bytes: length,
            has_shown: false,
            n_echoed: 0,
            n_silent: 0,
            above: Vec::new(),
        });
    }

    /// A prompt came without the end of a line: what was typed before was for a program that showed nothing of it.
    fn hidden_typing(&mut self) {
        let Some(Typing { begun_us, at_us, prompt, bytes, n_echoed, .. }) = self.typing.take()
        else {
            return;
        };
        if bytes > 1 && n_echoed == 0 {
            let prompt = prompt.unwrap_or_default();
            self.push((begun_us, at_us), &prompt, "", (Source::Hidden, KeysSay::Nothing));
        }
    }

    fn prompt_of(&mut self, before: String) -> String {
        if let Some(marked) = &self.marked
            && before.starts_with(marked)
        {
            return marked.clone();
        }
        if self.keys.is_none()
            && let Some(last) = self.found.last()
            && matches!(last.source, Source::Screen | Source::Marked)
            && !last.text.is_empty()
            && before.trim_end() == format!("{}{}", last.prompt, last.text)
        {
            // The shell listed what the line could become, and shows the line again: nothing was entered.
            let prompt = last.prompt.clone();
            self.found.pop();
            return prompt;
        }
        match self.prompts.split(&before) {
            // What was typed ahead is behind the prompt already.
            Some((prompt, rest)) if !rest.is_empty() && self.prompts.at_end(&before).is_none() => {
                prompt.to_owned()
            }
            Some(_) | None => before,
        }
    }

    fn enter(&mut self, at_us: u64, typed: Typed) {
        let Some(typing) = self.typing.take() else { return };
        let echoed = typing.echoed();
        let Typing { begun_us, prompt, above, .. } = typing;
        if self.waiting.len() >= MAX_WAITING {
            self.hidden_first();
        }
        let (has_shown, other_lines) = (false, false);
        let entered =
            Entered { begun_us, at_us, prompt, typed, above, echoed, has_shown, other_lines };
        self.waiting.push_back(entered);
    }

    /// Lines that were entered a while ago, and of which the screen showed something else since, are not shown any
    /// more. The terminal's answer to Enter is there within the way to the pod and back.
    fn give_up_before(&mut self, at_us: u64) {
        while let Some(first) = self.waiting.front() {
            let is_late = at_us.saturating_sub(first.at_us) > ANSWER_US;
            if !(first.other_lines || first.has_shown && is_late) {
                return;
            }
            self.hidden_first();
        }
    }

    fn hidden_first(&mut self) {
        let Some(Entered { begun_us, at_us, prompt, typed, .. }) = self.waiting.pop_front() else {
            return;
        };
        if typed != Typed::Plainly(String::new()) {
            let prompt = prompt.unwrap_or_default();
            self.push((begun_us, at_us), &prompt, "", (Source::Hidden, KeysSay::Nothing));
        }
    }

    /// What was typed belongs to nothing: the line was given up, or a program takes the screen.
    fn forget(&mut self) {
        self.typing = None;
        self.waiting.clear();
        if let Some(keys) = &mut self.keys {
            keys.take();
        }
        self.full_screen = FullScreen::default();
    }

    /// Looks at the screen before something is done to it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other function leaves this as it is")]
    pub(crate) fn watch(&mut self, terminal: &Terminal, function: &Function) {
        match function {
            Function::Print(_) | Function::Rep(_) => {
                if let Some(typing) = &mut self.typing {
                    typing.has_shown = true;
                }
                if let Some(first) = self.waiting.front_mut() {
                    first.has_shown = true;
                }
            }
            Function::Lf | Function::Nel if !is_alternate(terminal) => self.line_over(terminal),
            Function::Decset(modes) | Function::Decrst(modes)
                if modes.as_slice().iter().any(is_screen) =>
            {
                self.forget();
            }
            Function::Osc(Osc::ShellIntegration(ShellIntegration::CommandStart)) => {
                self.marked = Some(cursor_line(terminal).before);
            }
            _ => {}
        }
    }

    /// Looks at the screen after all of a step was shown.
    pub(crate) fn shown(&mut self, terminal: &Terminal) {
        if !is_alternate(terminal) {
            return;
        }
        if let Some(found) = self.full_screen.look(terminal, &self.prompts) {
            let what = (Source::FullScreen, found.keys_say);
            self.push((found.at_us, found.at_us), &found.prompt, &found.text, what);
        }
    }

    fn line_over(&mut self, terminal: &Terminal) {
        self.lines_since += 1;
        if self.waiting.is_empty() && self.typing.is_none() {
            return;
        }
        let line = cursor_line(terminal).text;
        if self.keys.is_none() {
            self.guess(&line);
        } else if self.waiting.is_empty() {
            let typed = self.keys.as_ref().and_then(Keys::plainly);
            let is_part = |typed: &str| {
                typed.is_empty() || typed.lines().any(|typed| line.ends_with(typed.trim_end()))
            };
            if typed.is_some_and(|typed| !is_part(typed)) {
                // A program took the keys, and showed something else.
                self.forget();
            } else if let Some(typing) = &mut self.typing {
                remember(&mut typing.above, line);
            }
        } else {
            self.entered_line(&line);
        }
    }

    fn entered_line(&mut self, line: &str) {
        let verdicts = self.waiting.iter().map(|entered| compare(line, entered, &self.prompts));
        let mut verdicts: Vec<Verdict> = verdicts.collect();
        // A later one that is exactly this says that those before were not shown.
        let is_same =
            |verdict: &Verdict| matches!(verdict, Verdict::Command { keys_say: KeysSay::Same, .. });
        let at = verdicts.iter().position(is_same).unwrap_or(0);
        let verdict = verdicts.swap_remove(at);
        (0..at).for_each(|_| self.hidden_first());
        if verdict == Verdict::NotThis {
            if let Some(first) = self.waiting.front_mut() {
                first.other_lines = true;
                remember(&mut first.above, line.to_owned());
            }
            return;
        }
        let Some(entered) = self.waiting.pop_front() else { return };
        let times = (entered.begun_us, entered.at_us);
        match verdict {
            Verdict::Command { prompt, text, keys_say } => {
                self.accept(times, &prompt, &text, keys_say);
            }
            Verdict::Masked { prompt } => {
                self.push(times, &prompt, "", (Source::Hidden, KeysSay::Nothing));
            }
            Verdict::Empty | Verdict::NotThis => {}
        }
    }

    /// Without keys: whether a line was entered is for the screen alone to say.
    fn guess(&mut self, line: &str) {
        let Some(typing) = self.typing.take() else { return };
        let is_silent = typing.is_silent();
        let Typing { begun_us, at_us, prompt, bytes, has_shown, n_echoed, .. } = typing;
        let has_shown = has_shown || n_echoed > 0;
        let typed = Typed::Edited;
        let (above, echoed, other_lines) = (Vec::new(), None, false);
        let entered =
            Entered { begun_us, at_us, prompt, typed, above, echoed, has_shown, other_lines };
        let Some((prompt, rest)) = with_prompt(line, &entered, &self.prompts) else { return };
        if prompt.trim().is_empty() {
            return;
        }
        let (prompt, rest) = (prompt.to_owned(), rest.trim().to_owned());
        if is_silent || is_mask(&rest) || (rest.is_empty() && !has_shown && bytes > 1) {
            self.push((begun_us, at_us), &prompt, "", (Source::Hidden, KeysSay::Nothing));
        } else if !rest.is_empty() {
            self.accept((begun_us, at_us), &prompt, &rest, KeysSay::Nothing);
        }
    }

    fn accept(&mut self, times: (u64, u64), prompt: &str, text: &str, keys_say: KeysSay) {
        if continues(prompt)
            && self.lines_since == 1
            && let Some(last) = self.found.last_mut()
            && matches!(last.source, Source::Screen | Source::Marked)
            && last.text.len() + text.len() < MAX_COMMAND_BYTES
        {
            last.text.push('\n');
            last.text.push_str(text);
            last.at_us = times.1;
            last.keys_say = last.keys_say.max(keys_say);
            self.text_bytes += text.len();
            self.lines_since = 0;
            return;
        }
        let prompt = self.prompts.at_end(prompt).unwrap_or(prompt).to_owned();
        let prompt = prompt.as_str();
        self.prompts.learn(prompt);
        let is_marked = self.marked.as_deref() == Some(prompt);
        let source = if is_marked { Source::Marked } else { Source::Screen };
        self.push(times, prompt, text, (source, keys_say));
    }

    /// Standard input of something that reads commands, line by line.
    fn sent(&mut self, at_us: u64, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.sent_line(at_us);
            } else if self.input_line.len() < MAX_COMMAND_BYTES {
                self.input_line.push(*byte);
            }
        }
    }

    fn sent_line(&mut self, at_us: u64) {
        let line = std::mem::take(&mut self.input_line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if !text.is_empty() {
            self.push((at_us, at_us), "", text, (Source::Input, KeysSay::Nothing));
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, at_us: u64) {
        self.sent_line(at_us);
        while !self.waiting.is_empty() {
            self.hidden_first();
        }
    }
}

impl Typing {
    const fn key(&mut self, at_us: u64, length: u64) {
        if at_us != self.at_us {
            if self.has_shown {
                self.n_echoed += 1;
            } else {
                self.n_silent += 1;
            }
            self.has_shown = false;
        }
        self.at_us = at_us;
        self.bytes += length;
    }

    const fn is_silent(&self) -> bool {
        self.n_echoed == 0 && self.n_silent >= MIN_SILENT
    }

    /// Whether the screen showed something between the keys, where there was time for it.
    const fn echoed(&self) -> Option<bool> {
        if self.is_silent() {
            Some(false)
        } else if self.n_echoed > 0 {
            Some(true)
        } else {
            None
        }
    }
}

/// The last lines above the one that is being typed.
fn remember(above: &mut Vec<String>, line: String) {
    above.push(if line.len() > MAX_COMMAND_BYTES { String::new() } else { line });
    let n_over = above.len().saturating_sub(MAX_WAITING);
    above.drain(..n_over);
}

const fn is_screen(mode: &DecMode) -> bool {
    matches!(mode, DecMode::AltScreenBuffer | DecMode::SaveCursorAltScreenBuffer)
}
