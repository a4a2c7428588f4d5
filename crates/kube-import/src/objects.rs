//! One tree to objects of the model: what kind it is, and who reads it.

mod admin_policy;
mod block;
mod cluster;
mod cluster_policy;
mod entry;
mod kinds;
mod metadata;
mod network_policy;
mod pod;
mod service;
mod tiered;
mod workload;

use crate::codes;
use crate::document::{Decoder, Document, Fault, Node, Value};
use finding_model::{FileId, Finding, Severity};
use kinds::{ApiKind, Kind};
pub(crate) use metadata::{OwnerRef, selector};
pub(crate) use pod::OwnedPod;
use policy_model::{Entry, LeftOut, LeftOutScope, Namespace, Policy, Service};
use std::collections::BTreeMap;
use tiered::Version;
pub(crate) use workload::{Template, Workload};

/// An object that was read without an error.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Namespace(Namespace),
    Node(policy_model::Node),
    Pod(Box<OwnedPod>),
    /// A pod that has no traffic any more.
    Terminated,
    Workload(Box<Workload>),
    Service(Box<Service>),
    Entry(Box<Entry>),
    Policy(Box<Policy>),
}

/// What one document, or several in a row, came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowered {
    pub objects: Vec<Object>,
    pub findings: Vec<Finding>,
    pub left_out: Vec<LeftOut>,
    /// `apiVersion/Kind` to number, of the objects that say nothing of reachability.
    pub other_kinds: BTreeMap<String, usize>,
    /// The first object of each kind of policy that is not analysed.
    pub unread_policies: BTreeMap<String, Finding>,
    pub n_objects: usize,
}

impl Lowered {
    /// A document that could not be read as YAML.
    pub(crate) fn unreadable(&mut self, file: FileId, fault: Fault) {
        let mut decoder = Decoder::new(file);
        let span = decoder.span(fault.place);
        decoder.fault(fault);
        self.findings.extend(decoder.into_findings());
        let object = "a document that could not be read".to_owned();
        self.left_out.push(LeftOut { object, scope: LeftOutScope::Cluster, span: Some(span) });
    }

    pub(crate) fn document(&mut self, file: FileId, document: Document<'_>) {
        let Document { root, mut faults } = document;
        faults.sort_by_key(|fault| fault.place);
        match root {
            Some(root) => self.object(file, &root, Holder::Document, faults),
            None => {
                let mut decoder = Decoder::new(file);
                faults.into_iter().for_each(|fault| decoder.fault(fault));
                self.findings.extend(decoder.into_findings());
            }
        }
    }

    fn object(&mut self, file: FileId, node: &Node<'_>, holder: Holder<'_>, faults: Vec<Fault>) {
        let mut decoder = Decoder::new(file);
        let kind = kinds::classify(&mut decoder, node, holder);
        let list = kind.as_ref().and_then(|kind| kind.list_items(node));
        if let Some((item_kind, items)) = list.filter(|(_, items)| !items.is_empty()) {
            self.findings.extend(decoder.into_findings());
            return self.list(file, item_kind.as_ref(), items, faults);
        }
        self.n_objects += usize::from(kind.is_some());
        decoder.set_object(kind.as_ref().map(|kind| title(kind, node)));
        faults.into_iter().for_each(|fault| decoder.fault(fault));
        let object = kind.as_ref().and_then(|kind| self.read(&mut decoder, kind, node));
        let is_other = kind.as_ref().is_some_and(|kind| kind.kind == Kind::Other);
        if decoder.n_errors() == 0 {
            self.objects.extend(object);
        } else if !is_other {
            let object = decoder.object().unwrap_or("an object of unknown kind").to_owned();
            let scope = kind.as_ref().map_or(LeftOutScope::Cluster, |kind| scope(kind, node));
            let span = Some(decoder.span(node.place));
            self.left_out.push(LeftOut { object, scope, span });
        }
        self.findings.extend(decoder.into_findings());
    }

