//! Why a request is not sent on, although nobody was asked whether it may be.

use thiserror::Error;

/// A request that is not recognised. The text is one sentence about what was sent; [`Refusal::help`] says what to
/// do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("the method {method} is not served")]
    Method { method: String },
    #[error("the method {method} is not served on this path")]
    MethodHere { method: &'static str },
    #[error("the request line has {what} in place of a path")]
    NotAPath { what: &'static str },
    #[error("the path and query are longer than {limit} bytes")]
    TooLong { limit: usize },
    #[error("the path holds {what}")]
    Path { what: &'static str },
    #[error("the query holds {what}")]
    Query { what: &'static str },
    #[error("the parameter {name} is given more than once")]
    Repeated { name: String },
    #[error("the parameter {name} is not known on this path")]
    Parameter { name: String },
    #[error("the parameter {name} has a value that is not understood")]
    Value { name: String },
    #[error("the request does not say {what}")]
    Missing { what: &'static str },
    #[error("the header {name} claims an identity")]
    ClaimedIdentity { name: String },
    #[error("the request asks for another protocol in an unclear way: {why}")]
    UnclearUpgrade { why: &'static str },
    #[error("this path is no stream, but the request asks for another protocol")]
    UpgradeHere,
    #[error("this is a stream, but the request does not ask for WebSocket or SPDY")]
    NoUpgrade,
    #[error("what is spoken through a proxied connection would not be recorded as what it is")]
    UpgradeThroughProxy,
    #[error("the path {path} is not one that the API server is known to have")]
    UnknownPath { path: String },
    #[error("the sub-resource {subresource} of {resource} is not known")]
    UnknownSubresource { resource: String, subresource: String },
    #[error("{resource} are not found at this place of the path")]
    Scope { resource: String },
    #[error("{text} is no {what}")]
    Name { what: &'static str, text: String },
    #[error("the kubelet's path {path} can run commands, or is not known")]
    KubeletPath { path: String },
    #[error("only the kubelet's own port is reached through a node's proxy")]
    KubeletPort,
}

impl Refusal {
    /// A name that never changes its meaning, for metrics, the ledger and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Method { .. } | Self::MethodHere { .. } => "method-not-served",
            Self::NotAPath { .. } => "target-not-a-path",
            Self::TooLong { .. } => "target-too-long",
            Self::Path { .. } => "path-not-canonical",
            Self::Query { .. } => "query-not-readable",
            Self::Repeated { .. } => "parameter-repeated",
            Self::Parameter { .. } => "parameter-unknown",
            Self::Value { .. } => "parameter-value",
            Self::Missing { .. } => "parameter-missing",
            Self::ClaimedIdentity { .. } => "identity-claimed",
            Self::UnclearUpgrade { .. } => "upgrade-unclear",
            Self::UpgradeHere => "upgrade-not-here",
            Self::NoUpgrade => "upgrade-missing",
            Self::UpgradeThroughProxy => "upgrade-through-proxy",
            Self::UnknownPath { .. } => "path-unknown",
            Self::UnknownSubresource { .. } => "subresource-unknown",
            Self::Scope { .. } => "resource-out-of-scope",
            Self::Name { .. } => "name-invalid",
            Self::KubeletPath { .. } => "kubelet-path",
            Self::KubeletPort => "kubelet-port",
        }
    }

    /// What the person, or the author of the client, can do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Method { .. } => "use GET, HEAD, POST, PUT, PATCH or DELETE",
            Self::MethodHere { .. } => {
                "use the method that the API's documentation names for this path"
            }
            Self::NotAPath { .. } => {
                "send a path that begins with a slash; the gateway is no forward proxy"
            }
            Self::TooLong { .. } => {
                "copy the script into the pod and run it there, or send it on stdin"
            }
            Self::Path { .. } => {
                "send the path as kubectl does: single slashes, no dots, nothing encoded that need not be"
            }
            Self::Query { .. } => "encode the query as UTF-8 and join parameters by &",
            Self::Repeated { .. } => "give it once",
            Self::Parameter { .. } => "leave it away",
            Self::Value { .. } => "use true or false, or a number where one is meant",
            Self::Missing { .. } => "add it",
            Self::ClaimedIdentity { .. } => {
                "leave it away (--as, --as-group and --as-uid of kubectl): the gateway tells the cluster who you are"
            }
            Self::UnclearUpgrade { .. } => {
                "send one Connection: Upgrade and one Upgrade header, websocket or SPDY/3.1, over HTTP/1.1"
            }
            Self::UpgradeHere => {
                "only exec, attach and port-forward may change the protocol; send plain HTTP"
            }
            Self::NoUpgrade => "use a client that speaks WebSocket or SPDY, such as kubectl",
            Self::UpgradeThroughProxy => "use kubectl port-forward, which is recorded",
            Self::UnknownPath { .. } | Self::UnknownSubresource { .. } => {
                "check the spelling; what the gateway does not know is not passed, so ask its operator if it is right"
            }
            Self::Scope { .. } => {
                "put the namespace into the path if the object has one, and only then"
            }
            Self::Name { .. } => "check the spelling of the name",
            Self::KubeletPath { .. } => {
                "use kubectl exec, attach, port-forward or logs, which are recorded"
            }
            Self::KubeletPort => "leave the port away",
        }
    }

    /// The HTTP status that fits.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Method { .. } | Self::MethodHere { .. } => 405,
            Self::TooLong { .. } => 414,
            Self::ClaimedIdentity { .. }
            | Self::UpgradeHere
            | Self::UpgradeThroughProxy
            | Self::UnknownPath { .. }
            | Self::UnknownSubresource { .. }
            | Self::KubeletPath { .. }
            | Self::KubeletPort => 403,
            Self::NotAPath { .. }
            | Self::Path { .. }
            | Self::Query { .. }
            | Self::Repeated { .. }
            | Self::Parameter { .. }
            | Self::Value { .. }
            | Self::Missing { .. }
            | Self::UnclearUpgrade { .. }
            | Self::NoUpgrade
            | Self::Scope { .. }
            | Self::Name { .. } => 400,
        }
    }
}

/// As much of what a client sent as a sentence can take; shown with escapes.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 120;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
