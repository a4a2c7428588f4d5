//! Tokens of service accounts, which only the API server can judge: their accounts and pods may be gone.

use super::{ApiServer, ApiServerError, Question};
use crate::Bearer;
use access_model::{Identity, Proof};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use zeroize::Zeroizing;

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Why a token proves nothing.
#[derive(Debug, Error)]
pub enum TokenError {
    #[error("the API server does not know the token")]
    Unknown,
    #[error("the token is not one of a service account: it is {user}'s")]
    OtherUser { user: String },
    #[error("the token is not for this gateway: its audience is another")]
    Audience,
    #[error("the token ended at second {at} since 1970")]
    Expired { at: i64 },
    #[error(transparent)]
    ApiServer(#[from] ApiServerError),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenReview<'review> {
    api_version: &'static str,
    kind: &'static str,
    spec: TokenReviewSpec<'review>,
}

#[derive(Serialize)]
struct TokenReviewSpec<'review> {
    token: &'review str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    audiences: &'review [String],
}

#[derive(Deserialize)]
struct Reviewed {
    status: Option<TokenReviewStatus>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct TokenReviewStatus {
    authenticated: bool,
    user: Option<ReviewedUser>,
    audiences: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ReviewedUser {
    username: String,
    uid: Option<String>,
    groups: Option<Vec<String>>,
    extra: Option<BTreeMap<String, Vec<String>>>,
}

impl TokenError {
    /// Whether another try may succeed with the same token: the caller is not at fault.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::ApiServer(_))
    }
}

impl ApiServer {
    /// Whose the token of a service account is. `now` is in seconds since 1970 (UTC).
    ///
    /// An answer is remembered for ten seconds, as API servers do it, and never longer than the token lasts.
    ///
    /// # Errors
    /// A token that proves nothing, or no answer.
    pub async fn service_account(&self, bearer: &Bearer, now: i64) -> Result<Identity, TokenError> {
        let digest = bearer.digest();
        let identity = match self.remembered.find(&digest) {
            Some(identity) => identity,
            None => {
                let identity = self.reviewed(bearer, &digest).await?;
                self.remembered.keep(digest, identity.clone());
                identity
            }
        };
        match identity.expires_at {
            Some(at) if at <= now => Err(TokenError::Expired { at }),
            Some(_) | None => Ok(identity),
        }
    }

    async fn reviewed(&self, bearer: &Bearer, digest: &str) -> Result<Identity, TokenError> {
        let what = "a review of a token";
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let spec = TokenReviewSpec { token: bearer.reveal(), audiences: &self.audiences };
        let review =
            TokenReview { api_version: "authentication.k8s.io/v1", kind: "TokenReview", spec };
        let reviewed: Reviewed = self.create(Question { what, path }, &review).await?;
        let status = reviewed.status.ok_or(ApiServerError::Incomplete { what, field: "status" })?;
        if !status.authenticated {
            return Err(TokenError::Unknown);
        }
        // A server that does not know of audiences would answer without any.
        let answered = status.audiences.unwrap_or_default();
        if !self.audiences.is_empty() && !answered.iter().any(|one| self.audiences.contains(one)) {
            return Err(TokenError::Audience);
        }
        let user = status.user.ok_or(ApiServerError::Incomplete { what, field: "user" })?;
        if !user.username.starts_with(SERVICE_ACCOUNT) {
            return Err(TokenError::OtherUser { user: user.username });
        }
        Ok(Identity {
            user: user.username,
            uid: user.uid.filter(|uid| !uid.is_empty()),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default(),
            proof: Proof::ServiceAccountToken { digest: digest.to_owned() },
            expires_at: claimed_end(bearer),
        })
    }
}

/// `exp` of a token that the API server has accepted. Tokens of the old kind, in Secrets, have none.
fn claimed_end(bearer: &Bearer) -> Option<i64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<i64>,
    }
    let payload = bearer.reveal().split('.').nth(1)?;
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    serde_json::from_slice::<Claims>(&payload).ok()?.exp
}
