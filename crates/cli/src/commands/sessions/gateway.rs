//! A gateway's console, for the commands that need a gateway: its API is in docs/sessions-api.md.
//!
//! Who the caller is, is proven to it as to the gateway itself: with a certificate or a token.

use super::folder::{failed, read_text};
use crate::exit::ExpectedError;
use report_formats::visible;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Identity, Method, Response, Url, redirect};
use serde_json::Value;
use session_record::SessionId;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::Runtime;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The gateway waits for what was asked for up to 10 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Of an answer that is no stream.
const ANSWER_BYTES: usize = 16 << 20;

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Gateway")]
pub(crate) struct GatewayArgs {
    /// The address of the gateway's console: https://HOST:PORT
    #[arg(long, value_name = "URL", env = "WEIR_GATEWAY")]
    pub(crate) gateway: Option<String>,
    /// Whom to trust for its certificate (PEM), instead of whom the system trusts
    #[arg(long, value_name = "FILE", env = "WEIR_GATEWAY_CA")]
    ca: Option<PathBuf>,
    /// The certificate that proves who you are (PEM)
    #[arg(long, value_name = "FILE", env = "WEIR_CLIENT_CERT", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", env = "WEIR_CLIENT_KEY", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// A file with the token that proves who you are
    #[arg(long, value_name = "FILE", env = "WEIR_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// A connection to a console.
#[derive(Debug)]
pub(crate) struct Gateway {
    base: Url,
    client: Client,
    runtime: Runtime,
}

#[derive(Debug, Error)]
enum GatewayError {
    #[error("could not ask the gateway at {host}")]
    Ask {
        host: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the gateway refused: {message} ({code})")]
    Refused { code: String, message: String },
    #[error("the gateway's answer is not as docs/sessions-api.md says: {why}")]
    Answer { why: String },
}

impl GatewayArgs {
    /// For commands that only a gateway can do.
    pub(crate) fn open(&self) -> Result<Gateway, ExpectedError> {
        let usage = |text: String| ExpectedError::Usage(text);
        let Some(text) = &self.gateway else {
            let help =
                "only the gateway can do that: name its console with --gateway https://HOST:PORT";
            return Err(usage(help.to_owned()));
        };
        let wrong = || usage(format!("`{text}` is no console: write https://HOST:PORT"));
        let base = Url::parse(text).or(Err(wrong()))?;
        if base.scheme() != "https" || base.host().is_none() || base.cannot_be_a_base() {
            return Err(wrong());
        }
        let mut builder = Client::builder()
            .https_only(true)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_WITHIN)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers()?);
        if let Some(path) = &self.ca {
            let pem = read_text(path)?;
            let trusted = Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?;
            builder = builder.tls_certs_only(trusted);
        }
        if let (Some(certificate), Some(key)) = (&self.client_cert, &self.client_key) {
            let pem = format!("{}\n{}", read_text(key)?, read_text(certificate)?);
            builder = builder.identity(Identity::from_pem(pem.as_bytes()).map_err(failed)?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Gateway { base, client: builder.build().map_err(failed)?, runtime })
    }

    fn headers(&self) -> Result<HeaderMap, ExpectedError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(path) = &self.token_file {
            let token = read_text(path)?;
            let bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()));
            let mut bearer = bearer.map_err(|_unfit| {
                ExpectedError::Usage(format!("{} holds no token", path.display()))
            })?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(headers)
    }
}

