//! What an API server says: of a token, of what somebody may do, of a pod. Asked as the gateway itself.
//!
//! Whatever is not a clear yes is an error or a no: a status other than the expected one, an answer that is too
//! long, cannot be read, or comes too late.

mod config;
mod pod;
mod remembered;
mod review;
mod token;

pub use config::{ApiServerConfig, ApiServerConfigError, Credential};
pub use review::Permission;
pub use token::TokenError;

use crate::http::{self, BodyError};
use remembered::Remembered;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::{fmt, io};
use thiserror::Error;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// More questions than these wait, so that a flood of tokens is no flood of reviews.
const MOST_QUESTIONS: usize = 64;
/// etcd takes objects of 1.5 MiB; as JSON they are longer.
const LONGEST_ANSWER: usize = 4 << 20;
const LONGEST_TOKEN: u64 = 64 << 10;

/// A cluster's API server, to which the gateway has an identity of its own.
pub struct ApiServer {
    cluster: String,
    /// With the base path, without a slash at its end.
    server: String,
    client: Client,
    token_file: Option<PathBuf>,
    audiences: Vec<String>,
    questions: Semaphore,
    remembered: Remembered,
}

/// Why the API server gave no answer that can be used.
#[derive(Debug, Error)]
pub enum ApiServerError {
    #[error("the API server of cluster {cluster} could not be asked for {what}")]
    Ask {
        cluster: String,
        what: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("the API server of cluster {cluster} answered {status} when it was asked for {what}")]
    Status { cluster: String, what: &'static str, status: StatusCode },
    #[error("the API server's answer about {what} is longer than {LONGEST_ANSWER} bytes")]
    TooLong { what: &'static str },
    #[error("the API server's answer about {what} could not be read")]
    Unreadable {
        what: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the API server's answer about {what} has no {field}")]
    Incomplete { what: &'static str, field: &'static str },
    #[error("the gateway's own token in {path} could not be read")]
    OwnToken {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the gateway's own token in {path} is empty, too long, or no token")]
    OwnTokenText { path: PathBuf },
    #[error("{text} cannot be in the path of a question")]
    Name { text: String },
}

/// A question: its words for errors, and where it is asked.
#[derive(Debug, Clone, Copy)]
struct Question<'question> {
    what: &'static str,
    path: &'question str,
}

impl ApiServer {
    /// # Errors
    /// A configuration that is not possible. Nothing is asked yet.
    pub fn new(config: ApiServerConfig) -> Result<Self, ApiServerConfigError> {
        config::open(config)
    }

    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The answer to a GET; `None` where there is no such object.
    async fn find<T: DeserializeOwned>(
        &self,
        question: Question<'_>,
    ) -> Result<Option<T>, ApiServerError> {
        self.ask(Method::GET, question, None::<&()>).await
    }

    /// The answer to a POST, which is what was created.
    async fn create<B: Serialize, T: DeserializeOwned>(
        &self,
        question: Question<'_>,
        body: &B,
    ) -> Result<T, ApiServerError> {
        let answer = self.ask(Method::POST, question, Some(body)).await?;
        let status = StatusCode::NOT_FOUND;
        let cluster = self.cluster.clone();
        answer.ok_or(ApiServerError::Status { cluster, what: question.what, status })
    }

    async fn ask<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        question: Question<'_>,
        body: Option<&B>,
    ) -> Result<Option<T>, ApiServerError> {
        let Question { what, path } = question;
        let cluster = || self.cluster.clone();
        let ask = |source: reqwest::Error| ApiServerError::Ask {
            cluster: cluster(),
            what,
            source: source.without_url(),
        };
        // It is never closed, so that there is always a turn.
        let _turn = self.questions.acquire().await;
        let mut request = self.client.request(method, format!("{}{path}", self.server));
        if let Some(value) = self.own_token().await? {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(ask)?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(ApiServerError::Status { cluster: cluster(), what, status }),
        }
        let body = http::body(response, LONGEST_ANSWER).await.map_err(|error| match error {
            BodyError::Read(source) => ask(source),
            BodyError::TooLong => ApiServerError::TooLong { what },
        })?;
        let answer = serde_json::from_slice(&body);
        answer.map(Some).map_err(|source| ApiServerError::Unreadable { what, source })
    }

    /// Read each time: such files are replaced while the gateway runs.
    async fn own_token(&self) -> Result<Option<HeaderValue>, ApiServerError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let token = config::read_token(path, LONGEST_TOKEN).await;
        let token =
            token.map_err(|source| ApiServerError::OwnToken { path: path.clone(), source })?;
        let header = Zeroizing::new(format!("Bearer {}", token.trim()));
        let value = HeaderValue::from_str(&header).ok().filter(|_| !token.trim().is_empty());
        let mut value = value.ok_or_else(|| ApiServerError::OwnTokenText { path: path.clone() })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer")
            .field("cluster", &self.cluster)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
