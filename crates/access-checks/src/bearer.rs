//! Tokens that callers bring. A token is as good as its owner until it ends, so none is ever printed.

use crate::digest;
use access_model::BEARER_PROTOCOL;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

const LONGEST_TOKEN: usize = 32 << 10;

/// A token. It is overwritten when it is dropped, and its text is reached by [`Bearer::reveal`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(Zeroizing<String>);

/// Why a request's token cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BearerError {
    #[error("the Authorization header is given more than once")]
    SeveralHeaders,
    #[error("the Authorization header is no bearer token")]
    OtherScheme,
    #[error(
        "a bearer token is in the Authorization header and in a WebSocket sub-protocol, or in several of them"
    )]
    SeveralPlaces,
    #[error("the bearer token in a WebSocket sub-protocol is not encoded as base64url")]
    Encoding,
    #[error(
        "the bearer token is empty, longer than {LONGEST_TOKEN} bytes, or has characters that no token has"
    )]
    Characters,
}

impl Bearer {
    /// # Errors
    /// Text that is no token.
    pub fn new(token: impl Into<String>) -> Result<Self, BearerError> {
        let token = Zeroizing::new(token.into());
        let fits = !token.is_empty() && token.len() <= LONGEST_TOKEN;
        let fits = fits && token.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(token)) } else { Err(BearerError::Characters) }
    }

    /// The token of a request: in `Authorization`, or where browsers must put it, in a WebSocket sub-protocol.
    ///
    /// # Errors
    /// More than one, or one that cannot be read.
    pub fn of_headers(headers: &[(&str, &[u8])]) -> Result<Option<Self>, BearerError> {
        let named = |name: &'static str| {
            headers.iter().filter(move |(other, _)| other.eq_ignore_ascii_case(name))
        };
        let mut authorizations = named("authorization").map(|(_, value)| *value);
        let first = authorizations.next();
        if authorizations.next().is_some() {
            return Err(BearerError::SeveralHeaders);
        }
        let mut found = first.map(of_authorization).transpose()?;
        for (_, value) in named("sec-websocket-protocol") {
            for protocol in value.split(|byte| *byte == b',') {
                let Some(encoded) = protocol.trim_ascii().strip_prefix(BEARER_PROTOCOL.as_bytes())
                else {
                    continue;
                };
                if found.is_some() {
                    return Err(BearerError::SeveralPlaces);
                }
                found = Some(of_protocol(encoded)?);
            }
        }
        Ok(found)
    }

    /// Lower-case hexadecimal SHA-256: what logs and recordings may hold.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::hexadecimal(self.0.as_bytes())
    }

    /// The token itself, to be sent or verified.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The `iss` that the token claims, to know whom to ask. Nothing is proven by it.
    #[must_use]
    pub fn claimed_issuer(&self) -> Option<String> {
        let payload = self.0.split('.').nth(1)?;
        let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
        #[derive(serde::Deserialize)]
        struct Claims {
            iss: String,
        }
        serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.iss)
    }
}

fn of_authorization(value: &[u8]) -> Result<Bearer, BearerError> {
    let text = str::from_utf8(value).map_err(|_invalid| BearerError::Characters)?.trim();
    let (scheme, token) = text.split_once(' ').ok_or(BearerError::OtherScheme)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BearerError::OtherScheme);
    }
    Bearer::new(token.trim_start())
}

fn of_protocol(encoded: &[u8]) -> Result<Bearer, BearerError> {
    let decoded = URL_SAFE_NO_PAD.decode(encoded).map_err(|_invalid| BearerError::Encoding)?;
    let decoded = Zeroizing::new(decoded);
    let token = str::from_utf8(&decoded).map_err(|_invalid| BearerError::Characters)?;
    Bearer::new(token)
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Option<String>, BearerError> {
        let headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        Ok(Bearer::of_headers(&headers)?.map(|bearer| bearer.reveal().to_owned()))
    }

    #[test]
    fn a_token_is_in_one_place() {
        let protocol = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YS5iLmM";
        let found = Ok(Some("a.b.c".to_owned()));
        assert_eq!(read(&[("accept", "x")]), Ok(None));
        assert_eq!(read(&[("Authorization", "Bearer a.b.c")]), found);
        assert_eq!(read(&[("authorization", "bearer  a.b.c ")]), found);
        assert_eq!(read(&[("sec-websocket-protocol", protocol)]), found);
        assert_eq!(
            read(&[("authorization", "Bearer a"), ("sec-websocket-protocol", protocol)]),
            Err(BearerError::SeveralPlaces)
        );
        assert_eq!(
            read(&[("sec-websocket-protocol", protocol), ("sec-websocket-protocol", protocol)]),
            Err(BearerError::SeveralPlaces)
        );
        assert_eq!(
            read(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]),
            Err(BearerError::SeveralHeaders)
        );
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!(read(&[("authorization", "Basic YTpi")]), Err(BearerError::OtherScheme));
        assert_eq!(read(&[("authorization", "Bearer")]), Err(BearerError::OtherScheme));
        assert_eq!(read(&[("authorization", "Bearer a b")]), Err(BearerError::Characters));
        let padded = "base64url.bearer.authorization.k8s.io.YQ==";
        assert_eq!(read(&[("sec-websocket-protocol", padded)]), Err(BearerError::Encoding));
        assert_eq!(Bearer::new("x".repeat(LONGEST_TOKEN + 1)), Err(BearerError::Characters));
        assert_eq!(Bearer::new(""), Err(BearerError::Characters));
    }

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", Bearer::new("secret").unwrap()), "Bearer(…)");
    }

    #[test]
    fn a_claimed_issuer_is_read_where_there_is_one() {
        // {"iss":"https://id.example"}
        let bearer = Bearer::new("e30.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.x").unwrap();
        assert_eq!(bearer.claimed_issuer().as_deref(), Some("https://id.example"));
        for other in ["opaque", "a.b.c", "e30.e30.x"] {
            assert_eq!(Bearer::new(other).unwrap().claimed_issuer(), None);
        }
    }
}
