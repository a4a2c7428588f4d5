//! Everything about one connection: its newest flow, how its verdict came about, and for a denial what
//! would allow it. It is worked out beside the watching, because it takes a moment.

use super::question::question;
use super::table::Key;
use crate::commands::explain::ExplainFormat;
use crate::commands::lab::WhichArgs;
use crate::commands::lab::explain::explain;
use flow_model::Flow;
use lab::Picture;
use report_formats::{Palette, visible};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

const WAIT: &str = "asking the lab why …";

/// What is known of a connection, and how far down the reader is.
#[derive(Debug)]
pub(super) struct Pane {
    pub(super) key: Key,
    flow: String,
    explanation: String,
    coming: Option<Receiver<String>>,
    pub(super) scroll: usize,
}

impl Pane {
    pub(super) fn open(key: Key, flow: &Flow, which: &WhichArgs) -> Self {
        let (sender, receiver) = channel();
        let (of, which) = (flow.clone(), which.clone());
        thread::spawn(move || {
            // Who closed the pane before does not want to know.
            drop(sender.send(explanation(&of, &which)));
        });
        let mut pane = Self::with(key, flow, WAIT.to_owned());
        pane.coming = Some(receiver);
        pane
    }

    pub(super) fn with(key: Key, flow: &Flow, explanation: String) -> Self {
        Self { key, flow: details(flow), explanation, coming: None, scroll: 0 }
    }

    /// Takes the explanation, if it has come.
    pub(super) fn refresh(&mut self) {
        let Some(coming) = &self.coming else { return };
        match coming.try_recv() {
            Ok(explanation) => (self.explanation, self.coming) = (explanation, None),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.coming = None,
        }
    }

    /// All of it, in lines that fit.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let text = format!("{}\n\n{}", self.flow, self.explanation);
        text.trim_end().lines().flat_map(|line| wrapped(line, width)).collect()
    }
}

/// Everything that the flow says.
fn details(flow: &Flow) -> String {
    let mut text = Vec::new();
    // Memory takes everything.
    drop(flow_formats::text::write(&mut text, flow, Palette::Plain));
    let mut text = String::from_utf8_lossy(&text).trim_end().to_owned();
    for rule in &flow.matched {
        let place = rule.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let rule = format!("\n  matches {} {}{place}", rule.action, rule.rule);
        text.push_str(&rule.replace(|c: char| c.is_control() && c != '\n', "?"));
    }
    text
}

/// As `weir lab explain` prints it.
fn explanation(flow: &Flow, which: &WhichArgs) -> String {
    let Some(question) = question(flow) else {
        return "no policy decided this: the packet is refused for what it is, in every mode"
            .to_owned();
    };
    let picture = which.client().and_then(|client| client.picture());
    let picture: Picture = match picture {
        Ok(picture) => picture,
        Err(error) => return format!("the lab cannot be asked: {}", visible(&error.to_string())),
    };
    let mut failed = String::new();
    for asked in [&question.of_pods, &question.of_workloads] {
        let mut text = Vec::new();
        let form = (ExplainFormat::Text, Palette::Plain);
        match explain(&picture, (asked, question.policies), form, &mut text) {
            Ok(_) => return String::from_utf8_lossy(&text).into_owned(),
            Err(error) => failed = format!("it cannot be explained any more: {error}"),
        }
    }
    visible(&failed).into_owned()
}

/// Between words where there is one, the rest as deep as the line began.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let indent = " ".repeat(if indent + 2 < width / 2 { indent + 2 } else { 0 });
    let mut rest: Vec<char> = line.chars().collect();
    let mut lines = Vec::new();
    while rest.len() > width {
        let start = if lines.is_empty() { 0 } else { indent.len() };
        let space = rest.iter().take(width + 1).rposition(|c| *c == ' ');
        let end = space.filter(|end| *end > start + width / 3).unwrap_or(width);
        let tail = rest.split_off(end);
        lines.push(rest.iter().collect::<String>().trim_end().to_owned());
        let tail = tail.into_iter().skip_while(|c| *c == ' ');
        rest = indent.chars().chain(tail).collect();
    }
    lines.push(rest.into_iter().collect());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_between_words_and_stay_as_deep() {
        assert_eq!(wrapped("short", 9), ["short"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(wrapped("  one two three four", 14), ["  one two", "    three four"]);
        assert_eq!(wrapped("0123456789abcdef", 6), ["012345", "  6789", "  abcd", "  ef"]);
    }
}
