//! Ways in from outside: Ingresses and the routes of the Gateway API.

use super::metadata::{Metadata, Strictness, metadata};
use super::{Object, in_namespace};
use crate::document::{Decoder, Fields, Node};
use crate::names;
use policy_model::{Backend, BackendPort, Entry, EntryKind};

pub(super) fn lower(
    decoder: &mut Decoder,
    object: &Fields<'_, '_>,
    kind: EntryKind,
) -> Option<Object> {
    let Metadata { name, namespace, labels: _, controller: _ } =
        metadata(decoder, object, Strictness::Lenient)?;
    let mut entry = Entry {
        kind,
        namespace: in_namespace(namespace),
        name,
        controllers: Vec::new(),
        hosts: Vec::new(),
        backends: Vec::new(),
        span: Some(decoder.span(object.place)),
    };
    let spec = object.required(decoder, "spec")?;
    let spec = decoder.lenient(spec, "the spec")?;
    match kind {
        EntryKind::Ingress => ingress(decoder, object, &spec, &mut entry)?,
        EntryKind::HttpRoute
        | EntryKind::GrpcRoute
        | EntryKind::TlsRoute
        | EntryKind::TcpRoute
        | EntryKind::UdpRoute => route(decoder, &spec, &mut entry)?,
    }
    Some(Object::Entry(Box::new(entry)))
}

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

fn ingress(
    decoder: &mut Decoder,
    object: &Fields<'_, '_>,
    spec: &Fields<'_, '_>,
    entry: &mut Entry,
) -> Option<()> {
    let annotation = object
        .field("metadata")
        .and_then(|metadata| metadata.child("annotations"))
        .and_then(|annotations| annotations.child(CLASS_ANNOTATION));
    if let Some(node) = spec.field("ingressClassName").or(annotation) {
        entry.controllers.push(decoder.string(node)?.to_owned());
    }
    if let Some(node) = spec.field("defaultBackend") {
        entry.backends.extend(ingress_backend(decoder, node, &entry.namespace)?);
    }
    for rule in items(decoder, spec, "rules")? {
        let rule = decoder.lenient(rule, "an Ingress rule")?;
        if let Some(host) = rule.field("host") {
            entry.hosts.push(decoder.string(host)?.to_owned());
        }
        let Some(http) = rule.field("http") else { continue };
        let http = decoder.lenient(http, "`http`")?;
        for path in items(decoder, &http, "paths")? {
            let path = decoder.lenient(path, "an Ingress path")?;
            let backend = path.required(decoder, "backend")?;
            entry.backends.extend(ingress_backend(decoder, backend, &entry.namespace)?);
        }
    }
    Some(())
}

/// `None` within `Some` for a backend that is no Service (`resource`).
fn ingress_backend(
    decoder: &mut Decoder,
    node: &Node<'_>,
    namespace: &str,
) -> Option<Option<Backend>> {
    let fields = decoder.lenient(node, "an Ingress backend")?;
    if fields.field("resource").is_some() {
        return Some(None);
    }
    let service = fields.required(decoder, "service")?;
    let service = decoder.lenient(service, "a backend's service")?;
    let name = service.required(decoder, "name")?;
    let name = decoder.string(name)?.to_owned();
    let port = service.required(decoder, "port")?;
    let port = decoder.lenient(port, "a backend's port")?;
    let port = match port.field("name") {
        Some(node) => BackendPort::Name(decoder.string(node)?.to_owned()),
        None => {
            let number = port.required(decoder, "number")?;
            BackendPort::Number(names::port_number(decoder, number)?)
        }
    };
    Some(Some(Backend {
        namespace: namespace.to_owned(),
        service: name,
        port: Some(port),
        span: Some(decoder.span(node.place)),
    }))
}

fn route(decoder: &mut Decoder, spec: &Fields<'_, '_>, entry: &mut Entry) -> Option<()> {
    for parent in items(decoder, spec, "parentRefs")? {
        let parent = decoder.lenient(parent, "a parent")?;
        let name = parent.required(decoder, "name")?;
        entry.controllers.push(decoder.string(name)?.to_owned());
    }
    for host in items(decoder, spec, "hostnames")? {
        entry.hosts.push(decoder.string(host)?.to_owned());
    }
    for rule in items(decoder, spec, "rules")? {
        let rule = decoder.lenient(rule, "a route's rule")?;
        for backend in items(decoder, &rule, "backendRefs")? {
            entry.backends.extend(route_backend(decoder, backend, &entry.namespace)?);
            let fields = decoder.lenient(backend, "a backend")?;
            mirrors(decoder, &fields, entry)?;
        }
        mirrors(decoder, &rule, entry)?;
    }
    Some(())
}

/// The controller sends a copy of each request to the backends of RequestMirror filters.
fn mirrors(decoder: &mut Decoder, holder: &Fields<'_, '_>, entry: &mut Entry) -> Option<()> {
    for filter in items(decoder, holder, "filters")? {
        let filter = decoder.lenient(filter, "a route's filter")?;
        let Some(mirror) = filter.field("requestMirror") else { continue };
        let mirror = decoder.lenient(mirror, "`requestMirror`")?;
        let backend = mirror.required(decoder, "backendRef")?;
        entry.backends.extend(route_backend(decoder, backend, &entry.namespace)?);
    }
    Some(())
}

/// `None` within `Some` for a backend that is no Service.
fn route_backend(
    decoder: &mut Decoder,
    node: &Node<'_>,
    own_namespace: &str,
) -> Option<Option<Backend>> {
    let fields = decoder.lenient(node, "a backend")?;
    let group = match fields.field("group") {
        Some(node) => decoder.string(node)?,
        None => "",
    };
    let kind = match fields.field("kind") {
        Some(node) => decoder.string(node)?,
        None => "Service",
    };
    if !matches!(group, "" | "core") || kind != "Service" {
        return Some(None);
    }
    let name = fields.required(decoder, "name")?;
    let service = decoder.string(name)?.to_owned();
    let namespace = match fields.field("namespace") {
        Some(node) => names::namespace(decoder, node)?,
        None => own_namespace.to_owned(),
    };
    let port = match fields.field("port") {
        Some(node) => Some(BackendPort::Number(names::port_number(decoder, node)?)),
        None => None,
    };
    let span = Some(decoder.span(node.place));
    Some(Some(Backend { namespace, service, port, span }))
}

/// The items of a list that may be absent.
fn items<'n, 't>(
    decoder: &mut Decoder,
    fields: &Fields<'n, 't>,
    name: &str,
) -> Option<&'n [Node<'t>]> {
    match fields.field(name) {
        Some(node) => decoder.sequence(node),
        None => Some(&[]),
    }
}
