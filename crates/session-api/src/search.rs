//! `GET /search?text=`: where a text stands on screens, in command lines and in paths.
//!
//! There is no index of what was shown, which would be a second copy of it; recordings are read, newest first, as far
//! as one answer goes. `next` goes on from there.

use crate::answer::{Answer, Refused};
use crate::api::{Shared, view};
use crate::caller::By;
use crate::filter::{Filter, InQuery, asked, cursor};
use crate::known::Known;
use crate::reading::{GivenUp, Typed, Waiting, keys};
use access_model::Permission;
use axum::extract::State;
use serde_json::{Value, json};
use session_record::{Event, Keys, SessionId, Step};
use session_replay::{FileList, Line, Transcript, is_hidden};
use session_store::Recordings;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of one answer.
const RECORDINGS: usize = 100;
const HITS: usize = 500;
const HITS_OF_RECORDING: usize = 100;
const BYTES: u64 = 512 << 20;
const LONGEST: Duration = Duration::from_secs(20);
const TEXT_BYTES: usize = 256;
/// What is shown of a line around the text.
const SHOWN_BEFORE: usize = 100;
const SHOWN: usize = 400;

struct Search {
    recordings: Recordings,
    /// Small letters only.
    text: String,
    items: Vec<Value>,
    left_bytes: u64,
    until: Instant,
    given_up: GivenUp,
}

/// One recording's.
struct Hits<'a> {
    text: &'a str,
    session: SessionId,
    found: Vec<Value>,
}

enum Searched {
    Whole,
    /// Up to where it cannot be read, or to a limit.
    CutShort,
}

pub(crate) async fn search(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    query: InQuery,
) -> Result<Answer, Refused> {
    let asked = asked(query)?;
    let text = asked.text.clone().unwrap_or_default();
    if text.trim().is_empty() || text.len() > TEXT_BYTES {
        let message = format!("`text` has to be a text of 1 to {TEXT_BYTES} bytes");
        return Err(Refused::bad_request(message));
    }
    let filter = Filter::of(asked)?;
    let all = shared.all().await?;
    let mut wanted = all.into_iter().filter(|known| {
        filter.wants(known) && {
            let may = shared.may(&caller, known);
            may.contains(&Permission::List) && may.contains(&Permission::View)
        }
    });
    let candidates: Vec<Arc<Known>> = wanted.by_ref().take(RECORDINGS).collect();
    let is_more = wanted.next().is_some();
    let (recordings, by) = (shared.recordings.clone(), shared.keys.clone());
    let opened = shared.read(move || {
        let open = |known: Arc<Known>| {
            let keys = keys(&recordings, &by, known.session, Typed::Withheld).ok();
            (known, keys)
        };
        candidates.into_iter().map(open).collect::<Vec<_>>()
    });
    let opened = opened.await?;
    let read = opened.iter().filter(|(_, keys)| keys.is_some());
    let facts = read.map(|(known, _)| view(&caller, known.session, "search")).collect();
    shared.enter(facts).await?;
    let waiting = Waiting::default();
    let search = Search {
        recordings: shared.recordings.clone(),
        text: text.to_lowercase(),
        items: Vec::new(),
        left_bytes: BYTES,
        until: Instant::now() + LONGEST,
        given_up: waiting.asked(),
    };
    let answer = shared.read(move || search.all(opened, is_more)).await?;
    drop(waiting);
    Ok(Answer(answer))
}

impl Search {
    fn all(mut self, opened: Vec<(Arc<Known>, Option<Keys>)>, is_more: bool) -> Value {
        let (mut searched, mut unread, mut cut_short) = (0_u64, 0_u64, 0_u64);
        let (mut last, mut rest) = (None, opened.into_iter());
        while !self.is_over() {
            let Some((known, keys)) = rest.next() else { break };
            match keys {
                Some(keys) => {
                    searched += 1;
                    match self.recording(&known, &keys) {
                        Searched::Whole => {}
                        Searched::CutShort => cut_short += 1,
                    }
                }
                None => {
                    unread += 1;
                    let mut hits = Hits::of(&self.text, known.session);
                    hits.whole(0, "argv", &known.command_line());
                    self.items.append(&mut hits.found);
                }
            }
            last = Some(known);
        }
        let goes_on = is_more || rest.next().is_some();
        let next = last.filter(|_| goes_on).map(|known| cursor(&known));
        json!({
            "items": self.items, "searched": searched, "unread": unread, "cutShort": cut_short, "next": next,
        })
    }

