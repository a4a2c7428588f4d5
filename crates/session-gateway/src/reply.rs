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

    /// With the word that fits the code.
    pub(crate) fn of_code(code: StatusCode, message: impl Into<String>) -> Self {
        let reason = match code {
            StatusCode::UNAUTHORIZED => "Unauthorized",
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::NOT_FOUND => "NotFound",
            StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => "RequestEntityTooLarge",
            StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
            _ if code.is_server_error() => "InternalError",
            _ => "BadRequest",
        };
        Self { code, reason, message: message.into() }
    }

    /// What an API server answered, again. What is no `Status` becomes one.
    pub(crate) fn of_status(status: &[u8]) -> Self {
        let object: serde_json::Value = serde_json::from_slice(status).unwrap_or_default();
        let code = object.get("code").and_then(serde_json::Value::as_u64);
        let code = code.and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
        let message = object.get("message").and_then(serde_json::Value::as_str);
        let message = message.unwrap_or("the session ended before it began");
        Self::of_code(code.unwrap_or(StatusCode::BAD_GATEWAY), message)
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
