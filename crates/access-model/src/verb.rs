//! What a request asks for, once it is recognised.

/// A privileged access, or plain use of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Exec,
    Attach,
    PortForward,
    /// Adds a container to a running pod (`pods/ephemeralcontainers`), as `kubectl debug` does.
    Debug,
    /// Reads what a container printed.
    Logs,
    /// HTTP through the API server to a pod or a Service.
    Proxy,
    /// HTTP through the API server to a node's kubelet, which can run commands and read logs.
    NodeProxy,
    /// Asks for a token of a service account.
    TokenRequest,
    /// Everything else that the API offers.
    Api,
}

impl Verb {
    /// The word of configuration, output and recordings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "port-forward",
            Self::Debug => "debug",
            Self::Logs => "logs",
            Self::Proxy => "proxy",
            Self::NodeProxy => "node-proxy",
            Self::TokenRequest => "token-request",
            Self::Api => "api",
        }
    }
}