    fn is_over(&self) -> bool {
        self.items.len() >= HITS
            || self.left_bytes == 0
            || Instant::now() >= self.until
            || self.given_up.is_so()
    }

    fn recording(&mut self, known: &Known, keys: &Keys) -> Searched {
        let mut hits = Hits::of(&self.text, known.session);
        hits.whole(0, "argv", &known.command_line());
        let Ok(mut reader) = self.recordings.reader(known.session, keys) else {
            self.items.append(&mut hits.found);
            return Searched::CutShort;
        };
        let mut transcript = Transcript::new(reader.opening());
        let mut files = FileList::new(reader.opening());
        let mut last_us = 0;
        let searched = loop {
            let is_over = self.left_bytes == 0
                || Instant::now() >= self.until
                || self.given_up.is_so()
                || hits.found.len() >= HITS_OF_RECORDING;
            if is_over {
                break Searched::CutShort;
            }
            match reader.next_step() {
                Ok(Some(step)) => {
                    last_us = step.at_us();
                    self.left_bytes = self.left_bytes.saturating_sub(size(&step));
                    files.step(&step);
                    hits.lines(transcript.step(&step));
                }
                Ok(None) => break Searched::Whole,
                Err(_) => break Searched::CutShort,
            }
        };
        hits.lines(transcript.finish(last_us));
        for file in &files.found {
            hits.whole(file.at_us, "path", &file.path);
        }
        self.items.append(&mut hits.found);
        searched
    }
}

/// At least one, so that steps without bytes come to an end as well.
fn size(step: &Step) -> u64 {
    match step {
        Step::Withheld { length, .. } => (*length).max(1),
        Step::Known(record) => match &record.event {
            Event::Data { bytes, .. } => bytes.len() as u64,
            Event::End { .. }
            | Event::Resize { .. }
            | Event::Status { .. }
            | Event::Connected { .. }
            | Event::ConnectionError { .. }
            | Event::Disconnected { .. }
            | Event::Call { .. }
            | Event::Notice { .. }
            | Event::Frozen { .. }
            | Event::Thawed { .. }
            | Event::Marker { .. } => 1,
        },
    }
}

impl<'a> Hits<'a> {
    const fn of(text: &'a str, session: SessionId) -> Self {
        Self { text, session, found: Vec::new() }
    }

    fn lines(&mut self, lines: Vec<Line>) {
        for Line { at_us, text } in lines {
            self.whole(at_us, "screen", &text);
        }
    }

    /// Characters that do not show do not hide a text either.
    fn whole(&mut self, at_us: u64, place: &str, line: &str) {
        if self.found.len() >= HITS_OF_RECORDING {
            return;
        }
        let mut small = line.to_lowercase();
        if small.contains(is_hidden) && !small.contains(self.text) {
            small = small.replace(is_hidden, "");
        }
        let Some(at) = small.find(self.text) else { return };
        let (session, shown) = (self.session.to_string(), around(line, at));
        self.found
            .push(json!({ "session": session, "atUs": at_us, "where": place, "text": shown }));
    }
}

/// What stands about a place in a line; small letters may be longer or shorter than capitals, so it is not exact.
fn around(line: &str, at: usize) -> String {
    let from = line.floor_char_boundary(at.saturating_sub(SHOWN_BEFORE));
    let to = line.floor_char_boundary(from.saturating_add(SHOWN));
    let shown = line.get(from..to).unwrap_or(line);
    let begin = if from > 0 { "…" } else { "" };
    let end = if to < line.len() { "…" } else { "" };
    format!("{begin}{shown}{end}")
}
