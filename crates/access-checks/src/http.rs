//! What all clients here have in common: certificates that are trusted by name, no redirects, time limits, and
//! bodies that end.

use reqwest::{Certificate, Client, ClientBuilder, Response, redirect};
use std::time::Duration;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A client that trusts only `authority` (PEM), or what the system trusts where there is none.
pub(crate) fn builder(
    authority: Option<&[u8]>,
    limit: Duration,
) -> Result<ClientBuilder, reqwest::Error> {
    let builder = Client::builder()
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_LIMIT.min(limit))
        .timeout(limit)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    Ok(match authority {
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem)?),
        None => builder,
    })
}

#[derive(Debug)]
pub(crate) enum BodyError {
    Read(reqwest::Error),
    TooLong,
}

/// The body, if it is no longer than `longest`.
pub(crate) async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| BodyError::Read(error.without_url()))?
    {
        if body.len() + chunk.len() > longest {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
