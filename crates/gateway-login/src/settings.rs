//! What a sign-in is for.

use url::Url;

/// A sign-in: to which provider, as which of its clients, and what is wanted to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Exactly as tokens have it in `iss`; `https`.
    pub issuer: String,
    /// A public client of the provider, for which a gateway takes tokens.
    pub client_id: String,
    /// Besides `openid`.
    pub scopes: Vec<String>,
    /// Certificates (PEM) by which the provider's server is trusted; the system's if `None`.
    pub authority: Option<Vec<u8>>,
}

impl SignIn {
    /// As the request has them; each once.
    pub(crate) fn scope(&self) -> String {
        let mut scopes = vec!["openid"];
        for scope in &self.scopes {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
        scopes.join(" ")
    }

    /// Whether the provider is asked for a token that refreshes others.
    pub(crate) fn wants_refresh(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "offline_access")
    }
}

/// `https://` without anything that would be sent along.
pub(crate) fn is_https(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    })
}
