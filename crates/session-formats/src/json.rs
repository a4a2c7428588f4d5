//! The opening and each step as JSON, a line each.

use crate::export::Input;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use safe_output::json::API_VERSION;
use serde_json::{Value, json};
use session_record::{Durability, Ending, Event, Opening, Step, Stream};

/// Milliseconds since 1970 as RFC 3339 in UTC.
#[must_use]
pub fn moment(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .map_or_else(|| at_ms.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// What is known of a session from its beginning.
#[must_use]
pub fn opening_json(opening: &Opening) -> Value {
    let Opening {
        session,
        at_ms,
        gateway,
        cluster,
        user,
        client,
        access,
        reason,
        rule,
        durability,
    } = opening;
    json!({
        "apiVersion": API_VERSION, "kind": "Session",
        "session": session.to_string(), "startedAt": moment(*at_ms), "gateway": gateway, "cluster": cluster,
        "user": { "name": user.name, "uid": user.uid, "groups": user.groups, "proof": user.proof },
        "client": {
            "address": client.address, "userAgent": client.user_agent, "kubectlSession": client.kubectl_session,
            "kubectlCommand": client.kubectl_command, "protocol": client.protocol,
        },
        "verb": access.verb, "namespace": access.namespace, "name": access.name, "uid": access.uid,
        "container": access.container, "command": access.command, "terminal": access.terminal,
        "reason": reason, "rule": rule,
        "durability": match durability {
            Durability::Group => "group",
            Durability::Intent => "intent",
            Durability::Strict => "strict",
        },
    })
}

/// One step. Bytes are base64, because they need not be text.
#[must_use]
pub fn step_json(step: &Step, input: Input) -> Value {
    let (at_us, mut object) = match step {
        Step::Withheld { at_us, stream, length } => (*at_us, withheld(*stream, *length)),
        Step::Known(record) => (record.at_us, event_json(&record.event, input)),
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("atUs".to_owned(), json!(at_us));
    }
    object
}

fn withheld(stream: Stream, length: u64) -> Value {
    let mut object = stream_json(stream);
    if let Some(object) = object.as_object_mut() {
        object.insert("event".to_owned(), json!("data"));
        object.insert("withheldBytes".to_owned(), json!(length));
    }
    object
}

fn stream_json(stream: Stream) -> Value {
    match stream {
        Stream::Stdin => json!({ "stream": "stdin" }),
        Stream::Stdout => json!({ "stream": "stdout" }),
        Stream::Stderr => json!({ "stream": "stderr" }),
        Stream::ToPort { connection } => json!({ "stream": "to-port", "connection": connection }),
        Stream::FromPort { connection } => {
            json!({ "stream": "from-port", "connection": connection })
        }
    }
}

fn event_json(event: &Event, input: Input) -> Value {
    let with = |stream: Stream, members: Value| {
        let mut object = stream_json(stream);
        if let (Some(object), Value::Object(members)) = (object.as_object_mut(), members) {
            object.extend(members);
        }
        object
    };
    match event {
        Event::Data { stream, bytes } if stream.is_from_person() && input == Input::LeftOut => {
            withheld(*stream, bytes.len() as u64)
        }
        Event::Data { stream, bytes } => {
            with(*stream, json!({ "event": "data", "bytes": STANDARD.encode(bytes) }))
        }
        Event::End { stream } => with(*stream, json!({ "event": "end" })),
        Event::Resize { columns, rows } => {
            json!({ "event": "resize", "columns": columns, "rows": rows })
        }
        Event::Status { text } => {
            json!({ "event": "status", "text": String::from_utf8_lossy(text) })
        }
        Event::Connected { connection, port } => {
            json!({ "event": "connected", "connection": connection, "port": port })
        }
        Event::ConnectionError { connection, text } => {
            json!({ "event": "connection-error", "connection": connection, "text": String::from_utf8_lossy(text) })
        }
        Event::Disconnected { connection } => {
            json!({ "event": "disconnected", "connection": connection })
        }
        Event::Call { json } => {
            let call: Value = serde_json::from_slice(json)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(json)));
            json!({ "event": "call", "call": call })
        }
        Event::Notice { text } => json!({ "event": "notice", "text": text }),
        Event::Frozen { by } => json!({ "event": "frozen", "by": by }),
        Event::Thawed { by } => json!({ "event": "thawed", "by": by }),
        Event::Marker { by, text } => json!({ "event": "marker", "by": by, "text": text }),
    }
}

/// How a session ended, as a sentence part.
#[must_use]
pub fn ending_text(ending: &Ending) -> String {
    match ending {
        Ending::Finished { exit_code: Some(code) } => format!("finished with exit code {code}"),
        Ending::Finished { exit_code: None } => "finished".to_owned(),
        Ending::ClientLeft => "the client left".to_owned(),
        Ending::UpstreamLeft { why } => format!("the cluster's side left: {why}"),
        Ending::Killed { by, why } => format!("ended by {by}: {why}"),
        Ending::Limit { which } => format!("ended by a limit: {which}"),
        Ending::RecordingFailed { why } => format!("ended because it could not be recorded: {why}"),
        Ending::Protocol { why } => format!("ended because the protocol was broken: {why}"),
        Ending::GatewayStopped => "ended because the gateway stopped".to_owned(),
        Ending::Recovered => "the gateway was gone; found at its next start".to_owned(),
    }
}
