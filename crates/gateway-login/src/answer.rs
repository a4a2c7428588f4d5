//! Answers of a provider: bounded in time and length, JSON, and never from elsewhere.

use crate::provider::LoginError;
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const LONGEST_ANSWER: usize = 256 << 10;
/// Of a provider's own words, as much as a person reads.
const LONGEST_WORDS: usize = 300;

pub(crate) fn client(authority: Option<&[u8]>) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .https_only(true)
        .redirect(redirect::Policy::none())
        .timeout(ANSWER_WITHIN)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    let builder = match authority {
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
        None => builder,
    };
    builder.build()
}

/// What a provider says when it does not do what it was asked (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    error_description: Option<String>,
}

/// Asks for `what` and reads the answer.
pub(crate) async fn answer<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
) -> Result<T, LoginError> {
    let ask = |source: reqwest::Error| LoginError::Ask { what, source: source.without_url() };
    let mut response = request.send().await.map_err(ask)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ask)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(LoginError::TooLong { what });
        }
        body.extend_from_slice(&chunk);
    }
    if status != StatusCode::OK {
        return Err(match serde_json::from_slice::<Refused>(&body) {
            Ok(Refused { error, error_description }) => {
                LoginError::refused(&error, error_description.as_deref())
            }
            Err(_) => LoginError::Status { what, status },
        });
    }
    serde_json::from_slice(&body).map_err(|source| LoginError::Unreadable { what, source })
}

impl LoginError {
    pub(crate) fn refused(error: &str, words: Option<&str>) -> Self {
        let cut = |text: &str| text.chars().take(LONGEST_WORDS).collect::<String>();
        let words = words.filter(|words| !words.is_empty());
        Self::Refused {
            error: cut(error),
            words: words.map_or_else(String::new, |words| format!(": {}", cut(words))),
        }
    }
}
