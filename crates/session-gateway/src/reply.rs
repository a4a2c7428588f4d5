//! What the gateway itself answers over plain HTTP: `Status` objects, as clients of an API server expect them.

use crate::body::{Body, full};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

/// Why something was not done, in one sentence for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: StatusCode,
    /// The word that clients tell cases apart by: `Forbidden`, `Unauthorized`, `InternalError`, …
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self { code: StatusCode::UNAUTHORIZED, reason: "Unauthorized", message: message.into() }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self { code: StatusCode::FORBIDDEN, reason: "Forbidden", message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { code: StatusCode::NOT_FOUND, reason: "NotFound", message: message.into() }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        let code = StatusCode::SERVICE_UNAVAILABLE;
        Self { code, reason: "ServiceUnavailable", message: message.into() }
    }

    pub(crate) fn bad_gateway(message: impl Into<String>) -> Self {
        Self { code: StatusCode::BAD_GATEWAY, reason: "InternalError", message: message.into() }
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Vec<u8> {
        let Self { code, reason, message } = self;
        let object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code.as_u16(),
        });
        object.to_string().into_bytes()
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(full(self.status()));
        *response.status_mut() = self.code;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl Failure {
    /// What an API server's `Status` says, as an answer.
    pub(crate) fn of_status(status: &[u8]) -> Self {
        let object: serde_json::Value = serde_json::from_slice(status).unwrap_or_default();
        let text =
            |name: &str| object.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
        let code = object
            .get("code")
            .and_then(serde_json::Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        let code = code
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::BAD_GATEWAY);
        let message = if text("message").is_empty() {
            "the cluster's side did not come about"
        } else {
            text("message")
        };
        let reason = match code {
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::NOT_FOUND => "NotFound",
            StatusCode::UNAUTHORIZED => "Unauthorized",
            _ => "InternalError",
        };
        Self { code, reason, message: message.to_owned() }
    }
}
