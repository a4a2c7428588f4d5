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
    /// Files and memory of the API server itself: `/logs` and `/debug`.
    ServerDebug,
    /// Everything else that the API offers.
    Api,
}

impl Verb {
    pub const ALL: [Self; 10] = [
        Self::Exec,
        Self::Attach,
        Self::PortForward,
        Self::Debug,
        Self::Logs,
        Self::Proxy,
        Self::NodeProxy,
        Self::TokenRequest,
        Self::ServerDebug,
        Self::Api,
    ];

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
            Self::ServerDebug => "server-debug",
            Self::Api => "api",
        }
    }

    /// The verb of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.word() == word)
    }

    /// Whether a rule has to allow it: without one it is refused. The others are left to the cluster's RBAC.
    ///
    /// Logs are recorded but are not among them: reading is what the cluster's role `view` is for, and a person
    /// without logs would be given a shell instead.
    #[must_use]
    pub const fn needs_a_rule(self) -> bool {
        match self {
            Self::Exec
            | Self::Attach
            | Self::PortForward
            | Self::Debug
            | Self::Proxy
            | Self::NodeProxy
            | Self::TokenRequest
            | Self::ServerDebug => true,
            Self::Logs | Self::Api => false,
        }
    }
}
