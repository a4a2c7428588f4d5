//! What is known when a session begins, and what when it ends. It is part of the recording's header and seal.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

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

/// Longest reason in an ending; the rest of a longer one is cut off.
const MAX_REASON_BYTES: usize = 8 << 10;

impl Ending {
    /// With reasons that fit into a seal.
    pub(crate) fn bounded(self) -> Self {
        match self {
            Self::Finished { .. } | Self::ClientLeft | Self::GatewayStopped | Self::Recovered => {
                self
            }
            Self::UpstreamLeft { why } => Self::UpstreamLeft { why: cut_off(why) },
            Self::Killed { by, why } => Self::Killed { by: cut_off(by), why: cut_off(why) },
            Self::Limit { which } => Self::Limit { which: cut_off(which) },
            Self::RecordingFailed { why } => Self::RecordingFailed { why: cut_off(why) },
            Self::Protocol { why } => Self::Protocol { why: cut_off(why) },
        }
    }
}

fn cut_off(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_REASON_BYTES));
    text
}

/// Text that is no session's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a session's id is a UUID in lower case: 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between"
)]
pub struct NotASessionId;

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let mut rest = digits.as_str();
        for (n, length) in GROUPS.into_iter().enumerate() {
            let (group, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            formatter.write_str(if n == 0 { "" } else { "-" })?;
            formatter.write_str(group)?;
            rest = after;
        }
        Ok(())
    }
}

/// Digits between the hyphens of a UUID.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let digits = text.replace('-', "");
        let id = u128::from_str_radix(&digits, 16).map(Self).or(Err(NotASessionId))?;
        // One spelling, so that a name of a file and an id are one to one.
        if id.to_string() == text { Ok(id) } else { Err(NotASessionId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = SessionId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!((id.to_string().as_str(), text.parse()), (text, Ok(id)));
        let others = [
            "",
            "01234567-89AB-cdef-0123-456789abcdef",
            "0123456789abcdef0123456789abcdef",
            "+1",
            "../x",
        ];
        assert!(others.iter().all(|other| other.parse::<SessionId>().is_err()));
    }
}
