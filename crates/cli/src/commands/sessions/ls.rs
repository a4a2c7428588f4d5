//! `weir sessions ls`.

use super::folder::{FilterArgs, FolderArgs, MISSING, clock, failed, place, state_word};
use super::in_ledger::{LedgerArgs, OfSession};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use ledger_model::SessionOpened;
use report_formats::{Role, json, visible};
use serde_json::{Value, json};
use session_formats::{ending_text, moment, opening_json};
use session_record::SessionId;
use session_replay::quoted;
use session_store::{Condition, Listed};
use std::io::{self, Write};

/// List recordings, oldest first
///
/// Needs no key: who, where, when and with which command line is readable by whoever reads the folder. With the
/// ledger, sessions that began and of which there is no recording are listed too, as missing.
#[derive(Debug, clap::Args)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
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

/// What is listed: a recording, or what the ledger says of one that is not there.
enum Row<'a> {
    There(&'a Listed),
    Missing { session: SessionId, of: &'a OfSession, opened: &'a SessionOpened },
}

pub(crate) fn run(args: &LsArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let listed = args.folder.list(&args.filter)?;
    let ledger = args.ledger.read(console)?;
    let all = args.folder.open()?.sessions().map_err(failed)?;
    let mut rows: Vec<Row<'_>> = listed.iter().map(Row::There).collect();
    if let Some(ledger) = &ledger {
        rows.extend(ledger.missing(&all, &args.filter).filter_map(|(session, of)| {
            Some(Row::Missing { session, of, opened: of.opened.as_ref()? })
        }));
    }
    rows.sort_by_key(Row::key);
    match args.output {
        LsFormat::Text => text(&rows, console)?,
        LsFormat::Json => {
            let items: Vec<Value> = rows.iter().map(Row::json).collect();
            let report =
                json!({ "apiVersion": json::API_VERSION, "kind": "SessionList", "items": items });
            json::write_pretty(&mut console.out, &report)?;
        }
        LsFormat::Csv => csv(&rows, &mut console.out)?,
    }
    Ok(if rows.is_empty() { Outcome::No } else { Outcome::Yes })
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

/// What every row has, as text.
struct Cells {
    session: String,
    started: String,
    took: String,
    state: (Role, &'static str),
    user: String,
    cluster: String,
    verb: String,
    namespace: String,
    name: String,
    container: String,
    command: String,
    reason: String,
    rule: String,
}

impl Row<'_> {
    fn key(&self) -> (i64, SessionId) {
        match self {
            Self::There(listed) => {
                (listed.opening().map_or(i64::MIN, |opening| opening.at_ms), listed.session)
            }
            Self::Missing { session, of, .. } => (of.opened_at_ms, *session),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::There(listed) => item(listed),
            Self::Missing { session, of, opened } => json!({
                "session": session.to_string(), "state": MISSING, "startedAt": moment(of.opened_at_ms),
                "cluster": opened.cluster, "user": { "name": opened.user }, "verb": opened.verb,
                "namespace": opened.namespace, "name": opened.object, "container": opened.container,
                "reason": opened.reason, "rule": opened.rule,
            }),
        }
    }

    fn cells(&self) -> Cells {
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        match self {
            Self::There(listed) => {
                let took = match &listed.condition {
                    Condition::Sealed { seal, .. } => clock(seal.last_us),
                    Condition::Open { .. } | Condition::Unreadable { .. } => String::new(),
                };
                let opening = listed.opening();
                let of = |part: &dyn Fn(&session_record::Opening) -> String| {
                    opening.map(part).unwrap_or_default()
                };
                Cells {
                    session: listed.session.to_string(),
                    started: of(&|opening| moment(opening.at_ms)),
                    took,
                    state: (role(listed), state_word(listed)),
                    user: of(&|opening| opening.user.name.clone()),
                    cluster: of(&|opening| opening.cluster.clone()),
                    verb: of(&|opening| opening.access.verb.clone()),
                    namespace: of(&|opening| optional(&opening.access.namespace)),
                    name: of(&|opening| optional(&opening.access.name)),
                    container: of(&|opening| optional(&opening.access.container)),
                    command: of(&|opening| quoted(&opening.access.command)),
                    reason: of(&|opening| optional(&opening.reason)),
                    rule: of(&|opening| opening.rule.clone()),
                }
            }
            Self::Missing { session, of, opened } => Cells {
                session: session.to_string(),
                started: moment(of.opened_at_ms),
                took: String::new(),
                state: (Role::Error, MISSING),
                user: opened.user.clone(),
                cluster: opened.cluster.clone(),
                verb: opened.verb.clone(),
                namespace: optional(&opened.namespace),
                name: optional(&opened.object),
                container: optional(&opened.container),
                command: String::new(),
                reason: optional(&opened.reason),
                rule: opened.rule.clone(),
            },
        }
    }
}

const fn role(listed: &Listed) -> Role {
    match &listed.condition {
        Condition::Open { .. } => Role::Warning,
        Condition::Sealed { seal, .. } => match seal.state {
            session_record::State::Sealed => Role::Allow,
            session_record::State::Recovered | session_record::State::Damaged => Role::Warning,
        },
        Condition::Unreadable { .. } => Role::Error,
    }
}

fn text(rows: &[Row<'_>], console: &mut Console) -> io::Result<()> {
    let palette = console.out_palette;
    let out = &mut console.out;
    for row in rows {
        let cells = row.cells();
        let (role, word) = cells.state;
        let place = place(&cells.namespace, &cells.name);
        let shown = [&cells.user, &cells.verb, &cells.cluster, &place, &cells.command]
            .map(|cell| visible(cell).into_owned());
        writeln!(
            out,
            "{}  {:<24}  {:>10}  {}  {}",
            cells.session,
            cells.started,
            cells.took,
            palette.paint(role, &format!("{word:<10}")),
            shown.join("  ").trim_end(),
        )?;
    }
    Ok(())
}

/// RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe.
fn csv(rows: &[Row<'_>], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "session,started,duration,state,user,cluster,verb,namespace,name,container,command,reason,rule\r"
    )?;
    for row in rows {
        let Cells {
            session,
            started,
            took,
            state: (_, state),
            user,
            cluster,
            verb,
            namespace,
            name,
            container,
            command,
            reason,
            rule,
        } = row.cells();
        let cells = [
            &session, &started, &took, state, &user, &cluster, &verb, &namespace, &name,
            &container, &command, &reason, &rule,
        ];
        let cells: Vec<String> = cells.into_iter().map(cell_of).collect();
        writeln!(out, "{}\r", cells.join(","))?;
    }
    Ok(())
}

fn cell_of(text: &str) -> String {
    let shown = visible(text).into_owned();
    // Blanks before a sign do not stop a spreadsheet; a control character shows as an escape already.
    let is_formula = shown
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let shown = if is_formula { format!("'{shown}") } else { shown };
    if shown.contains(['"', ',', ';', '\'']) {
        format!("\"{}\"", shown.replace('"', "\"\""))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        let cells = [
            "=1+1",
            " @SUM(A1)",
            "\t=x",
            "-rm",
            "a,b",
            "say \"x\"",
            "\u{202e}x",
            "plain",
            "\u{ff1d}1",
        ];
        let expected = [
            "\"'=1+1\"",
            "\"' @SUM(A1)\"",
            "\\t=x",
            "\"'-rm\"",
            "\"a,b\"",
            "\"say \"\"x\"\"\"",
            "\\u{202e}x",
            "plain",
            "\"'\u{ff1d}1\"",
        ];
        assert_eq!(cells.map(cell_of), expected);
    }
}
