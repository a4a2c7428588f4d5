//! `weir sessions grep`.

use super::audit::AuditArgs;
use super::folder::{FilterArgs, FolderArgs, KeyArgs, clock, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use regex::{Regex, RegexBuilder};
use report_formats::{Role, json, visible};
use serde_json::json;
use session_record::{Keys, SessionId};
use session_replay::{FileList, Line, Transcript, is_hidden, quoted};
use session_store::{Listed, Recordings};
use std::collections::VecDeque;
use std::io::{self, Write as _};

/// Search what screens showed, command lines and paths
///
/// Screens are searched line by line, each with the time at which it was complete. Recordings that none of the
/// identities opens are searched by their command line alone, and counted.
#[derive(Debug, clap::Args)]
pub(crate) struct GrepArgs {
    /// A regular expression, as the regex crate of Rust reads it
    pattern: String,
    /// Capitals and small letters are the same
    #[arg(short, long)]
    ignore_case: bool,
    /// Print so many lines before and after each
    #[arg(short = 'C', long, value_name = "LINES", default_value_t = 0)]
    context: usize,
    /// Search what was sent instead of what was shown: finds what the screen covered at once
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    audit: AuditArgs,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
    output: GrepFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum GrepFormat {
    /// For people
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

struct Search<'a> {
    args: &'a GrepArgs,
    pattern: Regex,
    session: SessionId,
    n_found: u64,
    /// Lines before the one that is looked at, and how many after the last hit are still to be printed.
    before: VecDeque<Line>,
    n_after: usize,
}

pub(crate) fn run(args: &GrepArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let pattern = RegexBuilder::new(&args.pattern)
        .case_insensitive(args.ignore_case)
        .build()
        .map_err(|why| {
            // The lines before show the pattern once more.
            let why = why.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            ExpectedError::Usage(format!("this is no regular expression: {why}"))
        })?;
    let recordings = args.folder.open()?;
    let listed = args.folder.list(&args.filter)?;
    let mut opened: Vec<(&Listed, Keys)> = Vec::new();
    for listed in listed.iter().filter(|listed| listed.opening().is_some()) {
        opened.push((listed, args.keys.keys(&recordings, listed.session)?));
    }
    let read = opened.iter().filter(|(_, keys)| keys.output.is_some());
    let read: Vec<SessionId> = read.map(|(listed, _)| listed.session).collect();
    args.audit.viewed_all(&read, "grep")?;
    let (before, session) = (VecDeque::new(), SessionId(0));
    let mut search = Search { args, pattern, session, n_found: 0, before, n_after: 0 };
    let mut n_broken = 0_u64;
    for (listed, keys) in &opened {
        n_broken += u64::from(!search.recording(&recordings, listed, keys, console)?);
    }
    let n_closed = opened.len() - read.len();
    if n_closed > 0 {
        let what = "searched by their command line alone: no identity opens them";
        writeln!(console.err, "{n_closed} recordings were {what}")?;
    }
    if n_broken > 0 {
        let what = "searched up to where they cannot be read: `weir sessions verify` says why";
        writeln!(console.err, "{n_broken} recordings were {what}")?;
    }
    Ok(if search.n_found > 0 { Outcome::Yes } else { Outcome::No })
}

impl Search<'_> {
    /// Whether all of it could be read.
    fn recording(
        &mut self,
        recordings: &Recordings,
        listed: &Listed,
        keys: &Keys,
        console: &mut Console,
    ) -> Result<bool, ExpectedError> {
        self.session = listed.session;
        self.before.clear();
        self.n_after = 0;
        let Some(opening) = listed.opening() else { return Ok(true) };
        self.whole(0, "argv", &quoted(&opening.access.command), console)?;
        if keys.output.is_none() {
            return Ok(true);
        }
        let mut reader = recordings.reader(listed.session, keys).map_err(failed)?;
        let mut transcript =
            if self.args.raw { Transcript::raw() } else { Transcript::new(opening) };
        let mut files = FileList::new(opening);
        let mut last_us = 0;
        let is_whole = loop {
            match reader.next_step() {
                Ok(Some(step)) => {
                    last_us = step.at_us();
                    files.step(&step);
                    self.lines(transcript.step(&step), console)?;
                }
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        self.lines(transcript.finish(last_us), console)?;
        for file in &files.found {
            self.whole(file.at_us, "path", &file.path, console)?;
        }
        Ok(is_whole)
    }

    fn whole(
        &mut self,
        at_us: u64,
        place: &str,
        text: &str,
        console: &mut Console,
    ) -> io::Result<()> {
        if text.is_empty() || !self.is_match(text) {
            return Ok(());
        }
        self.n_found += 1;
        self.print(&Line { at_us, text: text.to_owned() }, place, console)
    }

    fn lines(&mut self, lines: Vec<Line>, console: &mut Console) -> io::Result<()> {
        let place = if self.args.raw { "raw" } else { "screen" };
        for line in lines {
            if self.is_match(&line.text) {
                self.n_found += 1;
                for before in std::mem::take(&mut self.before) {
                    self.print(&before, "before", console)?;
                }
                self.print(&line, place, console)?;
                self.n_after = self.args.context;
            } else if self.n_after > 0 {
                self.n_after -= 1;
                self.print(&line, "after", console)?;
            } else if self.args.context > 0 {
                if self.before.len() >= self.args.context {
                    self.before.pop_front();
                }
                self.before.push_back(line);
            }
        }
        Ok(())
    }

    /// Characters that do not show do not hide a text either.
    fn is_match(&self, text: &str) -> bool {
        self.pattern.is_match(text)
            || (text.contains(is_hidden) && self.pattern.is_match(&text.replace(is_hidden, "")))
    }

    fn print(&self, line: &Line, place: &str, console: &mut Console) -> io::Result<()> {
        let Line { at_us, text } = line;
        match self.args.output {
            GrepFormat::Text => {
                let palette = console.out_palette;
                let place = palette.paint(Role::Faint, &format!("{place:<6}"));
                let (session, clock) = (self.session, clock(*at_us));
                writeln!(console.out, "{session}  {clock}  {place}  {}", visible(text))
            }
            GrepFormat::Json => json::write_line(
                &mut console.out,
                &json!({ "session": self.session.to_string(), "atUs": at_us, "where": place, "text": text }),
            ),
        }
    }
}
