//! Where a path leads: to which resource of which group, or to the API server itself.

use crate::core_group::{self, Scope};
use crate::refusal::shown;
use crate::target::Path;
use crate::{Refusal, Resource};

/// Sub-resources with these names lead into containers, through proxies or to what containers wrote in the core group.
/// In no other group is it known what they do, and some aggregated APIs hand whole clusters through them.
const NEVER_ELSEWHERE: [&str; 6] =
    ["attach", "ephemeralcontainers", "exec", "log", "portforward", "proxy"];

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Resource {
        resource: Resource,
        /// The old way to ask for a watch, `/api/v1/watch/…`.
        old_watch: bool,
        /// What follows `proxy`; `None` where nothing does, not even a slash.
        proxied: Option<String>,
    },
    /// A list of groups, versions or resources.
    Discovery,
    Server(Server),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// Health, version, metrics and descriptions.
    Plain,
    /// Logs and memory.
    Debug,
}

pub(crate) fn find(path: &Path) -> Result<Place, Refusal> {
    let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [] | ["api" | "apis"] | ["api", "v1"] => Ok(Place::Discovery),
        ["apis", group] if is_subdomain(group) => Ok(Place::Discovery),
        ["apis", group, version] if is_subdomain(group) && is_label(version) => {
            Ok(Place::Discovery)
        }
        ["api", "v1", parts @ ..] => resource("", "v1", parts, path),
        ["apis", group, version, parts @ ..] if is_subdomain(group) && is_label(version) => {
            resource(group, version, parts, path)
        }
        _ => server(&segments).map(Place::Server).ok_or_else(|| unknown(path)),
    }
}

fn unknown(path: &Path) -> Refusal {
    Refusal::UnknownPath { path: shown(&crate::target::write_path(path)) }
}

fn server(segments: &[&str]) -> Option<Server> {
    match segments {
        ["version" | "metrics" | "statusz" | "flagz" | "configz"]
        | ["healthz" | "livez" | "readyz", ..]
        | ["metrics", "slis" | "cadvisor"]
        | ["openapi", "v2"]
        | ["openapi", "v3", ..]
        | [".well-known", "openid-configuration"]
        | ["openid", "v1", "jwks"] => Some(Server::Plain),
        ["logs" | "debug", ..] => Some(Server::Debug),
        _ => None,
    }
}

/// `parts` are what follows the version; there is at least one.
fn resource(group: &str, version: &str, parts: &[&str], path: &Path) -> Result<Place, Refusal> {
    let (old_watch, parts) = match parts {
        ["proxy", ..] => return Err(unknown(path)),
        ["watch", parts @ ..] if !parts.is_empty() => (true, parts),
        ["watch"] => return Err(unknown(path)),
        _ => (false, parts),
    };
    let (namespace, parts) = namespace(group, parts, path)?;
    let [resource, parts @ ..] = parts else { return Err(unknown(path)) };
    let (name, parts) = match parts {
        [name, parts @ ..] => (Some(*name), parts),
        [] => (None, parts),
    };
    let (subresource, rest) = match parts {
        [subresource, rest @ ..] => (Some(*subresource), rest),
        [] => (None, parts),
    };
    let found = Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: namespace.map(str::to_owned),
        resource: (*resource).to_owned(),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    };
    check(&found)?;
    let is_proxy = group.is_empty() && subresource == Some("proxy");
    if (old_watch && subresource.is_some())
        || (!is_proxy && (!rest.is_empty() || path.trailing_slash))
    {
        return Err(unknown(path));
    }
    let proxied = is_proxy.then(|| proxied(rest, path.trailing_slash)).flatten();
    Ok(Place::Resource { resource: found, old_watch, proxied })
}

/// `namespaces/NAME/…` in front of a resource, as the API server reads it: `status` and `finalize` belong to the
/// namespace itself.
fn namespace<'path, 'parts>(
    group: &str,
    parts: &'parts [&'path str],
    path: &Path,
) -> Result<(Option<&'path str>, &'parts [&'path str]), Refusal> {
    match parts {
        ["namespaces", name, "status" | "finalize", rest @ ..] => {
            if group.is_empty() && rest.is_empty() && is_label(name) {
                Ok((Some(name), parts))
            } else {
                Err(unknown(path))
            }
        }
        ["namespaces", name, rest @ ..] => {
            if !is_label(name) {
                return Err(Refusal::Name { what: "name of a namespace", text: shown(name) });
            }
            if rest.is_empty() { Ok((Some(name), parts)) } else { Ok((Some(name), rest)) }
        }
        _ => Ok((None, parts)),
    }
}

fn proxied(rest: &[&str], trailing_slash: bool) -> Option<String> {
    if rest.is_empty() {
        return trailing_slash.then(|| "/".to_owned());
    }
    let end = if trailing_slash { "/" } else { "" };
    Some(format!("/{}{end}", rest.join("/")))
}

fn check(found: &Resource) -> Result<(), Refusal> {
    let Resource { group, version: _, namespace, resource, name, subresource } = found;
    if !is_resource(resource) {
        return Err(Refusal::Name { what: "name of a resource", text: shown(resource) });
    }
    let unknown = |subresource: &str| Refusal::UnknownSubresource {
        resource: resource.clone(),
        subresource: shown(subresource),
    };
    if !group.is_empty() {
        let is_refused =
            |word: &&str| NEVER_ELSEWHERE.iter().any(|never| never.eq_ignore_ascii_case(word));
        return match subresource.as_deref().filter(is_refused) {
            Some(subresource) => Err(unknown(subresource)),
            None => Ok(()),
        };
    }
    let known = core_group::find(resource)
        .ok_or_else(|| Refusal::UnknownPath { path: format!("/api/v1/{}", shown(resource)) })?;
    if let Some(subresource) = subresource
        && !known.subresources.contains(&subresource.as_str())
    {
        return Err(unknown(subresource));
    }
    let fits = match known.scope {
        Scope::Cluster => namespace.is_none() || resource == "namespaces",
        Scope::Namespaced => namespace.is_some() || name.is_none(),
    };
    if fits { Ok(()) } else { Err(Refusal::Scope { resource: resource.clone() }) }
}

/// A DNS label in lower case, as namespaces and versions are.
pub(crate) fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A DNS name in lower case, as groups, pods and nodes have.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Resources of the core group are looked up; adapters of metrics have points and underscores in theirs.
fn is_resource(text: &str) -> bool {
    let is_inner = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
    };
    text.len() <= 253 && text.bytes().all(is_inner)
}
