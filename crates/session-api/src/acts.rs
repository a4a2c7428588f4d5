//! What changes something: kill, freeze, thaw, notes and holds.
//!
//! The gateway itself enters what it did to a session, and ends the session where it cannot; notes and holds are entered
//! here. All of it is answered when it has come about.

use crate::answer::Refused;
use crate::api::{BODY_BYTES, Shared};
use crate::caller::By;
use crate::going::{Going, NotDone, Phase};
use crate::reading::in_turn;
use access_model::Permission;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use ledger_model::Fact;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use session_record::SessionId;
use session_store::{Hold, Note, NoteError, RealDisk, RetentionError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a session may take to do what it was asked, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(20);
const WHY_BYTES: usize = 1024;
const NOTE_BYTES: usize = 8 << 10;
/// A recording's notes are one file of 1 MiB; most of its bytes are theirs.
const NOTES_BYTES: usize = 512 << 10;
const NOTES: usize = 1000;

type Done = Result<StatusCode, Refused>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    at_us: u64,
    text: String,
}

pub(crate) async fn kill(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
    request: Request,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Kill).await?;
    let why = why(request).await?;
    act(&shared, |going| going.kill(session, &caller.user, &why))?;
    // Until it is sealed: the ledger has by then who ended it, and why.
    come_about(&shared, session, "end", |phase| phase.is_none()).await
}

pub(crate) async fn freeze(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Freeze).await?;
    act(&shared, |going| going.freeze(session, &caller.user))?;
    come_about(&shared, session, "stop", |phase| phase != Some(Phase::Running)).await?;
    still_going(&shared, session)
}

pub(crate) async fn thaw(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Freeze).await?;
    act(&shared, |going| going.thaw(session, &caller.user))?;
    come_about(&shared, session, "go on", |phase| phase != Some(Phase::Frozen)).await?;
    still_going(&shared, session)
}

