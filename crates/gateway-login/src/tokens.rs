//! What a provider gave.

use crate::SignIn;
use crate::provider::LoginError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use std::fmt;
use zeroize::Zeroizing;

/// An ID token, and what gets the next one. They are overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    pub id_token: Zeroizing<String>,
    pub refresh_token: Option<Zeroizing<String>>,
    /// The second (since 1970, UTC) at which the ID token ends.
    pub expires_at: i64,
}

#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    id_token: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Value,
    exp: f64,
    nonce: Option<String>,
}

impl Tokens {
    /// Compares what has to be as it was asked for. Whether the signature is the issuer's, the gateway says.
    pub(crate) fn of(
        answer: TokenAnswer,
        sign_in: &SignIn,
        nonce: Option<&str>,
    ) -> Result<Self, LoginError> {
        let refresh_token = answer.refresh_token.map(Zeroizing::new);
        let id_token = Zeroizing::new(answer.id_token.ok_or(LoginError::NoIdToken)?);
        let claims = claims(&id_token).ok_or(LoginError::NoIdToken)?;
        if claims.iss != sign_in.issuer {
            return Err(LoginError::Claim { claim: "issuer" });
        }
        let is_client = |value: &Value| value.as_str() == Some(&sign_in.client_id);
        let is_ours = match claims.aud.as_array() {
            Some(all) => all.iter().any(is_client),
            None => is_client(&claims.aud),
        };
        if !is_ours {
            return Err(LoginError::Claim { claim: "audience" });
        }
        if nonce.is_some() && claims.nonce.as_deref() != nonce {
            return Err(LoginError::Claim { claim: "nonce" });
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "as far as it goes, which is an end as well"
        )]
        let expires_at = claims.exp as i64;
        Ok(Self { id_token, refresh_token, expires_at })
    }
}

fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    serde_json::from_slice(&payload).ok()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(claims: &Value, nonce: Option<&str>) -> Result<i64, String> {
        let sign_in = SignIn {
            issuer: "https://id.example".to_owned(),
            client_id: "weir".to_owned(),
            scopes: Vec::new(),
            authority: None,
        };
        let id_token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let answer = TokenAnswer { id_token: Some(id_token), refresh_token: None };
        Tokens::of(answer, &sign_in, nonce)
            .map(|tokens| tokens.expires_at)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_token_has_to_be_the_one_that_was_asked_for() {
        let good = json!({ "iss": "https://id.example", "aud": "weir", "exp": 7.9, "nonce": "n" });
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        let no = |claim: &str| Err(format!("the issuer's ID token has no {claim} that fits"));
        let none = "the issuer gave no ID token; its client must be one for OpenID Connect";
        assert_eq!(of(&good, Some("n")), Ok(7));
        assert_eq!(of(&good, None), Ok(7));
        assert_eq!(of(&with("aud", json!(["x", "weir"])), Some("n")), Ok(7));
        assert_eq!(of(&with("aud", json!(["x"])), Some("n")), no("audience"));
        assert_eq!(of(&with("iss", json!("https://id.example/")), Some("n")), no("issuer"));
        assert_eq!(of(&with("nonce", json!("other")), Some("n")), no("nonce"));
        assert_eq!(of(&with("nonce", Value::Null), Some("n")), no("nonce"));
        assert_eq!(of(&with("exp", Value::Null), Some("n")), Err(none.to_owned()));
    }

    #[test]
    fn tokens_are_not_printed() {
        let secret = || Zeroizing::new("secret".to_owned());
        let tokens = Tokens { id_token: secret(), refresh_token: Some(secret()), expires_at: 7 };
        assert_eq!(format!("{tokens:?}"), "Tokens { expires_at: 7, .. }");
    }
}
