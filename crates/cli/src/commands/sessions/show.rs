//! `weir sessions show`.

use super::folder::{FolderArgs, KeyArgs, clock, fetch, place, state_word};
use super::ls;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use report_formats::{Palette, Role, json, visible};
use serde_json::{Value, json};
use session_formats::{ending_text, moment};
use session_record::Opening;
use session_replay::{CommandLine, FileEntry, Source, Story};
use session_store::{Condition, Hold, Listed};
use std::io::{self, Write};

/// Show one session: who, where, what was run, which files went through
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// How to print it
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Output"
    )]
    output: ShowFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ShowFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

pub(crate) fn run(args: &ShowArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let listed = recordings.look(session).map_err(fetch)?;
    let story = if args.keys.identity.is_empty() { None } else { Some(told(args, &listed)?) };
    let holds = recordings.holds(session).map_err(super::folder::failed)?;
    match args.output {
        ShowFormat::Text => text(&listed, story.as_ref(), &holds, console)?,
        ShowFormat::Json => {
            let report = report(&listed, story.as_ref(), &holds);
            json::write_pretty(&mut console.out, &report)?;
        }
    }
    Ok(Outcome::Yes)
}

fn told(args: &ShowArgs, listed: &Listed) -> Result<Story, ExpectedError> {
    let mut reader = args.keys.reader(&args.folder.open()?, listed.session)?;
    let mut story = Story::new(reader.opening());
    while let Some(step) = reader.next_step().map_err(super::folder::failed)? {
        story.step(&step);
    }
    Ok(story)
}

fn report(listed: &Listed, story: Option<&Story>, holds: &[Hold]) -> Value {
    let mut report = ls::item(listed);
    let Some(object) = report.as_object_mut() else { return report };
    object.insert("apiVersion".to_owned(), json!(json::API_VERSION));
    object.insert("kind".to_owned(), json!("Session"));
    object.insert(
        "holds".to_owned(),
        holds
            .iter()
            .map(|hold| json!({ "by": hold.by, "why": hold.why, "at": moment(hold.at_ms) }))
            .collect(),
    );
    if let Some(story) = story {
        object.insert("commands".to_owned(), story.commands().iter().map(command_json).collect());
        object.insert("files".to_owned(), story.files().iter().map(file_json).collect());
        let moments = story.moments.iter().map(|moment| json!({ "atUs": moment.at_us, "kind": moment.kind.word(), "text": moment.text }));
        object.insert("moments".to_owned(), moments.collect());
        let ports = story.ports.iter().map(|port| {
            json!({ "atUs": port.at_us, "port": port.port, "toPortBytes": port.to_port_bytes, "fromPortBytes": port.from_port_bytes })
        });
        object.insert("ports".to_owned(), ports.collect());
        object.insert("inputBytes".to_owned(), json!(story.input_bytes));
        object.insert("outputBytes".to_owned(), json!(story.output_bytes));
        object.insert("status".to_owned(), json!(story.status));
    }
    report
}

fn command_json(command: &CommandLine) -> Value {
    json!({ "atUs": command.at_us, "text": command.text, "source": source_word(command.source) })
}

fn file_json(file: &FileEntry) -> Value {
    let warnings: Vec<&str> = file.warnings.iter().map(|warning| warning.text()).collect();
    json!({
        "atUs": file.at_us, "path": file.path, "size": file.size, "mode": format!("{:o}", file.mode), "link": file.link,
        "direction": match file.direction {
            session_replay::Direction::Upload => "upload",
            session_replay::Direction::Download => "download",
        },
        "sha256": file.sha256.map(|digest| hex(&digest)), "warnings": warnings,
    })
}

/// Where a command line is from, as one word.
const fn source_word(source: Source) -> &'static str {
    match source {
        Source::Arguments => "argv",
        Source::Screen => "screen",
        Source::Input => "input",
        Source::Hidden => "hidden",
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(
    listed: &Listed,
    story: Option<&Story>,
    holds: &[Hold],
    console: &mut Console,
) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    row(out, "session", &listed.session.to_string())?;
    row(out, "state", state_word(listed))?;
    if let Some(opening) = listed.opening() {
        facts(out, opening)?;
    }
    match &listed.condition {
        Condition::Open { .. } => {}
        Condition::Unreadable { why } => row(out, "why", &why.to_string())?,
        Condition::Sealed { seal, .. } => {
            row(out, "took", &clock(seal.last_us))?;
            row(out, "ended", &ending_text(&seal.ending))?;
        }
    }
    for hold in holds {
        row(out, "hold", &format!("{} ({}, {})", hold.why, hold.by, moment(hold.at_ms)))?;
    }
    match story {
        Some(story) => told_text(out, palette, story),
        None => writeln!(out, "\ngive --identity FILE to see what was run"),
    }
}

fn row(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<12} {}", visible(value))
}

fn facts(out: &mut dyn Write, opening: &Opening) -> io::Result<()> {
    let access = &opening.access;
    row(out, "began", &moment(opening.at_ms))?;
    row(out, "user", &opening.user.name)?;
    row(out, "groups", &opening.user.groups.join(", "))?;
    row(out, "proven by", &opening.user.proof)?;
    row(out, "from", &opening.client.address)?;
    row(out, "cluster", &opening.cluster)?;
    row(out, "verb", &access.verb)?;
    row(out, "where", &place(opening))?;
    if let Some(container) = &access.container {
        row(out, "container", container)?;
    }
    if !access.command.is_empty() {
        row(out, "command", &super::folder::command_line(&access.command))?;
    }
    if let Some(reason) = &opening.reason {
        row(out, "reason", reason)?;
    }
    row(out, "allowed by", &opening.rule)?;
    row(out, "recorded by", &opening.gateway)
}

fn told_text(out: &mut dyn Write, palette: Palette, story: &Story) -> io::Result<()> {
    row(
        out,
        "bytes",
        &format!("{} typed or sent, {} shown", story.input_bytes, story.output_bytes),
    )?;
    if !story.commands().is_empty() {
        writeln!(out, "\ncommands")?;
    }
    for command in story.commands() {
        let text = match command.source {
            Source::Hidden => "(something was typed that the screen did not show)".to_owned(),
            Source::Arguments | Source::Screen | Source::Input => {
                visible(&command.text).to_string()
            }
        };
        let source = palette.paint(Role::Faint, &format!("{:<6}", source_word(command.source)));
        writeln!(out, "  {}  {source}  {text}", clock(command.at_us))?;
    }
    if !story.files().is_empty() {
        writeln!(out, "\nfiles")?;
    }
    for file in story.files() {
        let digest = file.sha256.map_or_else(|| "-".to_owned(), |digest| hex(&digest));
        writeln!(out, "  {digest:<64}  {:>12}  {}", file.size, visible(&file.path))?;
        for warning in &file.warnings {
            writeln!(out, "    {}", palette.paint(Role::Warning, warning.text()))?;
        }
    }
    if !story.ports.is_empty() {
        writeln!(out, "\nconnections")?;
    }
    for port in &story.ports {
        writeln!(
            out,
            "  {}  port {:<5}  {} sent, {} answered",
            clock(port.at_us),
            port.port,
            port.to_port_bytes,
            port.from_port_bytes
        )?;
    }
    if !story.moments.is_empty() {
        writeln!(out, "\nmoments")?;
    }
    for moment in &story.moments {
        writeln!(
            out,
            "  {}  {:<16}  {}",
            clock(moment.at_us),
            moment.kind.word(),
            visible(&moment.text)
        )?;
    }
    Ok(())
}
