//! `weir sessions show`.

mod text;

use super::audit::AuditArgs;
use super::folder::{FolderArgs, KeyArgs, failed, fetch};
use super::in_ledger::{LedgerArgs, View};
use super::ls;
use super::verify::{self, Verified};
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use report_formats::json;
use serde_json::{Value, json};
use session_formats::{file_json, moment};
use session_record::SessionId;
use session_replay::{CommandLine, Story};
use session_store::{Hold, Listed, Note, Recordings};

/// Show one session: who, where, what was run, which files went through
///
/// With --identity also what is in the recording. With the ledger also who read it, and whether it is the one that was
/// acknowledged.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The session's id, or its beginning
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    ledger: LedgerArgs,
    #[command(flatten)]
    audit: AuditArgs,
    /// How to print it
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(help_heading = "Output")]
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

/// Everything that is known of one session.
struct Known {
    listed: Listed,
    verified: Verified,
    /// Where a key opens what was shown.
    story: Option<Story>,
    holds: Vec<Hold>,
    notes: Vec<Note>,
    /// None where no ledger was asked.
    views: Option<Vec<View>>,
}

pub(crate) fn run(args: &ShowArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    let recordings = args.folder.open()?;
    let session = args.folder.find(&args.id)?;
    let listed = recordings.look(session).map_err(fetch)?;
    let ledger = args.ledger.read(console)?;
    let keys = args.keys.keys(&recordings, session)?;
    let verified = verify::one(&recordings, session, &keys, ledger.as_ref())?;
    let story = if keys.output.is_some() {
        args.audit.viewed(session, "show")?;
        told(args, &recordings, session)?
    } else {
        None
    };
    let known = Known {
        listed,
        verified,
        story,
        holds: recordings.holds(session).map_err(failed)?,
        notes: recordings.notes(session).map_err(failed)?,
        views: ledger.map(|mut ledger| ledger.take_views(session)),
    };
    match args.output {
        ShowFormat::Text => text::write(&known, console)?,
        ShowFormat::Json => json::write_pretty(&mut console.out, &report(&known))?,
    }
    Ok(Outcome::Yes)
}

/// None where the recording breaks off before its end; what is wrong is for the verification to say.
fn told(
    args: &ShowArgs,
    recordings: &Recordings,
    session: SessionId,
) -> Result<Option<Story>, ExpectedError> {
    let mut reader = args.keys.reader(recordings, session)?;
    let mut story = Story::new(reader.opening());
    // What comes before a break was authenticated, and is told.
    while let Ok(Some(step)) = reader.next_step() {
        story.step(&step);
    }
    story.finish();
    Ok(Some(story))
}

fn report(known: &Known) -> Value {
    let Known { listed, verified, story, holds, notes, views } = known;
    let mut report = ls::item(listed);
    let Some(object) = report.as_object_mut() else { return report };
    let mut insert = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    insert("apiVersion", json!(json::API_VERSION));
    insert("kind", json!("Session"));
    insert("verification", verified.json());
    let hold = |hold: &Hold| json!({ "by": hold.by, "why": hold.why, "at": moment(hold.at_ms) });
    insert("holds", holds.iter().map(hold).collect());
    let note = |note: &Note| json!({ "by": note.by, "writtenAt": moment(note.written_at_ms), "atUs": note.at_us, "text": note.text });
    insert("notes", notes.iter().map(note).collect());
    let view = |view: &View| json!({ "by": view.by, "how": view.how, "at": moment(view.at_ms) });
    insert("views", views.as_ref().map_or(Value::Null, |views| views.iter().map(view).collect()));
    if let Some(story) = story {
        insert("commands", story.commands().iter().map(command_json).collect());
        insert("moreCommands", json!(story.n_more_commands()));
        insert("files", story.files().iter().map(file_json).collect());
        insert("moreFiles", json!(story.file_list().n_more));
        let moment = |moment: &session_replay::Moment| json!({ "atUs": moment.at_us, "kind": moment.kind.word(), "text": moment.text });
        insert("moments", story.moments.iter().map(moment).collect());
        let port = |port: &session_replay::Port| {
            json!({
                "atUs": port.at_us, "connection": port.connection, "port": port.port,
                "toPortBytes": port.to_port_bytes, "fromPortBytes": port.from_port_bytes,
            })
        };
        insert("ports", story.ports.iter().map(port).collect());
        insert("inputBytes", json!(story.input_bytes));
        insert("outputBytes", json!(story.output_bytes));
        insert("status", json!(story.status));
    }
    report
}

fn command_json(command: &CommandLine) -> Value {
    let CommandLine { at_us, begun_us, text, prompt, source, keys_say } = command;
    json!({
        "atUs": at_us, "begunUs": begun_us, "text": text, "prompt": prompt, "source": source.word(),
        "keysSay": keys_say.word(),
    })
}
