//! `GET /sessions/ID/cast` and `/events`: a recording from its beginning, as it is read.
//!
//! A part is read when the one before has left, so that a recording of gigabytes takes no memory and a reader that
//! stops takes no thread. Where a recording cannot be read on, the answer's last line says so.

use crate::answer::Refused;
use crate::api::Shared;
use crate::caller::By;
use crate::reading::Typed;
use access_model::Permission;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Response, header};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use session_formats::{Export, Format, Input};
use session_record::Reader;
use session_store::RecordingSource;
use std::io;
use std::sync::Arc;

/// After so much, a part is sent; one step may be longer.
const PART_BYTES: usize = 64 << 10;
/// Steps that show nothing make no bytes.
const PART_STEPS: usize = 16 << 10;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    #[serde(default)]
    input: bool,
}

#[derive(Debug)]
struct Reading {
    reader: Reader<RecordingSource>,
    /// None once its end is written.
    export: Option<Export>,
    format: Format,
    out: Vec<u8>,
    last_us: u64,
}

pub(crate) async fn cast(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Result<Response<Body>, Refused> {
    let visible = shared.visible(&caller, &id).await?;
    visible.needs(Permission::View)?;
    let session = visible.known.session;
    let (reader, _keys) = shared.opened(session, Typed::Withheld).await?;
    shared.viewed(&caller, session, "play").await?;
    let reading = Reading::begin(reader, Format::Asciicast2, Input::LeftOut)?;
    Ok(answer(shared, reading, "application/x-asciicast"))
}

pub(crate) async fn events(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Result<Response<Body>, Refused> {
    let Query(wish) = wish.map_err(|error| Refused::bad_request(error.body_text()))?;
    let visible = shared.visible(&caller, &id).await?;
    visible.needs(Permission::View)?;
    let (typed, input, how) = if wish.input {
        visible.needs(Permission::Input)?;
        (Typed::Opened, Input::Written, "export-with-input")
    } else {
        (Typed::Withheld, Input::LeftOut, "export")
    };
    let session = visible.known.session;
    let (reader, keys) = shared.opened(session, typed).await?;
    if wish.input && keys.input.is_none() {
        return Err(Refused::no_key());
    }
    shared.viewed(&caller, session, how).await?;
    let reading = Reading::begin(reader, Format::Json, input)?;
    Ok(answer(shared, reading, "application/jsonl"))
}

fn answer(shared: Arc<Shared>, reading: Reading, content_type: &'static str) -> Response<Body> {
    let parts = stream::unfold(Some((shared, reading)), async |going_on| {
        let (shared, mut reading) = going_on?;
        let read = shared.read(move || {
            let part = reading.part();
            (reading, part)
        });
        match read.await {
            Ok((reading, Ok(part))) if part.is_empty() => {
                drop(reading);
                None
            }
            Ok((reading, Ok(part))) => Some((Ok(part), Some((shared, reading)))),
            // The connection is cut, so that nobody takes what came for all there is.
            Ok((_, Err(error))) => Some((Err(error), None)),
            Err(refused) => Some((Err(io::Error::other(refused.message)), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

impl Reading {
    fn begin(
        reader: Reader<RecordingSource>,
        format: Format,
        input: Input,
    ) -> Result<Self, Refused> {
        let mut out = Vec::new();
        let export = Export::begin(format, input, reader.opening(), &mut out);
        let export = export.map_err(|error| Refused::failed("write the recording", &error))?;
        Ok(Self { reader, export: Some(export), format, out, last_us: 0 })
    }

    /// What comes next; nothing when that was all.
    fn part(&mut self) -> io::Result<Vec<u8>> {
        let mut n_steps = 0;
        while self.out.len() < PART_BYTES && n_steps < PART_STEPS {
            n_steps += 1;
            let Some(export) = &mut self.export else { break };
            match self.reader.next_step() {
                Ok(Some(step)) => {
                    self.last_us = step.at_us();
                    export.step(&step, &mut self.out)?;
                }
                Ok(None) => self.end()?,
                Err(error) => {
                    self.end()?;
                    self.say_that_it_breaks_off(&error.to_string())?;
                }
            }
            // An empty part would be the end.
            if n_steps == PART_STEPS && self.out.is_empty() {
                n_steps = 0;
            }
        }
        Ok(std::mem::take(&mut self.out))
    }

    fn end(&mut self) -> io::Result<()> {
        match self.export.take() {
            Some(export) => export.end(&mut self.out),
            None => Ok(()),
        }
    }

    fn say_that_it_breaks_off(&mut self, why: &str) -> io::Result<()> {
        let (seconds, rest) = (self.last_us / 1_000_000, self.last_us % 1_000_000);
        if self.format == Format::Json {
            let line = json!({ "atUs": self.last_us, "event": "unreadable", "why": why });
            return safe_output::json::write_line(&mut self.out, &line);
        }
        let text = format!("the recording cannot be read on: {why}");
        io::Write::write_all(&mut self.out, format!("[{seconds}.{rest:06}, \"m\", ").as_bytes())?;
        safe_output::json::write_part(&mut self.out, &text)?;
        io::Write::write_all(&mut self.out, b"]\n")
    }
}
