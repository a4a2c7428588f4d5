//! What a line on the screen says of a line that was entered.

use crate::command_line::KeysSay;
use crate::keys::Typed;
use crate::prompts::{Prompts, strip};

/// A line that was entered, and of which the screen has not shown the end.
#[derive(Debug, Clone)]
pub(crate) struct Entered {
    pub(crate) begun_us: u64,
    pub(crate) at_us: u64,
    /// What stood before the cursor at the first key; none where other lines were still to be shown.
    pub(crate) prompt: Option<String>,
    pub(crate) typed: Typed,
    /// Lines that ended between its first key and the last one, as a paste of several lines has them.
    pub(crate) above: Vec<String>,
    /// Something was shown between its keys; not known where they came at once.
    pub(crate) echoed: Option<bool>,
    /// Something was shown since it was entered, and other lines ended.
    pub(crate) has_shown: bool,
    pub(crate) other_lines: bool,
}

/// What the screen showed when it went to the next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Command {
        prompt: String,
        text: String,
        keys_say: KeysSay,
    },
    /// Nothing was entered.
    Empty,
    /// Stars, one for a letter, or nothing of it.
    Masked {
        prompt: String,
    },
    /// It is another line that ended here.
    NotThis,
}

/// Compares a line with one that was entered.
pub(crate) fn compare(line: &str, entered: &Entered, prompts: &Prompts) -> Verdict {
    let verdict = compared(line, entered, prompts);
    match (verdict, entered.echoed) {
        // None of its keys showed, so what stands there is not what they made.
        (Verdict::Command { prompt, keys_say: KeysSay::Different, .. }, Some(false)) => {
            Verdict::Masked { prompt }
        }
        (verdict, _) => verdict,
    }
}

fn compared(line: &str, entered: &Entered, prompts: &Prompts) -> Verdict {
    match &entered.typed {
        Typed::Edited => edited(line, entered, prompts),
        Typed::Plainly(text) if text.contains('\n') => pasted(line, text, entered, prompts),
        Typed::Plainly(text) => plain(line, text.trim_end(), entered, prompts),
    }
}

fn plain(line: &str, typed: &str, entered: &Entered, prompts: &Prompts) -> Verdict {
    let known = with_prompt(line, entered, prompts);
    if typed.is_empty() {
        return match known {
            Some((_, "")) => Verdict::Empty,
            _ if line.is_empty() => Verdict::Empty,
            Some((prompt, rest)) => command(prompt, rest, KeysSay::Different),
            None => Verdict::NotThis,
        };
    }
    if let Some(prompt) = line.strip_suffix(typed) {
        let text = known.map_or(typed, |(_, rest)| rest);
        // A longer rest is what was there before the first key that is known.
        let keys_say = if text == typed { KeysSay::Same } else { KeysSay::Different };
        return match known {
            Some((prompt, rest)) if rest.len() >= typed.len() => command(prompt, rest, keys_say),
            Some(_) | None => command(prompt, typed, KeysSay::Same),
        };
    }
    match known {
        Some((prompt, rest)) if is_mask(rest) => Verdict::Masked { prompt: prompt.to_owned() },
        Some((prompt, rest)) if !rest.is_empty() && !prompt.trim().is_empty() => {
            command(prompt, rest, KeysSay::Different)
        }
        Some(_) | None => Verdict::NotThis,
    }
}

fn edited(line: &str, entered: &Entered, prompts: &Prompts) -> Verdict {
    match with_prompt(line, entered, prompts) {
        Some((_, "")) => Verdict::Empty,
        Some((prompt, rest)) => command(prompt, rest, KeysSay::Nothing),
        None if line.is_empty() => Verdict::Empty,
        None => command("", line, KeysSay::Nothing),
    }
}

/// Several lines that were pasted at once: all must be there.
fn pasted(line: &str, text: &str, entered: &Entered, prompts: &Prompts) -> Verdict {
    let above = &entered.above;
    let typed: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let (last, first) = match typed.split_last() {
        Some((last, first)) => (last.trim_end(), first),
        None => return Verdict::NotThis,
    };
    if !line.ends_with(last) {
        // The line editor writes all lines again, or another program's line ended.
        return Verdict::NotThis;
    }
    let shown = above.len().checked_sub(first.len()).and_then(|from| above.get(from..));
    let is_same = shown.is_some_and(|shown| {
        shown.iter().zip(first).all(|(shown, typed)| shown.ends_with(typed.trim_end()))
    });
    if !is_same {
        return command("", line, KeysSay::Different);
    }
    let beginning = shown.and_then(|shown| shown.first()).map_or(line, String::as_str);
    let prompt = with_prompt(beginning, entered, prompts).map_or("", |(prompt, _)| prompt);
    command(prompt, text.trim_end(), KeysSay::Same)
}

/// The line without its prompt: the one at the first key, or one that is known.
pub(crate) fn with_prompt<'a>(
    line: &'a str,
    entered: &Entered,
    prompts: &Prompts,
) -> Option<(&'a str, &'a str)> {
    let own = entered.prompt.as_deref().and_then(|prompt| {
        if prompt.is_empty() { line.split_at_checked(0) } else { strip(line, prompt) }
    });
    let known = prompts.split(line);
    match own {
        Some((prompt, _)) if !prompt.is_empty() => own,
        Some(_) | None => known.or(own),
    }
}

fn command(prompt: &str, text: &str, keys_say: KeysSay) -> Verdict {
    let text = text.trim().to_owned();
    if text.is_empty() {
        Verdict::Empty
    } else {
        Verdict::Command { prompt: prompt.to_owned(), text, keys_say }
    }
}

pub(crate) fn is_mask(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|letter| matches!(letter, '*' | '•' | '●'))
}
