//! Answers as JSON in which every character shows, and what a request gets instead of one: a code for programs and a
//! sentence for people.

use access_model::Permission;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::error::Error;

/// JSON, with control characters and such as turn text around written as escapes.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

/// A request that is not answered, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// There is no such session, or the caller may not know of it: the two look alike.
    pub(crate) fn unknown_session() -> Self {
        let message = "there is no such session, or you may not list it";
        Self::new(StatusCode::NOT_FOUND, "unknown-session", message)
    }

    pub(crate) fn not_allowed(permission: Permission) -> Self {
        let word = permission.word();
        let message = format!(
            "this needs the permission `{word}`, which no grant gives you for this session"
        );
        Self::new(StatusCode::FORBIDDEN, "not-allowed", message)
    }

    pub(crate) fn not_live() -> Self {
        let message = "the session is over, or another gateway has it";
        Self::new(StatusCode::CONFLICT, "not-live", message)
    }

    pub(crate) fn no_key() -> Self {
        let message = "this server has no key that opens the recording: read it with `weir sessions` and yours";
        Self::new(StatusCode::CONFLICT, "no-key", message)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// Something of the server's failed. What it was says more of the server than callers need; its log has it.
    pub(crate) fn failed(what: &'static str, error: &dyn Error) -> Self {
        tracing::error!(error = chain(error), "the console could not {what}");
        let message = format!("the server could not {what}; its log says why");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message)
    }
}

fn chain(error: &dyn Error) -> String {
    let sources = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut bytes = Vec::new();
        if let Err(error) = safe_output::json::write_line(&mut bytes, &self.0) {
            return Refused::failed("write its answer", &error).into_response();
        }
        let mut response = Response::new(Body::from(bytes));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        let mut response = Answer(json!({ "code": code, "message": message })).into_response();
        // Of a refusal that cannot be written, the status of the failure stays.
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
        }
        response
    }
}
