//! A provider that was found by its issuer, and what it is asked for.

use crate::answer::{answer, client};
use crate::settings::is_https;
use crate::tokens::TokenAnswer;
use crate::{SignIn, Tokens};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::io;
use thiserror::Error;

/// An OpenID Connect provider, for one sign-in.
#[derive(Debug)]
pub struct Provider {
    pub(crate) sign_in: SignIn,
    client: Client,
    pub(crate) places: Places,
}

/// Where it is asked for what (OpenID Connect Discovery 1.0; RFC 8628, 4).
#[derive(Debug, Deserialize)]
pub(crate) struct Places {
    issuer: String,
    pub(crate) authorization_endpoint: Option<String>,
    token_endpoint: String,
    pub(crate) device_authorization_endpoint: Option<String>,
}

/// Why nobody was signed in.
#[derive(Debug, Error)]
pub enum LoginError {
    #[error("the issuer {issuer} is no https URL")]
    Issuer { issuer: String },
    #[error("the authority's certificates for the issuer could not be used")]
    Authority(#[source] reqwest::Error),
    #[error("the issuer could not be asked for {what}")]
    Ask {
        what: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("the issuer answered {status} when it was asked for {what}")]
    Status { what: &'static str, status: StatusCode },
    #[error("the issuer's answer about {what} is too long")]
    TooLong { what: &'static str },
    #[error("the issuer's answer about {what} could not be read")]
    Unreadable {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the issuer refused: {error}{words}")]
    Refused { error: String, words: String },
    #[error("the server at the issuer's address says that it is {found}")]
    OtherIssuer { found: String },
    #[error("the issuer's {what} is no https URL")]
    Place { what: &'static str },
    #[error("the issuer has no {what}; sign in {instead}")]
    NoPlace { what: &'static str, instead: &'static str },
    #[error("no port of this machine's loopback could be listened on")]
    Listen(#[source] io::Error),
    #[error("the system has no randomness")]
    Randomness,
    #[error("nobody signed in within {minutes} minutes")]
    TooLate { minutes: u64 },
    #[error("the issuer gave no ID token; its client must be one for OpenID Connect")]
    NoIdToken,
    #[error("the issuer's ID token has no {claim} that fits")]
    Claim { claim: &'static str },
}

impl LoginError {
    /// Whether what was kept is of no use any more: somebody has to sign in anew. Some providers give an ID token only
    /// to who signs in.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        matches!(self, Self::NoIdToken)
            || matches!(self, Self::Refused { error, .. } if error == "invalid_grant")
    }
}

impl Provider {
    /// # Errors
    /// There is no provider at the issuer's address, or it says that it is another one.
    pub async fn find(sign_in: SignIn) -> Result<Self, LoginError> {
        if !is_https(&sign_in.issuer) {
            return Err(LoginError::Issuer { issuer: sign_in.issuer });
        }
        let client = client(sign_in.authority.as_deref()).map_err(LoginError::Authority)?;
        let place = sign_in.issuer.trim_end_matches('/');
        let request = client.get(format!("{place}/.well-known/openid-configuration"));
        let places: Places = answer("its description", request).await?;
        if places.issuer != sign_in.issuer {
            return Err(LoginError::OtherIssuer { found: places.issuer });
        }
        let named = [
            ("authorization endpoint", places.authorization_endpoint.as_deref()),
            ("token endpoint", Some(places.token_endpoint.as_str())),
            ("endpoint for devices", places.device_authorization_endpoint.as_deref()),
        ];
        for (what, url) in named {
            if url.is_some_and(|url| !is_https(url)) {
                return Err(LoginError::Place { what });
            }
        }
        Ok(Self { sign_in, client, places })
    }

    /// New tokens for one that refreshes.
    ///
    /// # Errors
    /// The issuer refused, which may be because the sign-in is over, or gave no answer that can be used.
    pub async fn refresh(&self, tokens: &Tokens) -> Result<Tokens, LoginError> {
        let Some(refresh) = tokens.refresh_token.as_ref() else {
            return Err(LoginError::refused("invalid_grant", None));
        };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let mut fresh = self.tokens(&form, None).await?;
        // Providers that do not change it do not say it again.
        fresh.refresh_token = fresh.refresh_token.or_else(|| tokens.refresh_token.clone());
        Ok(fresh)
    }

    pub(crate) async fn tokens(
        &self,
        form: &[(&str, &str)],
        nonce: Option<&str>,
    ) -> Result<Tokens, LoginError> {
        let answer: TokenAnswer = self.ask("tokens", &self.places.token_endpoint, form).await?;
        Tokens::of(answer, &self.sign_in, nonce)
    }

    /// As the client that it is.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        what: &'static str,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<T, LoginError> {
        let mut all = vec![("client_id", self.sign_in.client_id.as_str())];
        all.extend_from_slice(form);
        answer(what, self.client.post(url).form(&all)).await
    }
}
