//! Which objects are read, which only counted, and which refused because they would be misread.

use super::Holder;
use crate::codes;
use crate::document::{Decoder, Node, Value, did_you_mean, listed};
use finding_model::{Finding, Severity};
use policy_model::{EntryKind, WorkloadKind};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Workload(WorkloadKind),
    Entry(EntryKind),
    NetworkPolicy,
    ClusterNetworkPolicy,
    AdminNetworkPolicy,
    BaselineAdminNetworkPolicy,
    /// Says nothing of reachability, as far as Weir knows.
    Other,
    /// Says something of reachability, in an API that Weir does not read.
    OtherPolicy,
    /// An error was reported instead.
    Unread,
}

impl Kind {
    pub(super) fn is_cluster_scoped(self) -> bool {
        match self {
            Self::Namespace
            | Self::Node
            | Self::ClusterNetworkPolicy
            | Self::AdminNetworkPolicy
            | Self::BaselineAdminNetworkPolicy => true,
            Self::Pod
            | Self::Service
            | Self::Workload(_)
            | Self::Entry(_)
            | Self::NetworkPolicy
            | Self::Other
            | Self::OtherPolicy
            | Self::Unread => false,
        }
    }
}

/// What an object says it is.
#[derive(Clone, Debug)]
pub(super) struct ApiKind {
    api_version: String,
    pub name: String,
    pub kind: Kind,
}

/// `apps/v1/Deployment`.
impl fmt::Display for ApiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version, self.name)
    }
}

struct Known {
    group: &'static str,
    versions: &'static [&'static str],
    name: &'static str,
    kind: Kind,
}

const fn known(
    group: &'static str,
    versions: &'static [&'static str],
    name: &'static str,
    kind: Kind,
) -> Known {
    Known { group, versions, name, kind }
}

const GATEWAY: &str = "gateway.networking.k8s.io";
const POLICY: &str = "policy.networking.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

const KNOWN: [Known; 20] = [
    known("", &["v1"], "Namespace", Kind::Namespace),
    known("", &["v1"], "Node", Kind::Node),
    known("", &["v1"], "Pod", Kind::Pod),
    known("", &["v1"], "Service", Kind::Service),
    known(
        "",
        &["v1"],
        "ReplicationController",
        Kind::Workload(WorkloadKind::ReplicationController),
    ),
    known("apps", &["v1"], "Deployment", Kind::Workload(WorkloadKind::Deployment)),
    known("apps", &["v1"], "ReplicaSet", Kind::Workload(WorkloadKind::ReplicaSet)),
    known("apps", &["v1"], "StatefulSet", Kind::Workload(WorkloadKind::StatefulSet)),
    known("apps", &["v1"], "DaemonSet", Kind::Workload(WorkloadKind::DaemonSet)),
    known("batch", &["v1"], "Job", Kind::Workload(WorkloadKind::Job)),
    known("batch", &["v1"], "CronJob", Kind::Workload(WorkloadKind::CronJob)),
    known(NETWORKING, &["v1"], "Ingress", Kind::Entry(EntryKind::Ingress)),
    known(NETWORKING, &["v1"], "NetworkPolicy", Kind::NetworkPolicy),
    known(POLICY, &["v1alpha2"], "ClusterNetworkPolicy", Kind::ClusterNetworkPolicy),
    known(POLICY, &["v1alpha1"], "AdminNetworkPolicy", Kind::AdminNetworkPolicy),
    known(POLICY, &["v1alpha1"], "BaselineAdminNetworkPolicy", Kind::BaselineAdminNetworkPolicy),
    known(GATEWAY, &["v1", "v1beta1", "v1alpha2"], "HTTPRoute", Kind::Entry(EntryKind::HttpRoute)),
    known(GATEWAY, &["v1", "v1alpha2"], "GRPCRoute", Kind::Entry(EntryKind::GrpcRoute)),
    known(GATEWAY, &["v1", "v1alpha3", "v1alpha2"], "TLSRoute", Kind::Entry(EntryKind::TlsRoute)),
    known(GATEWAY, &["v1", "v1alpha2"], "TCPRoute", Kind::Entry(EntryKind::TcpRoute)),
];
const UDP_ROUTE: Known =
    known(GATEWAY, &["v1", "v1alpha2"], "UDPRoute", Kind::Entry(EntryKind::UdpRoute));

