//! `weir sessions tail --gateway`: what a session shows now, as the gateway tells it.
//!
//! The gateway sends an asciicast; it is read back into steps, so that it is printed as a recording's file would be.

use crate::Console;
use crate::Outcome;
use crate::commands::sessions::folder::micros;
use crate::commands::sessions::gateway::{Gateway, Lines};
use crate::exit::ExpectedError;
use serde_json::Value;
use session_formats::{Export, Format, Input};
use session_record::{
    Access, Client, Durability, Event, Opening, Record, SessionId, Step, Stream, User,
};
use std::io::Write as _;

/// A message holds one step's output at most, as JSON.
const LONGEST_LINE: usize = 16 << 20;

pub(crate) fn run(
    gateway: &Gateway,
    session: SessionId,
    format: Format,
    console: &mut Console,
) -> Result<Outcome, ExpectedError> {
    let facts = gateway.json(&format!("sessions/{session}"))?;
    let is_terminal = facts.get("terminal").and_then(Value::as_bool).unwrap_or(true);
    let opening = opening(session, is_terminal);
    let mut export = Export::begin(format, Input::LeftOut, &opening, &mut console.out)?;
    let (mut event, mut last_event) = (String::new(), String::new());
    let path = format!("sessions/{session}/live");
    gateway.lines(&path, LONGEST_LINE, |line| {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        } else if let Some(told) = line.strip_prefix("data: ") {
            if event.is_empty() {
                if let Some(step) = step(told) {
                    export.step(&step, &mut console.out)?;
                }
            } else {
                event.clone_into(&mut last_event);
            }
        } else if line.is_empty() {
            event.clear();
            console.out.flush()?;
        }
        Ok(if last_event.is_empty() { Lines::More } else { Lines::Enough })
    })?;
    export.end(&mut console.out)?;
    if last_event == "done" {
        return Ok(Outcome::Yes);
    }
    let what = "the gateway ended the view before the session: look again from its beginning";
    writeln!(console.err, "{what}")?;
    Ok(Outcome::No)
}

/// An event of an asciicast; its header is none.
fn step(line: &str) -> Option<Step> {
    let (seconds, code, text): (f64, String, String) = serde_json::from_str(line).ok()?;
    let event = match code.as_str() {
        "o" => Event::Data { stream: Stream::Stdout, bytes: text.into_bytes().into() },
        "r" => {
            let (columns, rows) = text.split_once('x')?;
            Event::Resize { columns: columns.parse().ok()?, rows: rows.parse().ok()? }
        }
        _ => return None,
    };
    Some(Step::Known(Record { at_us: micros(seconds)?, event }))
}

/// Nothing but whether there is a terminal changes how lines are printed.
fn opening(session: SessionId, terminal: bool) -> Opening {
    let none = String::new;
    Opening {
        session,
        at_ms: 0,
        gateway: none(),
        cluster: none(),
        user: User { name: none(), uid: None, groups: Vec::new(), proof: none() },
        client: Client {
            address: none(),
            user_agent: None,
            kubectl_session: None,
            kubectl_command: None,
            protocol: none(),
        },
        access: Access {
            verb: none(),
            namespace: None,
            name: None,
            uid: None,
            container: None,
            command: Vec::new(),
            terminal,
        },
        reason: None,
        rule: none(),
        durability: Durability::Group,
    }
}
