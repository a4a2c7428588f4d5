//! Which requests are privileged, and where the API server's admission sees them.

use access_model::Verb;

/// How admission hears of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As `CONNECT`, whatever its method.
    Connect,
    /// As `UPDATE` of a sub-resource.
    Update,
    /// It does, but what is asked for is also asked by every node; the policy leaves it alone.
    LeftAlone,
    /// Not at all: it only reads.
    Unseen,
}

/// A sub-resource that reaches beyond the API.
#[derive(Debug)]
pub(crate) struct Privileged {
    pub(crate) resource: &'static str,
    pub(crate) subresource: &'static str,
    pub(crate) verb: Verb,
    pub(crate) admission: Admission,
    /// The actions by which the API server's authoriser and its audit log know it.
    pub(crate) actions: &'static [&'static str],
}

/// Streams are asked for by GET (WebSocket) or by POST (SPDY).
const STREAM: &[&str] = &["get", "create"];
const ANY: &[&str] = &["get", "create", "update", "patch", "delete"];

/// All of the core group.
pub(crate) const PRIVILEGED: &[Privileged] = &[
    of("pods", "exec", Verb::Exec, Admission::Connect, STREAM),
    of("pods", "attach", Verb::Attach, Admission::Connect, STREAM),
    of("pods", "portforward", Verb::PortForward, Admission::Connect, STREAM),
    of("pods", "ephemeralcontainers", Verb::Debug, Admission::Update, &["update", "patch"]),
    of("pods", "proxy", Verb::Proxy, Admission::Connect, ANY),
    of("services", "proxy", Verb::Proxy, Admission::Connect, ANY),
    of("nodes", "proxy", Verb::NodeProxy, Admission::Connect, ANY),
    of("serviceaccounts", "token", Verb::TokenRequest, Admission::LeftAlone, &["create"]),
    of("pods", "log", Verb::Logs, Admission::Unseen, &["get"]),
];

const fn of(
    resource: &'static str,
    subresource: &'static str,
    verb: Verb,
    admission: Admission,
    actions: &'static [&'static str],
) -> Privileged {
    Privileged { resource, subresource, verb, admission, actions }
}

impl Privileged {
    /// `pods/exec`.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.resource, self.subresource)
    }
}

/// What a request for a sub-resource of the core group is. Reads of what else is written that way, such as
/// `GET …/ephemeralcontainers`, reach no further than the API.
pub(crate) fn verb_of(resource: &str, subresource: &str, action: &str) -> Option<Verb> {
    let found = PRIVILEGED
        .iter()
        .find(|known| known.resource == resource && known.subresource == subresource)?;
    let acts = match found.admission {
        Admission::Connect | Admission::Unseen => true,
        Admission::Update | Admission::LeftAlone => found.actions.contains(&action),
    };
    acts.then_some(found.verb)
}

/// The paths that admission sees in one way, in order.
pub(crate) fn admitted_as(admission: Admission) -> Vec<String> {
    PRIVILEGED.iter().filter(|known| known.admission == admission).map(Privileged::path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access_model::{Head, HttpVersion, classify};

    /// The classifier of the gateway and this list have to agree on what is privileged.
    #[test]
    fn the_gateway_takes_the_same_for_privileged() {
        for known in PRIVILEGED {
            let namespace = if known.resource == "nodes" { "" } else { "namespaces/ns/" };
            let path = format!("/api/v1/{namespace}{}/x/{}", known.resource, known.subresource);
            let method = match known.actions {
                ["update", ..] => "PATCH",
                ["create"] => "POST",
                _ => "GET",
            };
            let (target, headers) = match known.subresource {
                "exec" => (format!("{path}?command=id&stdout=true"), UPGRADE),
                "attach" => (format!("{path}?stdout=true"), UPGRADE),
                "portforward" => (path, UPGRADE),
                "proxy" => (format!("{path}/healthz"), NONE),
                _ => (path, NONE),
            };
            let version = HttpVersion::Http11;
            let head = Head { method, target: &target, version, protocol: None, headers };
            let verb = classify(&head).map(|request| request.verb());
            assert_eq!(verb, Ok(known.verb), "{target}");
        }
    }

    const NONE: &[(&str, &[u8])] = &[];
    const UPGRADE: &[(&str, &[u8])] = &[
        ("connection", b"Upgrade"),
        ("upgrade", b"websocket"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-protocol", b"v5.channel.k8s.io"),
    ];
}
