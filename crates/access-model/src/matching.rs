//! Whether a rule's conditions hold: yes, no, or it is not known.

use crate::core_group::{self, Scope};
use crate::{
    Ask, Conditions, Detail, Identity, LabelRequirement, LabelTest, Names, PodFacts, Privilege,
    Privileges, Request, Resource, Rule, Verb, Verbs, Who,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// `what` is the end of a sentence.
    NotKnown {
        what: &'static str,
    },
}

/// Resources outside of the core group that have no namespace. Of others, a list without one may be of all
/// namespaces.
const CLUSTER_SCOPED: [(&str, &[&str]); 10] = [
    (
        "admissionregistration.k8s.io",
        &[
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        ],
    ),
    ("apiextensions.k8s.io", &["customresourcedefinitions"]),
    ("apiregistration.k8s.io", &["apiservices"]),
    ("certificates.k8s.io", &["certificatesigningrequests", "clustertrustbundles"]),
    ("flowcontrol.apiserver.k8s.io", &["flowschemas", "prioritylevelconfigurations"]),
    ("networking.k8s.io", &["ingressclasses", "ipaddresses", "servicecidrs"]),
    ("node.k8s.io", &["runtimeclasses"]),
    ("rbac.authorization.k8s.io", &["clusterrolebindings", "clusterroles"]),
    ("scheduling.k8s.io", &["priorityclasses"]),
    ("storage.k8s.io", &["csidrivers", "csinodes", "storageclasses", "volumeattachments"]),
];

pub(crate) fn holds(rule: &Rule, ask: &Ask<'_>) -> Match {
    let Conditions { clusters, namespaces, names, containers, labels, privileges } = &rule.place;
    let certain = who(&rule.who, ask.identity)
        && verb(&rule.verbs, ask.request.verb())
        && clusters.admit(ask.cluster);
    if !certain {
        return Match::No;
    }
    let matches = [
        namespace(namespaces, ask.request),
        name(names, ask.request),
        container(containers, ask),
        all_labels(labels, ask),
        any_privilege(privileges, ask.privileges),
    ];
    let is_unknown = |found: &&Match| matches!(found, Match::NotKnown { .. });
    if matches.contains(&Match::No) {
        return Match::No;
    }
    matches.iter().find(is_unknown).copied().unwrap_or(Match::Yes)
}

fn who(who: &Who, identity: &Identity) -> bool {
    match who {
        Who::Anyone => true,
        Who::Listed { users, groups } => {
            users.iter().any(|pattern| pattern.matches(&identity.user))
                || identity
                    .groups
                    .iter()
                    .any(|group| groups.iter().any(|pattern| pattern.matches(group)))
        }
    }
}

fn verb(verbs: &Verbs, verb: Verb) -> bool {
    match verbs {
        Verbs::Any => true,
        Verbs::Listed(verbs) => verbs.contains(&verb),
    }
}

const fn certainly(holds: bool) -> Match {
    if holds { Match::Yes } else { Match::No }
}

fn namespace(namespaces: &Names, request: &Request) -> Match {
    if *namespaces == Names::Any {
        return Match::Yes;
    }
    match request.resource() {
        Some(Resource { namespace: Some(namespace), .. }) => certainly(namespaces.admit(namespace)),
        // The name of an object without a namespace says that its kind has none; so does a creation.
        Some(resource) if resource.name.is_none() && request.action != "create" => {
            if is_cluster_scoped(resource) {
                Match::No
            } else {
                Match::NotKnown { what: "the request is about all namespaces" }
            }
        }
        // A kubelet and the API server's own logs know the pods of all namespaces.
        Some(_) | None => match request.verb() {
            Verb::NodeProxy | Verb::ServerDebug => {
                Match::NotKnown { what: "the request is about all namespaces" }
            }
            Verb::Exec
            | Verb::Attach
            | Verb::PortForward
            | Verb::Debug
            | Verb::Logs
            | Verb::Proxy
            | Verb::TokenRequest
            | Verb::Api => Match::No,
        },
    }
}

fn is_cluster_scoped(resource: &Resource) -> bool {
    if resource.group.is_empty() {
        return core_group::find(&resource.resource)
            .is_some_and(|known| known.scope == Scope::Cluster);
    }
    CLUSTER_SCOPED.iter().any(|(group, resources)| {
        *group == resource.group && resources.contains(&resource.resource.as_str())
    })
}

fn name(names: &Names, request: &Request) -> Match {
    match (names, request.name()) {
        (Names::Any, _) => Match::Yes,
        (Names::Listed(_), Some(name)) => certainly(names.admit(name)),
        (Names::Listed(_), None) if request.resource().is_some() => {
            Match::NotKnown { what: "the request names no single object" }
        }
        (Names::Listed(_), None) => Match::No,
    }
}

fn container(containers: &Names, ask: &Ask<'_>) -> Match {
    if *containers == Names::Any {
        return Match::Yes;
    }
    let named = ask.request.container().or_else(|| ask.pod.and_then(PodFacts::only_container));
    match (&ask.request.detail, named) {
        (Detail::Exec { .. } | Detail::Attach { .. } | Detail::Logs { .. }, Some(container)) => {
            certainly(containers.admit(container))
        }
        (Detail::Exec { .. } | Detail::Attach { .. } | Detail::Logs { .. } | Detail::Debug, _) => {
            Match::NotKnown { what: "it is not known which container is meant" }
        }
        (
            Detail::PortForward { .. }
            | Detail::Proxy(_)
            | Detail::NodeProxy(_)
            | Detail::TokenRequest
            | Detail::ServerDebug
            | Detail::Api,
            _,
        ) => Match::No,
    }
}

fn all_labels(requirements: &[LabelRequirement], ask: &Ask<'_>) -> Match {
    if requirements.is_empty() {
        return Match::Yes;
    }
    match (ask.request.verb(), ask.request.pod(), ask.pod) {
        (Verb::Api | Verb::TokenRequest | Verb::ServerDebug, _, _) => Match::No,
        // The facts must be those of the pod that the request is about.
        (_, Some((namespace, name)), Some(pod))
            if pod.namespace == namespace && pod.name == name =>
        {
            certainly(requirements.iter().all(|requirement| label(requirement, pod)))
        }
        _ => Match::NotKnown { what: "the labels of the pods that it reaches are not known" },
    }
}

fn label(requirement: &LabelRequirement, pod: &PodFacts) -> bool {
    let value = pod.labels.get(&requirement.key);
    match &requirement.test {
        LabelTest::In(values) => value.is_some_and(|value| values.contains(value)),
        LabelTest::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        LabelTest::Exists => value.is_some(),
        LabelTest::Absent => value.is_none(),
    }
}

fn any_privilege(listed: &[Privilege], privileges: &Privileges) -> Match {
    if listed.is_empty() {
        return Match::Yes;
    }
    match privileges {
        Privileges::NotAsked => Match::No,
        Privileges::Known(known) => {
            certainly(known.iter().any(|privilege| listed.contains(privilege)))
        }
        Privileges::Unreadable => {
            Match::NotKnown { what: "what the pod would be given could not be read" }
        }
    }
}
