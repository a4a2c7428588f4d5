//! What a request asks for. Total: whatever comes is one [`Request`] or one [`Refusal`].

use crate::place::{self, Place, Server, is_subdomain};
use crate::refusal::shown;
use crate::target::{self, Parameter, Path};
use crate::{
    Detail, Head, Method, Object, ProxyTarget, Refusal, Request, Resource, Transport, kubelet,
    parameters, upgrade,
};

/// Reads the head of a request as an API server would, or refuses it.
///
/// # Errors
/// What is not recognised, and what two servers could read in two ways.
pub fn classify(head: &Head<'_>) -> Result<Request, Refusal> {
    claims_nothing(head)?;
    let method = method(head.method)?;
    let (path, parameters) = target::parse(head.target)?;
    let transport = upgrade::transport(head, method)?;
    let asked = Asked { method, path, parameters, transport };
    match place::find(&asked.path)? {
        Place::Resource { resource, old_watch: true, proxied: _ } => old_watch(&asked, resource),
        Place::Resource { resource, old_watch: false, proxied } => {
            resource_request(&asked, resource, proxied)
        }
        Place::Discovery => server(asked, Server::Plain),
        Place::Server(which) => server(asked, which),
    }
}

struct Asked {
    method: Method,
    path: Path,
    parameters: Vec<Parameter>,
    transport: Option<Transport>,
}

impl Asked {
    fn without_upgrade(&self) -> Result<(), Refusal> {
        if self.transport.is_some() { Err(Refusal::UpgradeHere) } else { Ok(()) }
    }

    fn by(&self, methods: &[Method]) -> Result<(), Refusal> {
        if methods.contains(&self.method) {
            Ok(())
        } else {
            Err(Refusal::MethodHere { method: self.method.word() })
        }
    }
}

/// The API server would take these for the caller's identity: from a proxy that may impersonate, or from one
/// that it trusts to have checked.
fn claims_nothing(head: &Head<'_>) -> Result<(), Refusal> {
    let claim = head.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).find(|name| {
        name.starts_with("impersonate-")
            || name == "x-remote-user"
            || name == "x-remote-uid"
            || name == "x-remote-group"
            || name.starts_with("x-remote-extra-")
    });
    match claim {
        Some(name) => Err(Refusal::ClaimedIdentity { name: shown(&name) }),
        None => Ok(()),
    }
}

fn method(word: &str) -> Result<Method, Refusal> {
    let method = Method::ALL.into_iter().find(|method| method.word() == word);
    method.ok_or_else(|| Refusal::Method { method: shown(word) })
}

fn server(mut asked: Asked, which: Server) -> Result<Request, Refusal> {
    asked.without_upgrade()?;
    let detail = match which {
        Server::Plain => {
            asked.by(&[Method::Get, Method::Head])?;
            // The API server answers both ways; clients that were generated from its description add the slash.
            asked.path.trailing_slash = false;
            Detail::Api
        }
        Server::Debug => {
            asked.by(&[Method::Get, Method::Head, Method::Post, Method::Put])?;
            Detail::ServerDebug
        }
    };
    let query = target::write_query(&asked.parameters);
    let action = asked.method.lower_case();
    Ok(request(&asked, Object::Path, detail, Sent { action, watch: false, query }))
}

fn old_watch(asked: &Asked, resource: Resource) -> Result<Request, Refusal> {
    asked.without_upgrade()?;
    asked.by(&[Method::Get])?;
    parameters::plain(&asked.parameters)?;
    let query = target::write_query(&asked.parameters);
    let sent = Sent { action: "watch", watch: true, query };
    Ok(request(asked, Object::Resource(resource), Detail::Api, sent))
}

