//! Who asks. Whoever serves has checked the proof and put the result into the request.

use crate::answer::Refused;
use access_model::Identity;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;

/// The result of checking a request's proof, among its extensions.
#[derive(Debug, Clone)]
pub struct Caller(pub Result<Identity, Unproven>);

/// Nobody knows who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// 401, or 403 and 503 where something else than a proof is missing.
    pub status: StatusCode,
    /// For the person.
    pub message: String,
}

/// A caller whose proof was checked.
#[derive(Debug)]
pub(crate) struct By(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refused> {
        match parts.extensions.get::<Caller>() {
            Some(Caller(Ok(identity))) => Ok(Self(identity.clone())),
            Some(Caller(Err(Unproven { status, message }))) => {
                let code = match *status {
                    StatusCode::UNAUTHORIZED => "not-authenticated",
                    StatusCode::FORBIDDEN => "not-allowed",
                    _ => "failed",
                };
                Err(Refused::new(*status, code, message.clone()))
            }
            None => {
                let message = "nobody has looked who you are";
                Err(Refused::new(StatusCode::UNAUTHORIZED, "not-authenticated", message))
            }
        }
    }
}