/// Kinds beside those above of the groups that are watched for slips of the pen.
const OTHERS_OF_GROUPS: [(&str, &[&str]); 2] =
    [(NETWORKING, &["IngressClass", "IPAddress", "ServiceCIDR", "ClusterCIDR"]), (POLICY, &[])];

/// Groups that earlier versions of the kinds above were in.
const FORMER_GROUPS: [&str; 1] = ["extensions"];

/// Kinds by which other systems decide who may connect. `*` is every kind of the group.
const OTHER_POLICIES: [(&str, &[&str]); 10] = [
    ("crd.projectcalico.org", &["*"]),
    ("projectcalico.org", &["*"]),
    ("cilium.io", &["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]),
    ("crd.antrea.io", &["NetworkPolicy", "ClusterNetworkPolicy"]),
    ("security.istio.io", &["AuthorizationPolicy", "PeerAuthentication"]),
    ("policy.linkerd.io", &["AuthorizationPolicy", "ServerAuthorization"]),
    ("k8s.ovn.org", &["EgressFirewall", "AdminPolicyBasedExternalRoute"]),
    ("networking.k8s.aws", &["ClusterNetworkPolicy", "ApplicationNetworkPolicy"]),
    ("networking.gke.io", &["FQDNNetworkPolicy"]),
    ("network.openshift.io", &["EgressNetworkPolicy"]),
];

impl ApiKind {
    /// The items of a list, and the kind that a typed list gives them.
    pub(super) fn list_items<'n, 't>(
        &self,
        node: &'n Node<'t>,
    ) -> Option<(Option<Self>, &'n [Node<'t>])> {
        let item_name = self.name.strip_suffix("List")?;
        let items: &[Node<'t>] = match &node.child("items")?.value {
            Value::Sequence(items) => items,
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::Text { .. } | Value::Mapping(_) => {
                return None;
            }
        };
        let item_kind = (!item_name.is_empty()).then(|| Self {
            api_version: self.api_version.clone(),
            name: item_name.to_owned(),
            kind: Kind::Other,
        });
        Some((item_kind, items))
    }
}

/// What an object is; `None` where the document is no object at all, which is reported.
pub(super) fn classify(
    decoder: &mut Decoder,
    node: &Node<'_>,
    holder: Holder<'_>,
) -> Option<ApiKind> {
    let list_kind = match holder {
        Holder::List(kind) => kind,
        Holder::Document => None,
    };
    let text = |field| node.child(field).and_then(|node| node.text());
    let api_version = text("apiVersion").or(list_kind.map(|list| list.api_version.as_str()));
    let name = text("kind").or(list_kind.map(|list| list.name.as_str()));
    let (Some(api_version), Some(name)) = (api_version, name) else {
        no_kind(decoder, node, holder);
        return None;
    };
    let kind = kind(decoder, node, api_version, name);
    Some(ApiKind { api_version: api_version.to_owned(), name: name.to_owned(), kind })
}

/// A Helm values file in a folder is no mistake; a text, a list, or half an object is.
fn no_kind(decoder: &mut Decoder, node: &Node<'_>, holder: Holder<'_>) {
    let has = |field| node.child(field).is_some();
    let is_mapping = matches!(node.value, Value::Mapping(_));
    let is_meant_as_one = has("kind")
        || (has("apiVersion") && has("metadata"))
        || (is_mapping && matches!(holder, Holder::List(_)));
    if !is_meant_as_one {
        let message = format!("this is no Kubernetes object but {}", node.value.kind());
        let help = "leave it out, or add `apiVersion` and `kind` if it is an object";
        let finding = if is_mapping {
            let message = "this is no Kubernetes object: it has no `kind`";
            decoder.warning(codes::NOT_AN_OBJECT, node.place, message, help)
        } else {
            decoder.error(codes::NOT_AN_OBJECT, node.place, message, help)
        };
        finding.why = Some("nothing of it is part of the answers".into());
        return;
    }
    for field in ["apiVersion", "kind"] {
        match node.child(field) {
            Some(value) if value.text().is_none() => decoder.wrong_type(value, "a string"),
            Some(_) => {}
            None => {
                let message = format!("the object has no `{field}`");
                let help = format!("add `{field}`");
                decoder.error(codes::MISSING_FIELD, node.place, message, help);
            }
        }
    }
}

fn kind(decoder: &mut Decoder, node: &Node<'_>, api_version: &str, name: &str) -> Kind {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let all = || KNOWN.iter().chain(std::iter::once(&UDP_ROUTE));
    if let Some(known) = all().find(|known| known.group == group && known.name == name) {
        if known.versions.contains(&version) {
            return known.kind;
        }
        unsupported(decoder, node, api_version, known);
        return Kind::Unread;
    }
    let is_other_policy = OTHER_POLICIES.iter().any(|(other_group, kinds)| {
        *other_group == group && (kinds.contains(&"*") || kinds.contains(&name))
    });
    if is_other_policy {
        return Kind::OtherPolicy;
    }
    let is_policy = |known: &&Known| {
        matches!(
            known.kind,
            Kind::NetworkPolicy
                | Kind::ClusterNetworkPolicy
                | Kind::AdminNetworkPolicy
                | Kind::BaselineAdminNetworkPolicy
        )
    };
    let former = FORMER_GROUPS.contains(&group) || all().any(|known| known.group == group);
    if let Some(known) = all().find(|known| known.name == name && (former || is_policy(known))) {
        unsupported(decoder, node, api_version, known);
        return Kind::Unread;
    }
    if let Some((_, others)) = OTHERS_OF_GROUPS.iter().find(|(watched, _)| *watched == group)
        && !others.contains(&name)
        && !name.ends_with("List")
    {
        let names: Vec<&str> =
            all().filter(|known| known.group == group).map(|known| known.name).collect();
        unknown_kind(decoder, node, name, &names);
        return Kind::Unread;
    }
    Kind::Other
}

fn unsupported(decoder: &mut Decoder, node: &Node<'_>, api_version: &str, known: &Known) {
    let place = node.child("apiVersion").map_or(node.place, |node| node.place);
    let versions: Vec<String> = known
        .versions
        .iter()
        .map(|version| match known.group {
            "" => (*version).to_owned(),
            group => format!("{group}/{version}"),
        })
        .collect();
    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
    let message = format!("{} is not read in `{api_version}`", known.name);
    let help = format!(
        "convert it to {}; `kubectl get -o yaml` prints the version that the cluster prefers",
        listed(&versions)
    );
    let finding = decoder.error(codes::UNSUPPORTED_VERSION, place, message, help);
    finding.why = Some("fields of another version may mean something else".into());
}

fn unknown_kind(decoder: &mut Decoder, node: &Node<'_>, name: &str, names: &[&str]) {
    let place = node.child("kind").map_or(node.place, |node| node.place);
    let help = match did_you_mean(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the kinds are {}", listed(names)),
    };
    let message = format!("the API group has no kind `{name}`");
    let finding = decoder.error(codes::UNKNOWN_KIND, place, message, help);
    finding.why = Some("read past, it would be a policy without effect".into());
}

/// Said once of each kind, at its first object.
pub(super) fn unread_policy(decoder: &Decoder, kind: &ApiKind, node: &Node<'_>) -> Finding {
    let message = format!("policies of kind {kind} are not analysed");
    let help = "take the answers as those of the Kubernetes policies alone";
    let mut finding = Finding::new(codes::POLICY_KIND_NOT_READ, Severity::Warning, message, help);
    finding.span = Some(decoder.span(node.place));
    finding.object = decoder.object().map(str::to_owned);
    finding.why = Some("they may allow or deny what the answers say otherwise".into());
    finding
}
