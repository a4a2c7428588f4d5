//! Prompts that were seen, to know them again.

use std::collections::VecDeque;

const MAX_PROMPTS: usize = 16;
const MAX_PROMPT_BYTES: usize = 256;
/// How a shell's prompt ends.
const SIGNS: [char; 4] = ['$', '#', '%', '>'];

/// The last ones first.
#[derive(Debug, Default)]
pub(crate) struct Prompts(VecDeque<String>);

impl Prompts {
    pub(crate) fn learn(&mut self, prompt: &str) {
        if prompt.trim().is_empty() || prompt.len() > MAX_PROMPT_BYTES || continues(prompt) {
            return;
        }
        self.0.retain(|known| known != prompt);
        self.0.push_front(prompt.to_owned());
        self.0.truncate(MAX_PROMPTS);
    }

    /// A line that begins with a known prompt, or with one that differs from a known one in its folder only.
    pub(crate) fn split<'a>(&self, line: &'a str) -> Option<(&'a str, &'a str)> {
        let known = self.0.iter().filter_map(|prompt| strip(line, prompt));
        known
            .max_by_key(|(prompt, _)| prompt.len())
            .or_else(|| self.0.iter().find_map(|prompt| alike(line, prompt)))
    }
}

impl Prompts {
    /// A known prompt at the end of a text: the shell wrote it behind what another program left on the line.
    pub(crate) fn at_end(&self, text: &str) -> Option<&str> {
        let known = self.0.iter().map(String::as_str);
        known.filter(|prompt| text.ends_with(prompt)).max_by_key(|prompt| prompt.len())
    }
}

/// A line without a prompt that it begins with. A line without a command has lost the prompt's last blank.
pub(crate) fn strip<'a>(line: &'a str, prompt: &str) -> Option<(&'a str, &'a str)> {
    if line.starts_with(prompt) {
        return line.split_at_checked(prompt.len());
    }
    (!line.is_empty() && line == prompt.trim_end()).then_some((line, ""))
}

/// `root@web:/srv# ls` after `root@web:/# `.
fn alike<'a>(line: &'a str, prompt: &str) -> Option<(&'a str, &'a str)> {
    let sign = prompt.trim_end().chars().next_back().filter(|sign| SIGNS.contains(sign))?;
    let (who, _) = prompt.split_once(':').filter(|(who, _)| who.len() >= 3)?;
    let after_who = line.strip_prefix(who).filter(|rest| rest.starts_with(':'))?;
    let at = after_who.find(sign)?;
    let end = line.len() - after_who.len() + at + sign.len_utf8();
    let (prompt, rest) =
        line.split_at_checked(end).filter(|(prompt, _)| prompt.len() <= MAX_PROMPT_BYTES)?;
    match rest.strip_prefix(' ') {
        Some(rest) => line.split_at_checked(line.len() - rest.len()),
        None if rest.is_empty() => Some((prompt, rest)),
        None => None,
    }
}

/// Whether a prompt asks for the rest of a command: `> ` of shells, `-> ` of database clients, `... ` of Python.
pub(crate) fn continues(prompt: &str) -> bool {
    match prompt.trim() {
        ">" | "->" | "..." | "...>" => true,
        word => word.strip_suffix('>').is_some_and(|word| {
            !word.is_empty()
                && word.chars().all(|letter| letter.is_ascii_lowercase() || letter == ' ')
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_known_again_in_another_folder() {
        let mut prompts = Prompts::default();
        ["$ ", "root@web:/# ", "> "].iter().for_each(|prompt| prompts.learn(prompt));
        let lines = [
            "$ ls",
            "$",
            "$HOME",
            "root@web:/# id",
            "root@web:/srv/x# id",
            "root@web:/srv#",
            "root@web:/srv is",
            "> x",
        ];
        let expected = [
            Some(("$ ", "ls")),
            Some(("$", "")),
            None,
            Some(("root@web:/# ", "id")),
            Some(("root@web:/srv/x# ", "id")),
            Some(("root@web:/srv#", "")),
            None,
            None,
        ];
        assert_eq!(lines.map(|line| prompts.split(line)), expected);
        assert!(["> ", "quote> ", "    -> ", "... "].iter().all(|prompt| continues(prompt)));
        assert!(!["mysql>>", "$ ", "", "C:>"].iter().any(|prompt| continues(prompt)));
    }
}
