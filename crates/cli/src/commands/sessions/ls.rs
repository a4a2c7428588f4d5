//! `weir sessions ls`.

use super::folder::{FilterArgs, FolderArgs, clock, command_line, place, state_word};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use report_formats::{Role, json, visible};
use serde_json::{Value, json};
use session_formats::{ending_text, moment, opening_json};
use session_store::{Condition, Listed};
use std::io::{self, Write};

/// List recordings, oldest first
///
/// Needs no key: who, where, when and with which command line is readable by whoever reads the folder.
#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// How to print it
    #[arg(
        short,
        long,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        help_heading = "Output"
    )]
    output: LsFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum LsFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

pub(crate) fn run(args: &LsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let listed = args.folder.list(&args.filter)?;
    match args.output {
        LsFormat::Text => text(&listed, console)?,
        LsFormat::Json => {
            let items: Vec<Value> = listed.iter().map(item).collect();
            let report =
                json!({ "apiVersion": json::API_VERSION, "kind": "SessionList", "items": items });
            json::write_pretty(&mut console.out, &report)?;
        }
        LsFormat::Csv => csv(&listed, &mut console.out)?,
    }
    Ok(if listed.is_empty() { Outcome::No } else { Outcome::Yes })
}

/// A recording as JSON: its opening, and how it ended.
pub(super) fn item(listed: &Listed) -> Value {
    let mut item = match listed.opening() {
        Some(opening) => opening_json(opening),
        None => json!({ "session": listed.session.to_string() }),
    };
    let Some(object) = item.as_object_mut() else { return item };
    object.remove("apiVersion");
    object.remove("kind");
    object.insert("state".to_owned(), json!(state_word(listed)));
    match &listed.condition {
        Condition::Open { .. } => {}
        Condition::Unreadable { why } => {
            object.insert("why".to_owned(), json!(why.to_string()));
        }
        Condition::Sealed { seal, .. } => {
            object.insert("durationUs".to_owned(), json!(seal.last_us));
            object.insert("ending".to_owned(), json!(ending_text(&seal.ending)));
        }
    }
    item
}

fn text(listed: &[Listed], console: &mut Console) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    for listed in listed {
        let role = match &listed.condition {
            Condition::Open { .. } => Role::Warning,
            Condition::Sealed { seal, .. } if seal.state == session_record::State::Sealed => {
                Role::Allow
            }
            Condition::Sealed { .. } => Role::Warning,
            Condition::Unreadable { .. } => Role::Error,
        };
        let state = palette.paint(role, &format!("{:<10}", state_word(listed)));
        match listed.opening() {
            Some(opening) => {
                let took = match &listed.condition {
                    Condition::Sealed { seal, .. } => clock(seal.last_us),
                    Condition::Open { .. } | Condition::Unreadable { .. } => "-".to_owned(),
                };
                writeln!(
                    out,
                    "{}  {}  {took:>10}  {state}  {}  {}  {} {}  {}",
                    listed.session,
                    moment(opening.at_ms),
                    visible(&opening.user.name),
                    opening.access.verb,
                    visible(&opening.cluster),
                    visible(&place(opening)),
                    visible(&command_line(&opening.access.command)),
                )?;
            }
            None => writeln!(out, "{}  {:<24}  {state}", listed.session, "")?,
        }
    }
    Ok(())
}

/// RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn csv(listed: &[Listed], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "session,started,duration_s,state,user,cluster,verb,namespace,name,container,command,reason,rule\r"
    )?;
    for listed in listed {
        let mut cells = vec![listed.session.to_string()];
        if let Some(opening) = listed.opening() {
            let took = match &listed.condition {
                Condition::Sealed { seal, .. } => (seal.last_us / 1_000_000).to_string(),
                Condition::Open { .. } | Condition::Unreadable { .. } => String::new(),
            };
            let optional = |value: &Option<String>| value.clone().unwrap_or_default();
            cells.extend([
                moment(opening.at_ms),
                took,
                state_word(listed).to_owned(),
                opening.user.name.clone(),
                opening.cluster.clone(),
                opening.access.verb.clone(),
                optional(&opening.access.namespace),
                optional(&opening.access.name),
                optional(&opening.access.container),
                command_line(&opening.access.command),
                optional(&opening.reason),
                opening.rule.clone(),
            ]);
        } else {
            cells.extend([String::new(), String::new(), state_word(listed).to_owned()]);
        }
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        writeln!(out, "{}\r", cells.join(","))?;
    }
    Ok(())
}

fn quoted(cell: &str) -> String {
    let shown = visible(cell).to_string();
    let is_formula = shown.starts_with(['=', '+', '-', '@']);
    let shown = if is_formula { format!("'{shown}") } else { shown };
    if shown.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", shown.replace('"', "\"\""))
    } else {
        shown
    }
}
