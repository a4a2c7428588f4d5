//! What is known when a session begins, and what when it ends. It is part of the recording's header and seal.

/// What a recording says of its session before the first byte. Not secret to whoever may list sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    pub session: SessionId,
    /// Milliseconds since 1970 (UTC), by the gateway's clock.
    pub at_ms: i64,
    /// Name of the gateway that records.
    pub gateway: String,
    /// Name of the cluster, as the gateway's configuration calls it.
    pub cluster: String,
    pub user: User,
    pub client: Client,
    pub access: Access,
    /// What the person gave as reason, where a rule asks for one.
    pub reason: Option<String>,
    /// Name of the gateway's rule that allowed the session.
    pub rule: String,
    pub durability: Durability,
}

/// 128 bits, drawn at random, written as a lower-case UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u128);

/// The person or program that the session belongs to, as the API server gets to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: Option<String>,
    pub groups: Vec<String>,
    /// How it proved who it is, for instance `client certificate sha256:…` or `OIDC https://… subject …`.
    pub proof: String,
}

/// What the client says of itself. Nothing here is proven but the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Address and port of the connection's other end.
    pub address: String,
    pub user_agent: Option<String>,
    /// `Kubectl-Session`: the same for all requests of one `kubectl`.
    pub kubectl_session: Option<String>,
    /// `Kubectl-Command`, for instance `kubectl cp`.
    pub kubectl_command: Option<String>,
    /// The protocol of the client's side, for instance `v5.channel.k8s.io` or `SPDY/3.1 v4.channel.k8s.io`.
    pub protocol: String,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The word of `access-model`'s verb: `exec`, `attach`, `port-forward`, `logs`, …
    pub verb: String,
    pub namespace: Option<String>,
    /// The object: a pod, or a node where the verb is about one.
    pub name: Option<String>,
    /// The pod's UID at the moment of opening: names are given again.
    pub uid: Option<String>,
    pub container: Option<String>,
    /// The command line, argument by argument; empty where there is none.
    pub command: Vec<String>,
    pub terminal: bool,
}

/// When bytes may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As soon as they are queued to be written; they are on disk within the commit interval.
    Group,
    /// What makes the other side act waits until it, and all before it, is on disk: input of a terminal at each
    /// end of line or control character that ends one, other input always.
    Intent,
    /// Output waits as well.
    Strict,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The runtime ended it; the exit code where it gave one.
    Finished { exit_code: Option<i32> },
    /// The client went away.
    ClientLeft,
    /// The API server or the runtime went away.
    UpstreamLeft { why: String },
    /// Somebody ended it.
    Killed { by: String, why: String },
    /// A limit of the configuration ended it.
    Limit { which: String },
    /// The recording could not go on, so the session did not.
    RecordingFailed { why: String },
    /// One side broke the protocol.
    Protocol { why: String },
    /// The gateway was told to stop.
    GatewayStopped,
    /// The gateway was gone before it could end it; found at its next start.
    Recovered,
}
