//! One session for people.

use super::Known;
use crate::Console;
use crate::commands::sessions::folder::{clock, place, state_word};
use report_formats::{Palette, Role, visible};
use session_formats::{ending_text, hex, moment};
use session_record::Opening;
use session_replay::{CommandLine, FileEntry, KeysSay, Source, Story, quoted};
use session_store::Condition;
use std::io::{self, Write};

pub(super) fn write(known: &Known, console: &mut Console) -> io::Result<()> {
    let Known { listed, verified, story, holds, notes, views } = known;
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
    for note in notes {
        let by = format!("({}, {})", note.by, moment(note.written_at_ms));
        row(out, "note", &format!("{} {} {by}", clock(note.at_us), note.text))?;
    }
    for view in views.iter().flatten() {
        row(out, "read by", &format!("{} ({}, {})", view.by, view.how, moment(view.at_ms)))?;
    }
    if views.as_ref().is_some_and(Vec::is_empty) {
        row(out, "read by", "nobody, says the ledger")?;
    }
    match story {
        Some(story) => told(out, palette, story)?,
        None => writeln!(
            out,
            "\ngive --identity FILE with a key of this recording to see what was run"
        )?,
    }
    let word = palette.paint(verified.role(), verified.word());
    writeln!(out, "\nverified: {word}")?;
    verified.write(palette, out)
}

fn row(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "{name:<12} {}", visible(value))
}

fn facts(out: &mut dyn Write, opening: &Opening) -> io::Result<()> {
    let access = &opening.access;
    row(out, "began", &moment(opening.at_ms))?;
    row(out, "user", &opening.user.name)?;
    if !opening.user.groups.is_empty() {
        row(out, "groups", &opening.user.groups.join(", "))?;
    }
    row(out, "proven by", &opening.user.proof)?;
    row(out, "from", &opening.client.address)?;
    for (name, value) in [
        ("client", &opening.client.user_agent),
        ("kubectl", &opening.client.kubectl_command),
        ("uid", &access.uid),
        ("container", &access.container),
        ("reason", &opening.reason),
    ] {
        if let Some(value) = value {
            row(out, name, value)?;
        }
    }
    row(out, "cluster", &opening.cluster)?;
    row(out, "verb", &access.verb)?;
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    row(out, "where", &place(&part(&access.namespace), &part(&access.name)))?;
    if !access.command.is_empty() {
        row(out, "command", &quoted(&access.command))?;
    }
    row(out, "allowed by", &opening.rule)?;
    row(out, "recorded by", &opening.gateway)
}

fn told(out: &mut dyn Write, palette: Palette, story: &Story) -> io::Result<()> {
    let bytes = format!("{} typed or sent, {} shown", story.input_bytes, story.output_bytes);
    row(out, "bytes", &bytes)?;
    heading(out, "commands", story.commands().is_empty())?;
    for (number, command) in story.commands().iter().enumerate() {
        write_command(out, palette, number + 1, command)?;
    }
    more(out, story.n_more_commands())?;
    let files = story.file_list();
    heading(out, "files", story.files().is_empty())?;
    for file in story.files() {
        write_file(out, palette, file)?;
    }
    more(out, files.n_more)?;
    if let Some(byte) = files.unreadable_from {
        writeln!(out, "  from byte {byte} on the stream is no archive that can be read")?;
    }
    if files.withheld_bytes > 0 {
        let bytes = files.withheld_bytes;
        writeln!(
            out,
            "\nfiles went up in {bytes} bytes of input, which none of the identities opens"
        )?;
    }
    if files.begins_at() > 0 {
        let byte = files.begins_at();
        writeln!(
            out,
            "\nthe download goes on from byte {byte} of one in an earlier session; `export --format files` puts both together"
        )?;
    }
    heading(out, "connections", story.ports.is_empty())?;
    for port in &story.ports {
        let bytes = format!("{} sent, {} answered", port.to_port_bytes, port.from_port_bytes);
        writeln!(out, "  {}  port {:<5}  {bytes}", clock(port.at_us), port.port)?;
    }
    heading(out, "moments", story.moments.is_empty())?;
    for moment in &story.moments {
        let kind = moment.kind.word();
        writeln!(out, "  {}  {kind:<16}  {}", clock(moment.at_us), visible(&moment.text))?;
    }
    Ok(())
}

fn heading(out: &mut dyn Write, text: &str, is_empty: bool) -> io::Result<()> {
    if is_empty { Ok(()) } else { writeln!(out, "\n{text}") }
}

fn more(out: &mut dyn Write, n_more: u64) -> io::Result<()> {
    if n_more == 0 { Ok(()) } else { writeln!(out, "  and {n_more} more") }
}

fn write_command(
    out: &mut dyn Write,
    palette: Palette,
    number: usize,
    command: &CommandLine,
) -> io::Result<()> {
    let text = match command.source {
        Source::Hidden => {
            format!("{} (typed, and not shown)", visible(command.prompt.trim_end()))
        }
        Source::Arguments
        | Source::Screen
        | Source::Marked
        | Source::FullScreen
        | Source::Input => visible(&command.text).into_owned(),
    };
    let source = palette.paint(Role::Faint, &format!("{:<11}", command.source.word()));
    write!(out, "  {number:>3}  {}  {source}  {text}", clock(command.at_us))?;
    if command.keys_say == KeysSay::Different {
        write!(out, "  {}", palette.paint(Role::Warning, "(other keys were typed)"))?;
    }
    writeln!(out)
}

fn write_file(out: &mut dyn Write, palette: Palette, file: &FileEntry) -> io::Result<()> {
    let digest = file.sha256.map_or_else(|| "-".to_owned(), |digest| hex(&digest));
    let (mode, size, path) = (file.mode, file.size, visible(&file.path));
    write!(out, "  {digest:<64}  {mode:>4o}  {size:>12}  {path}")?;
    if let Some(link) = &file.link {
        write!(out, " -> {}", visible(link))?;
    }
    writeln!(out)?;
    for warning in &file.warnings {
        writeln!(out, "    {}", palette.paint(Role::Warning, warning.text()))?;
    }
    Ok(())
}
