//! `GET /sessions/ID`.

use crate::answer::{Answer, Refused};
use crate::api::{Shared, Visible};
use crate::caller::By;
use crate::list::facts;
use crate::reading::{GivenUp, Typed, Waiting, in_turn};
use access_model::Permission;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use session_formats::{file_json, moment};
use session_record::Reader;
use session_replay::{CommandLine, Moment, Port, Story};
use session_store::{Hold, Note, RecordingSource};
use std::sync::Arc;

/// Of each list in one answer; how many more there are is said.
const MOST: usize = 2000;
/// What is read of a recording for one answer.
const MOST_BYTES: u64 = 1 << 30;
const MOST_STEPS: u64 = 20_000_000;

/// What a recording tells.
#[derive(Debug)]
struct Told {
    story: Story,
    /// It was read to where it ends, or is written now.
    is_whole: bool,
}

pub(crate) async fn detail(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Result<Answer, Refused> {
    let visible = shared.visible(&caller, &id).await?;
    let session = visible.known.session;
    let mut answer = facts(&shared, &visible.known);
    let mut insert = |name: &str, value: Value| {
        if let Some(members) = answer.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    let may: Vec<&str> = visible.may.iter().map(|permission| permission.word()).collect();
    insert("may", json!(may));
    let recordings = shared.recordings.clone();
    let beside = move || (recordings.holds(session), recordings.notes(session));
    let (holds, notes) = in_turn(&shared.turns.looking, beside).await?;
    // A recording that is missing has nothing beside it.
    let holds = holds.unwrap_or_default();
    let hold = |hold: &Hold| json!({ "by": hold.by, "why": hold.why, "at": moment(hold.at_ms) });
    insert("holds", holds.iter().map(hold).collect());
    if !visible.may.contains(&Permission::View) {
        insert("readable", json!(false));
        return Ok(Answer(answer));
    }
    let opened = shared.opened_if_readable(session, typed(&visible)).await?;
    shared.viewed(&caller, session, "show").await?;
    insert("readable", json!(opened.is_some()));
    let note = |note: &Note| json!({ "by": note.by, "writtenAt": moment(note.written_at_ms), "atUs": note.at_us, "text": note.text });
    insert("notes", notes.unwrap_or_default().iter().map(note).collect());
    {
        let read = shared.index.acknowledged().await;
        let read = read.map_err(|error| Refused::failed("read its ledger", &error))?;
        let of = read.of(session);
        let views = of.into_iter().flat_map(|of| of.views.iter().rev());
        let view = |view: &crate::index::View| json!({ "at": moment(view.at_ms), "by": view.by, "how": view.how });
        insert("views", views.map(view).collect());
        insert("moreViews", json!(of.map_or(0, |of| of.n_more_views)));
    }
    if let Some(reader) = opened {
        let waiting = Waiting::default();
        let given_up = waiting.asked();
        let told = shared.read(move || told(reader, &given_up)).await?;
        drop(waiting);
        for (name, value) in story_members(&told) {
            insert(name, value);
        }
    }
    Ok(Answer(answer))
}

pub(crate) fn typed(visible: &Visible) -> Typed {
    if visible.may.contains(&Permission::Input) { Typed::Opened } else { Typed::Withheld }
}

fn told(mut reader: Reader<RecordingSource>, given_up: &GivenUp) -> Told {
    let mut story = Story::new(reader.opening());
    let mut n_steps = 0;
    let is_whole = loop {
        let bytes = story.input_bytes.saturating_add(story.output_bytes);
        if bytes > MOST_BYTES || n_steps > MOST_STEPS || given_up.is_so() {
            break false;
        }
        n_steps += 1;
        match reader.next_step() {
            Ok(Some(step)) => story.step(&step),
            Ok(None) => break true,
            // What comes before a break was authenticated, and is told; what is wrong is for the proof to say.
            Err(_) => break false,
        }
    };
    story.finish();
    Told { story, is_whole }
}

fn story_members(told: &Told) -> Vec<(&'static str, Value)> {
    let Told { story, is_whole } = told;
    let port = |port: &Port| {
        json!({
            "atUs": port.at_us, "connection": port.connection, "port": port.port,
            "toPortBytes": port.to_port_bytes, "fromPortBytes": port.from_port_bytes,
        })
    };
    let moment = |moment: &Moment| json!({ "atUs": moment.at_us, "kind": moment.kind.word(), "text": moment.text });
    let commands = story.commands();
    vec![
        ("whole", json!(is_whole)),
        ("commands", commands.iter().take(MOST).map(command).collect()),
        ("moreCommands", json!(story.n_more_commands() + more(commands.len()))),
        ("moments", story.moments.iter().take(MOST).map(moment).collect()),
        ("moreMoments", json!(more(story.moments.len()))),
        ("files", story.files().iter().take(MOST).map(file_json).collect()),
        ("moreFiles", json!(story.file_list().n_more + more(story.files().len()))),
        ("ports", story.ports.iter().take(MOST).map(port).collect()),
        ("inputBytes", json!(story.input_bytes)),
        ("outputBytes", json!(story.output_bytes)),
        ("status", json!(story.status)),
    ]
}

fn more(length: usize) -> u64 {
    length.saturating_sub(MOST) as u64
}

fn command(command: &CommandLine) -> Value {
    let CommandLine { at_us, begun_us, text, prompt, source, keys_say } = command;
    json!({
        "atUs": at_us, "begunUs": begun_us, "text": text, "prompt": prompt, "source": source.word(),
        "keysSay": keys_say.word(),
    })
}
