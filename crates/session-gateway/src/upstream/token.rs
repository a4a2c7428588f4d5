//! The gateway's token, from a file that something else renews.

use super::UpstreamError;
use http::HeaderValue;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tokens are renewed at four fifths of their life, which is at least ten minutes.
const READ_AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    known: Mutex<Option<(Instant, HeaderValue)>>,
}

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, known: Mutex::new(None) }
    }

    /// The header's value, marked as sensitive.
    pub(super) async fn header(&self) -> Result<HeaderValue, UpstreamError> {
        if let Some((read, header)) = &*self.known.lock().unwrap_or_else(PoisonError::into_inner)
            && read.elapsed() < READ_AGAIN
        {
            return Ok(header.clone());
        }
        let text = tokio::fs::read_to_string(&self.path).await;
        let text =
            text.map_err(|source| UpstreamError::Token { path: self.path.clone(), source })?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", text.trim()))
            .map_err(|_invalid| UpstreamError::TokenText { path: self.path.clone() })?;
        header.set_sensitive(true);
        let known = (Instant::now(), header.clone());
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(header)
    }
}