    /// Each fault goes to the item that it stands in.
    fn list(
        &mut self,
        file: FileId,
        item_kind: Option<&ApiKind>,
        items: &[Node<'_>],
        faults: Vec<Fault>,
    ) {
        let mut faults = faults.into_iter().peekable();
        for (index, item) in items.iter().enumerate() {
            let next = items.get(index + 1).map(|item| item.place);
            let is_of_item = |fault: &Fault| next.is_none_or(|next| fault.place < next);
            let of_item = std::iter::from_fn(|| faults.next_if(is_of_item)).collect();
            self.object(file, item, Holder::List(item_kind), of_item);
        }
    }

    fn read(&mut self, decoder: &mut Decoder, kind: &ApiKind, node: &Node<'_>) -> Option<Object> {
        match kind.kind {
            Kind::NetworkPolicy => return network_policy::lower(decoder, node),
            Kind::ClusterNetworkPolicy => return cluster_policy::lower(decoder, node),
            Kind::AdminNetworkPolicy => {
                return admin_policy::lower(decoder, node, Version::V1Alpha1Admin);
            }
            Kind::BaselineAdminNetworkPolicy => {
                return admin_policy::lower(decoder, node, Version::V1Alpha1Baseline);
            }
            Kind::Unread => return None,
            Kind::OtherPolicy => {
                self.unread_policies
                    .entry(kind.to_string())
                    .or_insert_with(|| kinds::unread_policy(decoder, kind, node));
                *self.other_kinds.entry(kind.to_string()).or_default() += 1;
                return None;
            }
            Kind::Other => {
                *self.other_kinds.entry(kind.to_string()).or_default() += 1;
                return None;
            }
            Kind::Namespace
            | Kind::Node
            | Kind::Pod
            | Kind::Service
            | Kind::Workload(_)
            | Kind::Entry(_) => {}
        }
        let object = decoder.lenient(node, "the object")?;
        match kind.kind {
            Kind::Namespace => cluster::lower_namespace(decoder, &object),
            Kind::Node => cluster::lower_node(decoder, &object),
            Kind::Pod => pod::lower(decoder, &object),
            Kind::Service => service::lower(decoder, &object),
            Kind::Workload(kind) => workload::lower(decoder, &object, kind),
            Kind::Entry(kind) => entry::lower(decoder, &object, kind),
            Kind::NetworkPolicy
            | Kind::ClusterNetworkPolicy
            | Kind::AdminNetworkPolicy
            | Kind::BaselineAdminNetworkPolicy
            | Kind::Unread
            | Kind::OtherPolicy
            | Kind::Other => None,
        }
    }

    /// Puts what comes later in the input behind.
    pub(crate) fn append(&mut self, later: Self) {
        let Self { objects, findings, left_out, other_kinds, unread_policies, n_objects } = later;
        self.objects.extend(objects);
        self.findings.extend(findings);
        self.left_out.extend(left_out);
        for (kind, n) in other_kinds {
            *self.other_kinds.entry(kind).or_default() += n;
        }
        for (kind, finding) in unread_policies {
            self.unread_policies.entry(kind).or_insert(finding);
        }
        self.n_objects += n_objects;
        cap(&mut self.findings, &mut self.left_out);
    }
}

/// Findings, and objects that were left out, of one run. A person reads fewer, and hostile input has
/// millions.
const MAX_REPORTED: usize = 100_000;

/// Cuts both lists to their limit, with a last item that says so.
pub(crate) fn cap(findings: &mut Vec<Finding>, left_out: &mut Vec<LeftOut>) {
    if findings.len() > MAX_REPORTED {
        findings.truncate(MAX_REPORTED - 1);
        let message = "there are more findings than are shown";
        let help = "put these right first, and run again";
        findings.push(Finding::new(codes::TOO_MANY, Severity::Error, message, help));
    }
    if left_out.len() > MAX_REPORTED {
        left_out.truncate(MAX_REPORTED - 1);
        let object = "more objects than are listed".to_owned();
        left_out.push(LeftOut { object, scope: LeftOutScope::Cluster, span: None });
    }
}

/// What an object stands in.
#[derive(Clone, Copy, Debug)]
enum Holder<'k> {
    Document,
    /// With what a typed list says of its items, which may leave it out themselves.
    List(Option<&'k ApiKind>),
}

/// The namespace that an object without one is in.
fn in_namespace(namespace: Option<String>) -> String {
    namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

const DEFAULT_NAMESPACE: &str = "default";

fn metadata_text<'n>(node: &'n Node<'_>, field: &str) -> Option<&'n str> {
    node.child("metadata")?.child(field)?.text().filter(|text| !text.is_empty())
}

/// What the person knows an object by, even if it is wrong otherwise: `NetworkPolicy shop/web`.
fn title(kind: &ApiKind, node: &Node<'_>) -> String {
    let name = metadata_text(node, "name").unwrap_or("(no name)");
    if kind.kind.is_cluster_scoped() {
        return format!("{} {name}", kind.name);
    }
    let namespace = metadata_text(node, "namespace").unwrap_or(DEFAULT_NAMESPACE);
    format!("{} {namespace}/{name}", kind.name)
}

/// The answers that an object which was left out could have changed.
fn scope(kind: &ApiKind, node: &Node<'_>) -> LeftOutScope {
    let name = metadata_text(node, "name").map(str::to_owned);
    let namespace_node = node.child("metadata").and_then(|metadata| metadata.child("namespace"));
    let namespace = match namespace_node.map(|node| &node.value) {
        None | Some(Value::Null) => Some(DEFAULT_NAMESPACE.to_owned()),
        Some(Value::Text { text, .. }) if !text.is_empty() => Some(text.as_ref().to_owned()),
        Some(_) => None,
    };
    match kind.kind {
        Kind::Namespace => name.map(LeftOutScope::Namespace),
        Kind::NetworkPolicy => namespace.map(LeftOutScope::Namespace),
        Kind::Pod | Kind::Service | Kind::Workload(_) | Kind::Entry(_) => {
            namespace.zip(name).map(|(namespace, name)| LeftOutScope::Object { namespace, name })
        }
        Kind::Node
        | Kind::ClusterNetworkPolicy
        | Kind::AdminNetworkPolicy
        | Kind::BaselineAdminNetworkPolicy
        | Kind::Unread
        | Kind::OtherPolicy
        | Kind::Other => None,
    }
    .unwrap_or(LeftOutScope::Cluster)
}

impl Object {
    /// Kind, namespace and name; `None` for what may be there twice.
    pub(crate) fn key(&self) -> Option<(String, Option<&str>, &str)> {
        match self {
            Self::Namespace(namespace) => Some(("Namespace".into(), None, &namespace.name)),
            Self::Node(node) => Some(("Node".into(), None, &node.name)),
            Self::Pod(owned) => Some(("Pod".into(), Some(&owned.pod.namespace), &owned.pod.name)),
            Self::Terminated => None,
            Self::Workload(workload) => {
                let id = &workload.id;
                Some((id.kind.to_string(), Some(&id.namespace), &id.name))
            }
            Self::Service(service) => {
                Some(("Service".into(), Some(&service.namespace), &service.name))
            }
            Self::Entry(entry) => {
                Some((entry.kind.to_string(), Some(&entry.namespace), &entry.name))
            }
            Self::Policy(policy) => {
                let id = &policy.id;
                Some((id.kind.to_string(), id.namespace.as_deref(), &id.name))
            }
        }
    }

    pub(crate) fn span(&self) -> Option<finding_model::SourceSpan> {
        match self {
            Self::Namespace(namespace) => namespace.span,
            Self::Node(node) => node.span,
            Self::Pod(owned) => owned.pod.span,
            Self::Terminated => None,
            Self::Workload(workload) => workload.span,
            Self::Service(service) => service.span,
            Self::Entry(entry) => entry.span,
            Self::Policy(policy) => policy.span,
        }
    }

    /// The answers that the object could change, were it left out.
    pub(crate) fn scope(&self) -> LeftOutScope {
        match self.key() {
            Some((_, None, name)) if matches!(self, Self::Namespace(_)) => {
                LeftOutScope::Namespace(name.to_owned())
            }
            Some((_, Some(namespace), _)) if matches!(self, Self::Policy(_)) => {
                LeftOutScope::Namespace(namespace.to_owned())
            }
            Some((_, Some(namespace), name)) => {
                LeftOutScope::Object { namespace: namespace.to_owned(), name: name.to_owned() }
            }
            Some((_, None, _)) | None => LeftOutScope::Cluster,
        }
    }
}