impl Gateway {
    /// A session by its id, or by the beginning of it among the newest.
    pub(crate) fn find(&self, id: &str) -> Result<SessionId, ExpectedError> {
        if let Ok(session) = id.parse() {
            return Ok(session);
        }
        let list = self.json("sessions?limit=500")?;
        let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice);
        let ids = items.unwrap_or_default().iter().filter_map(|item| item.get("session")?.as_str());
        let mut found = ids.filter(|found| found.starts_with(id));
        let no = |why: &str| ExpectedError::Usage(format!("{why} `{id}`: write all of its id"));
        match (found.next(), found.next()) {
            (Some(one), None) => one.parse().or(Err(no("no session is called"))),
            (Some(_), Some(_)) => Err(no("more than one session begins with")),
            (None, _) => Err(no("none of the newest sessions begins with")),
        }
    }

    /// Has the gateway do something to a session, and waits until it has.
    pub(crate) fn act(
        &self,
        session: SessionId,
        what: &str,
        body: &Value,
    ) -> Result<(), ExpectedError> {
        self.send(Method::POST, session, what, body)
    }

    /// Has it take back what it did.
    pub(crate) fn take_back(
        &self,
        session: SessionId,
        what: &str,
        body: &Value,
    ) -> Result<(), ExpectedError> {
        self.send(Method::DELETE, session, what, body)
    }

    fn send(
        &self,
        method: Method,
        session: SessionId,
        what: &str,
        body: &Value,
    ) -> Result<(), ExpectedError> {
        let path = format!("sessions/{session}/{what}");
        self.runtime.block_on(async {
            let request = self.client.request(method, self.url(&path)?);
            self.answered(request.timeout(ANSWER_WITHIN).json(body)).await.map(drop)
        })
    }

    pub(crate) fn json(&self, path: &str) -> Result<Value, ExpectedError> {
        self.runtime.block_on(async {
            let request = self.client.request(Method::GET, self.url(path)?);
            let answer = self.answered(request.timeout(ANSWER_WITHIN)).await?;
            serde_json::from_slice(&self.body(answer).await?).map_err(|why| not_as_said(&why))
        })
    }

    /// Gives the lines of an answer as they come, until it ends or `each` has enough.
    pub(crate) fn lines(
        &self,
        path: &str,
        longest: usize,
        mut each: impl FnMut(&str) -> Result<Lines, ExpectedError>,
    ) -> Result<(), ExpectedError> {
        self.runtime.block_on(async {
            let request = self.client.request(Method::GET, self.url(path)?);
            let mut answer = self.answered(request).await?;
            let mut rest = Vec::new();
            while let Some(more) = answer.chunk().await.map_err(|why| self.not_asked(why))? {
                rest.extend_from_slice(&more);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    if each(String::from_utf8_lossy(&line).trim_end())? == Lines::Enough {
                        return Ok(());
                    }
                }
                if rest.len() > longest {
                    return Err(not_as_said(&"a line is too long"));
                }
            }
            Ok(())
        })
    }

    fn url(&self, path: &str) -> Result<Url, ExpectedError> {
        self.base.join(&format!("/api/v1/{path}")).map_err(failed)
    }

    async fn answered(&self, request: reqwest::RequestBuilder) -> Result<Response, ExpectedError> {
        let answer = request.send().await.map_err(|why| self.not_asked(why))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said: Value = serde_json::from_slice(&self.body(answer).await?).unwrap_or(Value::Null);
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let (Some(code), Some(message)) = (text("code"), text("message")) else {
            return Err(not_as_said(&format!("status {status}")));
        };
        let (code, message) = (visible(code).into_owned(), visible(message).into_owned());
        Err(failed(GatewayError::Refused { code, message }))
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, ExpectedError> {
        let mut body = Vec::new();
        while let Some(more) = answer.chunk().await.map_err(|why| self.not_asked(why))? {
            body.extend_from_slice(&more);
            if body.len() > ANSWER_BYTES {
                return Err(not_as_said(&"it is too long"));
            }
        }
        Ok(body)
    }

    fn not_asked(&self, source: reqwest::Error) -> ExpectedError {
        let host = self.base.host_str().unwrap_or_default().to_owned();
        failed(GatewayError::Ask { host, source: source.without_url() })
    }
}

/// Whether more lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    More,
    Enough,
}

fn not_as_said(why: &dyn std::fmt::Display) -> ExpectedError {
    failed(GatewayError::Answer { why: why.to_string() })
}
