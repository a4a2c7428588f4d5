//! `weir sessions grep`.

use super::folder::{FilterArgs, FolderArgs, KeyArgs, clock, command_line, failed};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use regex::{Regex, RegexBuilder};
use report_formats::{Role, json, visible};
use serde_json::json;
use session_record::SessionId;
use session_replay::{Story, Transcript};
use std::io::{self, Write as _};

/// Search what screens showed, command lines and paths
///
/// Recordings that none of the identities opens are searched by their command line alone, and counted.
#[derive(Debug, clap::Args)]
pub(crate) struct GrepArgs {
    /// A regular expression, as the regex crate of Rust reads it
    pattern: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Capitals and small letters are the same
    #[arg(short, long)]
    ignore_case: bool,
    /// How to print it
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Output"
    )]
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

struct Hit {
    session: SessionId,
    at_us: u64,
    place: &'static str,
    text: String,
}

pub(crate) fn run(args: &GrepArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let pattern = RegexBuilder::new(&args.pattern)
        .case_insensitive(args.ignore_case)
        .build()
        .map_err(|why| ExpectedError::Usage(format!("this is no regular expression: {why}")))?;
    let recordings = args.folder.open()?;
    let (mut n_found, mut n_closed) = (0_u64, 0_u64);
    for listed in args.folder.list(&args.filter)? {
        let Some(opening) = listed.opening() else { continue };
        let command = command_line(&opening.access.command);
        let mut hits = Vec::new();
        if pattern.is_match(&command) {
            hits.push(Hit { session: listed.session, at_us: 0, place: "argv", text: command });
        }
        let keys = args.keys.keys(&recordings, listed.session)?;
        if keys.output.is_some() {
            let mut reader = recordings.reader(listed.session, &keys).map_err(failed)?;
            let mut transcript = Transcript::new(reader.opening());
            let mut story = Story::new(reader.opening());
            while let Some(step) = reader.next_step().map_err(failed)? {
                story.step(&step);
                let lines = transcript.step(&step);
                hits.extend(found(&pattern, listed.session, lines));
            }
            hits.extend(found(&pattern, listed.session, transcript.finish(story.last_us)));
            let files = story.files().iter().filter(|file| pattern.is_match(&file.path));
            hits.extend(files.map(|file| Hit {
                session: listed.session,
                at_us: file.at_us,
                place: "path",
                text: file.path.clone(),
            }));
        } else {
            n_closed += 1;
        }
        n_found += hits.len() as u64;
        for hit in &hits {
            print(hit, args.output, console)?;
        }
    }
    if n_closed > 0 {
        writeln!(
            console.err,
            "{n_closed} recordings were searched by their command line alone: no identity opens them"
        )?;
    }
    Ok(if n_found > 0 { Outcome::Yes } else { Outcome::No })
}

fn found(
    pattern: &Regex,
    session: SessionId,
    lines: Vec<session_replay::Line>,
) -> impl Iterator<Item = Hit> {
    let matching =
        lines.into_iter().filter(|line| pattern.is_match(&line.text)).collect::<Vec<_>>();
    matching.into_iter().map(move |line| Hit {
        session,
        at_us: line.at_us,
        place: "screen",
        text: line.text,
    })
}

fn print(hit: &Hit, format: GrepFormat, console: &mut Console) -> io::Result<()> {
    let Hit { session, at_us, place, text } = hit;
    match format {
        GrepFormat::Text => {
            let palette = console.out_palette;
            let place = palette.paint(Role::Faint, &format!("{place:<6}"));
            writeln!(console.out, "{session}  {}  {place}  {}", clock(*at_us), visible(text))
        }
        GrepFormat::Json => json::write_line(
            &mut console.out,
            &json!({ "session": session.to_string(), "atUs": at_us, "where": place, "text": text }),
        ),
    }
}
