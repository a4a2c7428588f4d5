//! `GET /sessions/ID/proof`: what is proven of a recording, statement by statement.
//!
//! The file is read again from its first to its last byte, with the server's keys where there are some: nothing of
//! what it shows is answered, so that whoever may list a session may ask.

use crate::answer::{Answer, Refused};
use crate::api::Shared;
use crate::caller::By;
use crate::known::State as Found;
use crate::reading::{Typed, in_turn, keys};
use axum::extract::{Path, State};
use serde_json::{Value, json};
use session_record::{Anchors, Fault, Keys, Report, Unproven, Verdict};
use session_store::FetchError;
use std::sync::Arc;

const OF_THE_LEDGER: &str = "that nobody changed the ledger itself since: `weir ledger verify` shows it elsewhere, with the \
     ledger's key and its witnesses' signatures";

pub(crate) async fn proof(
    State(shared): State<Arc<Shared>>,
    By(caller): By,
    Path(id): Path<String>,
) -> Result<Answer, Refused> {
    let known = shared.visible(&caller, &id).await?.known;
    let session = known.session;
    let of = {
        let read = shared.index.acknowledged().await;
        let read = read.map_err(|error| Refused::failed("read its ledger", &error))?;
        read.of(session).cloned()
    };
    if known.state == Found::Missing {
        let text = "the ledger says that this session began, and there is no recording of it";
        return Ok(altered(text, "recording-lost"));
    }
    let has_begun = of.as_ref().is_some_and(|of| of.opened.is_some());
    let anchors = of.map_or_else(Anchors::default, |of| of.anchors);
    let (recordings, by) = (shared.recordings.clone(), shared.keys.clone());
    let verify = move || {
        let keys = keys(&recordings, &by, session, Typed::Opened);
        let keys = keys.unwrap_or_else(|_| Keys::none());
        recordings.verify(session, &keys, &anchors)
    };
    match in_turn(&shared.turns.proving, verify).await? {
        Ok(report) => Ok(told(&report, has_begun)),
        Err(FetchError::Read(why)) => Ok(altered(&why.to_string(), "recording-not-read")),
        Err(FetchError::NoRecording(_)) => Err(Refused::unknown_session()),
        Err(error) => Err(Refused::failed("verify the recording", &error)),
    }
}

fn altered(text: &str, code: &str) -> Answer {
    Answer(json!({ "verdict": "altered", "statements": [wrong(text, code)] }))
}

fn wrong(text: &str, code: &str) -> Value {
    let help = format!("`weir explain {code}` says what it means and what to do");
    json!({ "holds": false, "text": text, "code": code, "help": help })
}

fn told(report: &Report, has_begun: bool) -> Answer {
    let mut statements: Vec<Value> =
        report.faults.iter().map(|fault| wrong(&fault.to_string(), code(fault))).collect();
    if !has_begun {
        let text = "the ledger never heard that this session began";
        statements.push(wrong(text, "recording-not-in-ledger"));
    }
    let verdict = match (report.verdict(), statements.is_empty()) {
        (_, false) | (Verdict::Broken, _) => "altered",
        (Verdict::Sound, true) if report.unproven.iter().all(is_of_typed) => "proven",
        (Verdict::Sound | Verdict::Open, true) => "unproven",
    };
    let held =
        report.proven.iter().map(|proven| json!({ "holds": true, "text": proven.to_string() }));
    statements.extend(held);
    let open = report.unproven.iter().map(ToString::to_string);
    let open = open.chain(std::iter::once(OF_THE_LEDGER.to_owned()));
    statements.extend(open.map(|text| json!({ "holds": null, "text": text })));
    Answer(json!({ "verdict": verdict, "statements": statements }))
}

/// Few servers have the key of what was typed; the chain over it is proven all the same.
fn is_of_typed(unproven: &Unproven) -> bool {
    matches!(unproven, Unproven::Authentic(session_record::Compartment::Input))
}

const fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Read(_) | Fault::Seal(_) | Fault::End(_) | Fault::RawChain { .. } | Fault::Torn => {
            "recording-altered"
        }
        Fault::NoEnd | Fault::LedgerHead(_) => "recording-cut-short",
        Fault::LedgerHeader | Fault::LedgerSeal => "recording-not-the-ledgers",
    }
}
