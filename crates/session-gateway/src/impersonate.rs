//! How the API server learns who the caller is.
//!
//! One header for each group: the API server takes a header's whole value as one name. Keys of extra values are
//! lower-case and percent-encoded, because header names cannot hold `/` (and it decodes them again).

use crate::reply::Failure;
use access_model::Identity;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use session_record::SessionId;

/// By it the cluster knows that a privileged call is recorded, and in which session.
pub(crate) const SESSION_KEY: &str = "weir.dev/session";

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
const EXTRA: &str = "impersonate-extra-";
/// What may stand in a header's name as it is, beside letters and digits (RFC 9110, 5.6.2, without `%`).
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Adds the caller, and the session where there is one. The client's own headers of that kind were refused.
pub(crate) fn add(
    headers: &mut HeaderMap,
    identity: &Identity,
    session: Option<SessionId>,
) -> Result<(), Failure> {
    headers.insert(USER, value(&identity.user)?);
    for group in &identity.groups {
        headers.append(GROUP, value(group)?);
    }
    if let Some(uid) = &identity.uid {
        headers.insert(UID, value(uid)?);
    }
    for (key, values) in &identity.extra {
        if key.eq_ignore_ascii_case(SESSION_KEY) {
            return Err(unusable(key));
        }
        let name = extra_name(key)?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    match session {
        Some(session) => add_session(headers, session),
        None => Ok(()),
    }
}

/// Adds the session that a call belongs to.
pub(crate) fn add_session(headers: &mut HeaderMap, session: SessionId) -> Result<(), Failure> {
    headers.insert(extra_name(SESSION_KEY)?, value(&session.to_string())?);
    Ok(())
}

fn extra_name(key: &str) -> Result<HeaderName, Failure> {
    let key = key.to_ascii_lowercase();
    let name = format!("{EXTRA}{}", utf8_percent_encode(&key, IN_NAME));
    HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| unusable(&key))
}

/// Control characters cannot be said in a header. Blanks at its ends are no part of a value (RFC 9110, 5.5), so
/// that ` admin` would arrive as `admin`; and nobody's name is empty.
fn value(text: &str) -> Result<HeaderValue, Failure> {
    if text.is_empty() || text != text.trim() {
        return Err(unusable(text));
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_invalid| unusable(text))
}

fn unusable(text: &str) -> Failure {
    let message = format!("your identity has {text:?}, which cannot be told to the API server");
    Failure::forbidden(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use access_model::Proof;
    use expect_test::expect;

    #[test]
    fn names_that_a_header_would_change_are_refused() {
        let refused = ["", " admin", "admin\t", "a\r\nimpersonate-group: x", "\u{a0}x"].map(value);
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        assert_eq!(value("system:serviceaccount:a:b").unwrap(), "system:serviceaccount:a:b");
    }

    #[test]
    fn groups_have_headers_of_their_own_and_keys_are_encoded() {
        let identity = Identity {
            user: "jörg".to_owned(),
            uid: Some("7".to_owned()),
            groups: vec!["a,b".to_owned(), "system:authenticated".to_owned()],
            extra: [("Example.org/Scopes".to_owned(), vec!["x".to_owned(), "y".to_owned()])].into(),
            proof: Proof::ClientCertificate { fingerprint: String::new() },
            expires_at: None,
        };
        let mut headers = HeaderMap::new();
        add(&mut headers, &identity, Some(SessionId(1))).unwrap();
        let lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        expect![[r#"
            impersonate-user: jörg
            impersonate-group: a,b
            impersonate-group: system:authenticated
            impersonate-uid: 7
            impersonate-extra-example.org%2fscopes: x
            impersonate-extra-example.org%2fscopes: y
            impersonate-extra-weir.dev%2fsession: 00000000-0000-0000-0000-000000000001"#]]
        .assert_eq(&lines.join("\n"));
    }
}