pub(crate) async fn note(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
    request: Request,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Note).await?;
    let Written { at_us, text } = json(request).await?;
    let text = text_of("text", &text, NOTE_BYTES)?;
    let (by, written_at_ms) = (caller.user, shared.now_ms());
    let note = Note { by: by.clone(), written_at_ms, at_us, text };
    let digest = note.digest().map_err(|error| Refused::failed("write the note", &error))?;
    let _alone = shared.beside.lock().await;
    let notes = {
        let recordings = shared.recordings.clone();
        in_turn(&shared.turns.looking, move || recordings.notes(session))
            .await?
            .map_err(|error| not_noted(&error))?
    };
    let kept: usize = notes.iter().map(|note| note.text.len()).sum();
    // Looked at before: an entry of a note that is not kept would look like one that was taken away.
    if notes.len() >= NOTES || kept + note.text.len() > NOTES_BYTES {
        return Err(Refused::bad_request("the recording has as many notes as can be kept"));
    }
    shared
        .enter(vec![Fact::SessionNoted { session: session.to_string(), by, at_us, digest }])
        .await?;
    let recordings = shared.recordings.clone();
    let add = move || recordings.add_note(&RealDisk, session, note);
    in_turn(&shared.turns.looking, add).await?.map_err(|error| not_noted(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn hold(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
    request: Request,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Hold).await?;
    let why = why(request).await?;
    let by = caller.user;
    let hold = Hold { by: by.clone(), why: why.clone(), at_ms: shared.now_ms() };
    let _alone = shared.beside.lock().await;
    let recordings = shared.recordings.clone();
    let place = move || recordings.hold(&RealDisk, session, hold);
    // The hold first: what holds is kept although nobody heard of it, rather than the other way round.
    in_turn(&shared.turns.looking, place).await?.map_err(|error| not_held(&error))?;
    shared.enter(vec![Fact::HoldPlaced { session: session.to_string(), by, why }]).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn lift(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
    request: Request,
) -> Done {
    let session = allowed(&shared, &caller, &id, Permission::Hold).await?;
    let is_empty = request.headers().get(header::CONTENT_TYPE).is_none();
    let why = if is_empty { String::new() } else { why(request).await? };
    let by = caller.user;
    let _alone = shared.beside.lock().await;
    let held = {
        let recordings = shared.recordings.clone();
        in_turn(&shared.turns.looking, move || recordings.holds(session))
            .await?
            .map_err(|error| not_held(&error))?
    };
    if !held.iter().any(|hold| hold.by == by) {
        return Err(not_yours());
    }
    // What ends a hold is on record before it is over.
    let lifted = Fact::HoldLifted { session: session.to_string(), by: by.clone(), why };
    shared.enter(vec![lifted]).await?;
    let recordings = shared.recordings.clone();
    let lift = move || recordings.lift(&RealDisk, session, &by);
    in_turn(&shared.turns.looking, lift).await?.map_err(|error| not_held(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn allowed(
    shared: &Shared,
    caller: &access_model::Identity,
    id: &str,
    permission: Permission,
) -> Result<SessionId, Refused> {
    let visible = shared.visible(caller, id).await?;
    visible.needs(permission)?;
    Ok(visible.known.session)
}

fn act(
    shared: &Shared,
    ask: impl FnOnce(&dyn Going) -> Result<(), NotDone>,
) -> Result<(), Refused> {
    ask(shared.going.as_ref()).map_err(|error| match error {
        NotDone::NotGoing => Refused::not_live(),
        NotDone::Busy => Refused::busy(error.to_string()),
    })
}

async fn come_about(
    shared: &Shared,
    session: SessionId,
    what: &str,
    is_so: impl Fn(Option<Phase>) -> bool,
) -> Done {
    let until = Instant::now() + PATIENCE;
    while !is_so(shared.going.phase(session)) {
        if Instant::now() >= until {
            let message = format!("the session was told to {what}, and has not done so yet");
            return Err(Refused::busy(message));
        }
        sleep(LOOK).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A session that ended meanwhile neither stopped nor went on.
fn still_going(shared: &Shared, session: SessionId) -> Done {
    shared.going_on(session).map(|_phase| StatusCode::NO_CONTENT).ok_or_else(Refused::not_live)
}

async fn why(request: Request) -> Result<String, Refused> {
    let Why { why } = json(request).await?;
    text_of("why", &why, WHY_BYTES)
}

fn text_of(name: &str, text: &str, most: usize) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() || text.len() > most {
        return Err(Refused::bad_request(format!(
            "`{name}` has to be a text of 1 to {most} bytes"
        )));
    }
    Ok(text.to_owned())
}

/// A body that says that it is JSON: what a form of another site sends says something else.
async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Refused> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Refused::bad_request("the body has to be application/json"));
    }
    let body: Body = request.into_body();
    let read = timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES)).await;
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("the body has to be whole, and {BODY_BYTES} bytes at most");
            return Err(Refused::bad_request(message));
        }
        Err(_) => return Err(Refused::bad_request("the body took too long")),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Refused::bad_request(format!("the body is not what this call takes: {error}"))
    })
}

fn not_noted(error: &NoteError) -> Refused {
    match error {
        NoteError::Fetch(session_store::FetchError::NoRecording(_)) => Refused::unknown_session(),
        NoteError::TooLong { .. } | NoteError::TooMany(_) => {
            Refused::bad_request(error.to_string())
        }
        NoteError::Fetch(_)
        | NoteError::Disk { .. }
        | NoteError::Format { .. }
        | NoteError::Version { .. } => Refused::failed("write the note", error),
    }
}

fn not_held(error: &RetentionError) -> Refused {
    match error {
        RetentionError::Fetch(session_store::FetchError::NoRecording(_)) => {
            Refused::unknown_session()
        }
        RetentionError::NotHeld { .. } => not_yours(),
        RetentionError::Fetch(_)
        | RetentionError::Disk { .. }
        | RetentionError::Held { .. }
        | RetentionError::NotSettled(_)
        | RetentionError::Holds { .. }
        | RetentionError::Version { .. } => Refused::failed("hold the recording", error),
    }
}

fn not_yours() -> Refused {
    let message = "you do not hold this recording: whoever does has to let it go";
    Refused::new(StatusCode::CONFLICT, "not-held", message)
}