fn resource_request(
    asked: &Asked,
    resource: Resource,
    proxied: Option<String>,
) -> Result<Request, Refusal> {
    let in_core = resource.group.is_empty();
    let subresource = resource.subresource.as_deref();
    let detail = match (resource.resource.as_str(), subresource) {
        ("pods", Some("exec" | "attach" | "portforward")) if in_core => {
            return stream(asked, resource);
        }
        ("pods" | "services" | "nodes", Some("proxy")) if in_core => {
            return proxy(asked, resource, proxied);
        }
        ("pods", Some("ephemeralcontainers")) if in_core && asked.method != Method::Get => {
            pod_name(&resource)?;
            asked.by(&[Method::Put, Method::Patch])?;
            Detail::Debug
        }
        ("serviceaccounts", Some("token")) if in_core => Detail::TokenRequest,
        (_, Some("log")) => {
            if in_core {
                pod_name(&resource)?;
            }
            asked.by(&[Method::Get])?;
            parameters::log(&asked.parameters)?
        }
        _ => Detail::Api,
    };
    asked.without_upgrade()?;
    if asked.method == Method::Options {
        return Err(Refusal::MethodHere { method: asked.method.word() });
    }
    parameters::plain(&asked.parameters)?;
    let wants_watch = parameters::flag(&asked.parameters, "watch")?;
    let reads = matches!(asked.method, Method::Get | Method::Head);
    let watch = wants_watch && resource.name.is_none() && reads;
    let action = action(asked.method, resource.name.is_some(), wants_watch);
    let query = target::write_query(&asked.parameters);
    Ok(request(asked, Object::Resource(resource), detail, Sent { action, watch, query }))
}

/// What the authoriser calls it.
const fn action(method: Method, named: bool, watch: bool) -> &'static str {
    match (method, named) {
        (Method::Get | Method::Head, true) => "get",
        (Method::Get | Method::Head, false) if watch => "watch",
        (Method::Get | Method::Head, false) => "list",
        (Method::Post, _) => "create",
        (Method::Put, _) => "update",
        (Method::Patch, _) => "patch",
        (Method::Delete, true) => "delete",
        (Method::Delete, false) => "deletecollection",
        (Method::Options, _) => "",
    }
}

fn stream(asked: &Asked, resource: Resource) -> Result<Request, Refusal> {
    asked.by(&[Method::Get, Method::Post])?;
    pod_name(&resource)?;
    let transport = asked.transport.clone().ok_or(Refusal::NoUpgrade)?;
    let (detail, query) = match resource.subresource.as_deref() {
        Some("exec") => parameters::exec(&asked.parameters, transport)?,
        Some("attach") => parameters::attach(&asked.parameters, transport)?,
        _ => parameters::port_forward(&asked.parameters, transport)?,
    };
    let query = target::write_query(&query);
    let action = action(asked.method, true, false);
    let sent = Sent { action, watch: false, query };
    Ok(request(asked, Object::Resource(resource), detail, sent))
}

fn proxy(asked: &Asked, resource: Resource, path: Option<String>) -> Result<Request, Refusal> {
    if asked.transport.is_some() {
        return Err(Refusal::UpgradeThroughProxy);
    }
    let target = proxy_target(resource.name.as_deref().unwrap_or_default(), path)?;
    let detail = if resource.resource == "nodes" {
        asked.by(&[Method::Get, Method::Head])?;
        kubelet::check(&target, &asked.parameters)?;
        Detail::NodeProxy(target)
    } else {
        Detail::Proxy(target)
    };
    let action = action(asked.method, true, false);
    let query = target::write_query(&asked.parameters);
    let sent = Sent { action, watch: false, query };
    Ok(request(asked, Object::Resource(resource), detail, sent))
}

/// `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`, where scheme and port may be empty.
fn proxy_target(written: &str, path: Option<String>) -> Result<ProxyTarget, Refusal> {
    let wrong = || Refusal::Name { what: "target of a proxy", text: shown(written) };
    let parts: Vec<&str> = written.split(':').collect();
    let (scheme, name, port) = match parts.as_slice() {
        [name] => ("", *name, ""),
        [name, port] => ("", *name, *port),
        [scheme @ ("" | "http" | "https"), name, port] => (*scheme, *name, *port),
        _ => return Err(wrong()),
    };
    if !is_subdomain(name) {
        return Err(wrong());
    }
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(ProxyTarget { scheme: given(scheme), name: name.to_owned(), port: given(port), path })
}

/// The name of a pod that is reached into is one that a pod can have.
fn pod_name(resource: &Resource) -> Result<(), Refusal> {
    match resource.name.as_deref() {
        Some(name) if is_subdomain(name) => Ok(()),
        name => {
            let text = shown(name.unwrap_or_default());
            Err(Refusal::Name { what: "name of a pod", text })
        }
    }
}

struct Sent {
    action: &'static str,
    watch: bool,
    query: String,
}

fn request(asked: &Asked, object: Object, detail: Detail, sent: Sent) -> Request {
    let Sent { action, watch, query } = sent;
    let path = target::write_path(&asked.path);
    Request { method: asked.method, object, detail, action, watch, path, query }
}
