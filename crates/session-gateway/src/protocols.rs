//! Which protocol is spoken on which side of a session.

use access_model::Transport;
use session_proto::{Asked, Codec, Role, Version};

/// Sub-protocols of commands over WebSockets, and whether they are base64.
const CHANNELS: &[(&str, Version, bool)] = &[
    ("v5.channel.k8s.io", Version::V5, false),
    ("v4.channel.k8s.io", Version::V4, false),
    ("v3.channel.k8s.io", Version::V3, false),
    ("v2.channel.k8s.io", Version::V2, false),
    ("channel.k8s.io", Version::V1, false),
    ("v4.base64.channel.k8s.io", Version::V4, true),
    ("base64.channel.k8s.io", Version::V1, true),
];
/// Versions of commands over SPDY. v5 has no meaning there, and no runtime takes it.
const STREAMS: &[(&str, Version)] = &[
    ("v4.channel.k8s.io", Version::V4),
    ("v3.channel.k8s.io", Version::V3),
    ("v2.channel.k8s.io", Version::V2),
    ("channel.k8s.io", Version::V1),
];
/// SPDY in the messages of a WebSocket.
const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
const FORWARD: &str = "portforward.k8s.io";
/// Forwarded ports as channels of a WebSocket, and whether they are base64.
const FORWARD_CHANNELS: &[(&str, bool)] =
    &[("v4.channel.k8s.io", false), ("v4.base64.channel.k8s.io", true)];

/// What a session's streams are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    Command(Asked),
    /// Ports that the request names; only clients that do not name them later do.
    Forward {
        ports: Vec<u16>,
    },
}

/// One side's protocol, as it is named and as it is spoken.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// As the answer names it; `None` where a client of version 1 named none.
    pub(crate) name: Option<&'static str>,
    /// For recordings.
    pub(crate) shown: String,
    pub(crate) codec: Codec,
}

/// The first of a client's protocols that the gateway speaks.
pub(crate) fn with_client(transport: &Transport, purpose: &Purpose) -> Option<Chosen> {
    match (transport, purpose) {
        (Transport::WebSocket { protocols }, Purpose::Command(asked)) => {
            let (name, version, is_base64) = match protocols.as_slice() {
                [] => (None, Version::V1, false),
                offered => {
                    let (name, version, is_base64) = first(offered, CHANNELS, |known| known.0)?;
                    (Some(*name), *version, *is_base64)
                }
            };
            let codec = Codec::command_channels(Role::Server, version, is_base64, *asked);
            Some(Chosen { name, shown: name.unwrap_or("channel.k8s.io").to_owned(), codec })
        }
        (Transport::Spdy { protocols }, Purpose::Command(asked)) => {
            let (name, version) = match protocols.as_slice() {
                [] => STREAMS.last()?,
                offered => first(offered, STREAMS, |known| known.0)?,
            };
            let codec = Codec::command_streams(Role::Server, *version, *asked);
            Some(Chosen { name: Some(name), shown: format!("SPDY/3.1 {name}"), codec })
        }
        (Transport::WebSocket { protocols }, Purpose::Forward { ports }) => {
            if protocols.iter().any(|protocol| protocol == TUNNEL) {
                let codec = Codec::forward_streams(Role::Server, true);
                return Some(Chosen { name: Some(TUNNEL), shown: TUNNEL.to_owned(), codec });
            }
            let (name, is_base64) = first(protocols, FORWARD_CHANNELS, |known| known.0)?;
            // More ports than channels are no protocol that anybody speaks.
            let codec = Codec::forward_channels(*is_base64, ports).ok()?;
            Some(Chosen { name: Some(name), shown: (*name).to_owned(), codec })
        }
        (Transport::Spdy { protocols }, Purpose::Forward { ports: _ }) => {
            let spoken =
                protocols.is_empty() || protocols.iter().any(|protocol| protocol == FORWARD);
            spoken.then(|| Chosen {
                name: Some(FORWARD),
                shown: format!("SPDY/3.1 {FORWARD}"),
                codec: Codec::forward_streams(Role::Server, false),
            })
        }
    }
}

fn first<'known, K>(
    offered: &[String],
    known: &'known [K],
    name: impl Fn(&'known K) -> &'known str,
) -> Option<&'known K> {
    offered.iter().find_map(|offered| known.iter().find(|known| name(known) == offered))
}

/// What clients over SPDY may offer for this.
pub(crate) fn over_spdy(purpose: &Purpose) -> Vec<&'static str> {
    match purpose {
        Purpose::Command(_) => STREAMS.iter().map(|(name, _)| *name).collect(),
        Purpose::Forward { .. } => vec![FORWARD],
    }
}

/// What the API server is asked for first. It takes this version only, and passes others on to the runtime.
pub(crate) fn web_socket_upstream(purpose: &Purpose) -> (&'static str, Codec) {
    match purpose {
        Purpose::Command(asked) => {
            ("v5.channel.k8s.io", Codec::command_channels(Role::Client, Version::V5, false, *asked))
        }
        Purpose::Forward { .. } => (TUNNEL, Codec::forward_streams(Role::Client, true)),
    }
}

/// The codec for what the API server chose of [`over_spdy`].
pub(crate) fn spdy_upstream(purpose: &Purpose, chosen: &str) -> Option<Codec> {
    match purpose {
        Purpose::Command(asked) => {
            let (_, version) = STREAMS.iter().find(|(name, _)| *name == chosen)?;
            Some(Codec::command_streams(Role::Client, *version, *asked))
        }
        Purpose::Forward { .. } => {
            (chosen == FORWARD).then(|| Codec::forward_streams(Role::Client, false))
        }
    }
}
