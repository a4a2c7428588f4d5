//! How a command ended, as the API says it: a `Status` object of `meta/v1`.

use crate::violation::Violation;
use serde_json::{Value, json};

/// Longest status that is read. Runtimes put the command's name into it, of which the kernel allows 128 KiB.
pub(crate) const MAX_STATUS_BYTES: usize = 256 << 10;

/// Longest status that is made of text: of a byte come at most six of JSON, and around them stands an object.
const MAX_STATUS_OF_TEXT_BYTES: usize = 6 * MAX_STATUS_BYTES + 256;

pub(crate) const fn check_length(bytes: usize) -> Result<(), Violation> {
    if bytes > MAX_STATUS_BYTES {
        return Err(Violation::TooLong { what: "a status", bytes, limit: MAX_STATUS_BYTES });
    }
    Ok(())
}

/// What a gateway tells a person through the status of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Success,
    /// The command's exit code; 0 is [`Status::Success`].
    Exited {
        code: u8,
    },
    /// It did not begin, or was ended. `reason` is one of the API's words, for instance `Forbidden`.
    Failed {
        reason: &'static str,
        message: String,
        code: u16,
    },
}

impl Status {
    /// As JSON. Every protocol is given this; those before v4 make text of it.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Success => json!({ "metadata": {}, "status": "Success" }),
            Self::Exited { code } => json!({
                "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
                "message": format!("command terminated with non-zero exit code: exit status {code}"),
                "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
            }),
            Self::Failed { reason, message, code } => json!({
                "metadata": {}, "status": "Failure", "reason": reason, "message": message, "code": code,
            }),
        }
        .to_string()
    }
}

/// The exit code that a status says, where it says one: 0 for success.
#[must_use]
pub fn exit_code(status: &[u8]) -> Option<i32> {
    let status = parsed(status)?;
    match status.get("status")?.as_str()? {
        "Success" => Some(0),
        _ if status.get("reason")?.as_str()? == "NonZeroExitCode" => {
            let causes = status.get("details")?.get("causes")?.as_array()?;
            let code = causes
                .iter()
                .find(|cause| cause.get("reason").and_then(Value::as_str) == Some("ExitCode"))?;
            code.get("message")?.as_str()?.parse().ok()
        }
        _ => None,
    }
}

/// A status for protocols before v4, which have text: nothing for success.
pub(crate) fn as_text(status: &[u8]) -> Vec<u8> {
    let Some(object) = parsed(status) else { return status.to_vec() };
    match (
        object.get("status").and_then(Value::as_str),
        object.get("message").and_then(Value::as_str),
    ) {
        (Some("Success"), _) => Vec::new(),
        (Some(_), Some(message)) => message.as_bytes().to_vec(),
        _ => status.to_vec(),
    }
}

/// Text of a protocol before v4 as a status: an empty one is success.
pub(crate) fn of_text(text: &[u8]) -> Vec<u8> {
    if text.is_empty() {
        return Status::Success.to_json().into_bytes();
    }
    let message = String::from_utf8_lossy(text).into_owned();
    Status::Failed { reason: "InternalError", message, code: 500 }.to_json().into_bytes()
}

fn parsed(status: &[u8]) -> Option<Value> {
    if status.len() > MAX_STATUS_OF_TEXT_BYTES {
        return None;
    }
    serde_json::from_slice(status).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_read_from_what_runtimes_send() {
        let of = |text: &str| exit_code(text.as_bytes());
        assert_eq!(of(r#"{"metadata":{},"status":"Success"}"#), Some(0));
        let seven = r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: x","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}"#;
        assert_eq!(of(seven), Some(7));
        assert_eq!(of(&Status::Exited { code: 126 }.to_json()), Some(126));
        let failed = Status::Failed { reason: "Forbidden", message: "no".to_owned(), code: 403 };
        assert_eq!(of(&failed.to_json()), None);
        assert_eq!(["", "[]", "{}", "nothing", r#"{"status":7}"#].map(of), [None; 5]);
    }

    #[test]
    fn text_and_status_say_the_same() {
        assert_eq!(exit_code(&of_text(b"")), Some(0));
        assert_eq!(as_text(&of_text(b"it broke")), b"it broke");
        assert_eq!(as_text(Status::Success.to_json().as_bytes()), b"");
        // The longest text that is read, of letters that are the longest in JSON.
        let longest = vec![1; MAX_STATUS_BYTES];
        assert!(as_text(&of_text(&longest)) == longest);
    }
}
