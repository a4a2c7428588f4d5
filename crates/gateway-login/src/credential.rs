//! What kubectl says to a credential plug-in, and what it is answered (`client.authentication.k8s.io`).

use crate::Tokens;
use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use zeroize::Zeroizing;

const GROUP: &str = "client.authentication.k8s.io";
/// They are the same for what is said here.
const VERSIONS: [&str; 2] =
    ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// `KUBERNETES_EXEC_INFO` of a plug-in's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecQuestion {
    version: &'static str,
    /// Whether somebody is there who can be asked.
    pub is_interactive: bool,
}

#[derive(Debug, Error)]
pub enum CredentialError {
    #[error("what kubectl says to its plug-in could not be read")]
    Unreadable(#[source] serde_json::Error),
    #[error(
        "kubectl asks for version {found} of {GROUP}, of which v1 and v1beta1 are known; write the kubeconfig anew"
    )]
    Version { found: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    api_version: String,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    interactive: bool,
}

impl ExecQuestion {
    /// Where it is not set, a person started the command.
    ///
    /// # Errors
    /// Something else than kubectl says.
    pub fn read(text: Option<&str>) -> Result<Self, CredentialError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            let [version, _] = VERSIONS;
            return Ok(Self { version, is_interactive: true });
        };
        let asked: Asked = serde_json::from_str(text).map_err(CredentialError::Unreadable)?;
        let version = VERSIONS.into_iter().find(|version| *version == asked.api_version);
        let found = asked.api_version.chars().take(80).collect();
        let version = version.ok_or(CredentialError::Version { found })?;
        Ok(Self { version, is_interactive: asked.spec.interactive })
    }
}

/// The answer. kubectl asks again when the time in it has come.
#[must_use]
pub fn credential(info: &ExecQuestion, tokens: &Tokens) -> Zeroizing<String> {
    let ends = DateTime::from_timestamp(tokens.expires_at, 0);
    let ends = ends.map(|ends| ends.to_rfc3339_opts(SecondsFormat::Secs, true));
    let answer = json!({
        "apiVersion": info.version,
        "kind": "ExecCredential",
        "status": { "token": tokens.id_token.as_str(), "expirationTimestamp": ends },
    });
    Zeroizing::new(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_in_the_version_of_the_question() {
        let tokens = Tokens {
            id_token: Zeroizing::new("a.b.c".to_owned()),
            refresh_token: Some(Zeroizing::new("secret".to_owned())),
            expires_at: 1_800_000_000,
        };
        for version in VERSIONS {
            let asked = format!(
                r#"{{"apiVersion":"{version}","kind":"ExecCredential","spec":{{"interactive":true,"cluster":{{"server":"https://x"}}}}}}"#
            );
            let info = ExecQuestion::read(Some(&asked)).unwrap();
            assert!(info.is_interactive);
            let expected = format!(
                r#"{{"apiVersion":"{version}","kind":"ExecCredential","status":{{"expirationTimestamp":"2027-01-15T08:00:00Z","token":"a.b.c"}}}}"#
            );
            assert_eq!(credential(&info, &tokens).as_str(), expected);
        }
    }

    #[test]
    fn nobody_is_asked_where_kubectl_says_that_nobody_is_there() {
        let v1 = r#"{"apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}"#;
        assert!(!ExecQuestion::read(Some(v1)).unwrap().is_interactive);
        let v1 = r#"{"apiVersion":"client.authentication.k8s.io/v1"}"#;
        assert!(!ExecQuestion::read(Some(v1)).unwrap().is_interactive);
        assert!(ExecQuestion::read(None).unwrap().is_interactive);
        assert!(ExecQuestion::read(Some("{}")).is_err());
        let v9 = r#"{"apiVersion":"client.authentication.k8s.io/v9"}"#;
        assert!(ExecQuestion::read(Some(v9)).unwrap_err().to_string().contains("k8s.io/v9"));
    }
}
