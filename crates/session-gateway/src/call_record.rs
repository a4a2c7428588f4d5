//! A call of the API as recordings have it: a JSON object. `docs/formats/calls.md` says which members it has.
//!
//! What a call asked for and what came of it are two records, so that one that was under way when the gateway ended is
//! there as well.

use crate::authorise::Wanted;
use crate::identify;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use session_record::{Event, SessionId};

/// Longer bodies are not kept; that they were longer is.
pub(crate) const LARGEST_BODY: usize = 256 << 10;

/// What is kept of a request's body.
#[derive(Debug, Clone)]
pub(crate) enum KeptBody {
    /// The policy keeps none.
    NotKept,
    Kept(Bytes),
    LeftOut {
        why: &'static str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'call> {
    call: u64,
    at: &'static str,
    user: &'call str,
    groups: &'call [String],
    proof: String,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'call str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubectl_session: Option<&'call str>,
    method: &'static str,
    target: String,
    action: &'call str,
    rule: &'call str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'call str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'call str>,
    /// Where it is no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_left_out: Option<&'static str>,
}

#[derive(Serialize)]
struct Answered {
    call: u64,
    /// The recording that has the request.
    of: String,
    at: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What was asked. `call` counts the calls of a recording from 0.
pub(crate) fn asked(
    call: u64,
    wanted: &Wanted,
    rule: &str,
    headers: &HeaderMap,
    body: &KeptBody,
) -> Event {
    let caller = &wanted.caller;
    let mut record = Asked {
        call,
        at: "request",
        user: &caller.identity.user,
        groups: &caller.identity.groups,
        proof: identify::shown(&caller.identity.proof),
        address: caller.address.to_string(),
        user_agent: caller.user_agent.as_deref(),
        kubectl_session: caller.kubectl_session.as_deref(),
        method: wanted.request.method.word(),
        target: wanted.request.target(),
        action: wanted.request.action,
        rule,
        content_type: headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()),
        body: None,
        body_base64: None,
        body_left_out: None,
    };
    match body {
        KeptBody::NotKept => {}
        KeptBody::LeftOut { why } => record.body_left_out = Some(why),
        KeptBody::Kept(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => record.body = Some(text),
            Err(_) => record.body_base64 = Some(STANDARD.encode(bytes)),
        },
    }
    event(&record)
}

/// What came of it: a status, or why there is none.
pub(crate) fn answered(call: u64, of: SessionId, outcome: Result<u16, String>) -> Event {
    let (status, error) = match outcome {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    event(&Answered { call, of: of.to_string(), at: "answer", status, error })
}

fn event(object: &impl Serialize) -> Event {
    // Text and numbers always are JSON.
    let json = serde_json::to_vec(object).unwrap_or_default();
    Event::Call { json: json.into() }
}
