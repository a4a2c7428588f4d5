//! Who the gateway is for the API server, and what it may: as little as its work needs.

use super::{Document, GatewayIdentity, Impersonation, Installation, Requests, ServiceAccount};
use crate::names::{ROLE, SESSION_KEY};
use crate::privileged::PRIVILEGED;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const AUTHENTICATION: &str = "authentication.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
/// What the API server adds to the identity of a pod's token, and checks again when it is impersonated.
const TOKEN_KEYS: [&str; 5] = [
    "authentication.kubernetes.io/credential-id",
    "authentication.kubernetes.io/node-name",
    "authentication.kubernetes.io/node-uid",
    "authentication.kubernetes.io/pod-name",
    "authentication.kubernetes.io/pod-uid",
];
/// What `kubectl` reads before it opens a session, or while it waits for a container.
const LOOKED_UP: [(&str, &[&str]); 3] = [
    ("", &["namespaces", "nodes", "pods", "replicationcontrollers", "services"]),
    ("apps", &["daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("batch", &["cronjobs", "jobs"]),
];

pub(super) fn documents(installation: &Installation) -> Vec<Document> {
    let mut documents = Vec::new();
    if let GatewayIdentity::ServiceAccount(account) = &installation.gateway {
        documents.extend(home(account));
    }
    documents.push(cluster_role(installation));
    documents.push(Document {
        comment: "Whoever has this identity has the role above.".to_owned(),
        object: binding("ClusterRoleBinding", None, "ClusterRole", &installation.gateway),
    });
    let mut by_namespace: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for ServiceAccount { namespace, name } in &installation.service_accounts {
        by_namespace.entry(namespace).or_default().insert(name);
    }
    for (namespace, names) in by_namespace {
        documents.extend(stands_for(namespace, &names, &installation.gateway));
    }
    documents
}

fn home(account: &ServiceAccount) -> [Document; 2] {
    let ServiceAccount { namespace, name } = account;
    [
        Document {
            comment: "The gateway's own namespace. Whoever may create pods here, or read Secrets, can be the gateway:\n\
                      give nobody rights in it."
                .to_owned(),
            object: json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace, "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                }},
            }),
        },
        Document {
            comment: "Who the gateway is.".to_owned(),
            object: json!({
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": name, "namespace": namespace},
                "automountServiceAccountToken": false,
            }),
        },
    ]
}

fn cluster_role(installation: &Installation) -> Document {
    let (how, mut rules) = match installation.impersonation {
        Impersonation::Legacy => (LEGACY, legacy_rules(&installation.groups)),
        Impersonation::Constrained(requests) => {
            (CONSTRAINED, constrained_rules(&installation.groups, requests))
        }
    };
    if !installation.service_accounts.is_empty() {
        rules.extend(service_account_rules(installation));
    }
    rules.push(rule(AUTHENTICATION, &["tokenreviews"], &["create"]));
    rules.push(rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"]));
    rules.push(rule("", &["pods"], &["get"]));
    Document {
        comment: format!(
            "What the gateway may: {how}\n\
             Beside that it asks who a token belongs to, whether a caller may do what it asks for, and which pod is meant."
        ),
        object: json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "ClusterRole",
            "metadata": {"name": ROLE},
            "rules": rules,
        }),
    }
}

const LEGACY: &str = "stand for any caller (the API server is older than 1.36, or is treated as such). Whoever steals its\n\
    credentials can do what any user can; with 1.36 or later, install without --legacy-impersonation.";
const CONSTRAINED: &str = "stand for a caller (impersonate:user-info), but only for these requests\n\
    (impersonate-on:user-info:…; Kubernetes 1.36 or later). The API server never lets it be system:masters.";

fn legacy_rules(groups: &[String]) -> Vec<Value> {
    let session = format!("userextras/{SESSION_KEY}");
    vec![
        rule("", &["users"], &["impersonate"]),
        named(rule("", &["groups"], &["impersonate"]), groups),
        rule(AUTHENTICATION, &["uids", &session], &["impersonate"]),
    ]
}

fn constrained_rules(groups: &[String], requests: Requests) -> Vec<Value> {
    let session = format!("userextras/{SESSION_KEY}");
    let stand = &["impersonate:user-info"];
    let mut rules = vec![
        rule(AUTHENTICATION, &["users", "uids", &session], stand),
        named(rule(AUTHENTICATION, &["groups"], stand), groups),
    ];
    rules.extend(PRIVILEGED.iter().map(|known| rule("", &[&known.path()], &on(known.actions))));
    match requests {
        Requests::Sessions => {
            let looked_up = LOOKED_UP.iter();
            rules.extend(
                looked_up.map(|(group, resources)| {
                    rule(group, resources, &on(&["get", "list", "watch"]))
                }),
            );
        }
        Requests::Reads => rules.push(rule("*", &["*"], &on(&["get", "list", "watch"]))),
        Requests::Everything => rules.push(rule("*", &["*"], &on(EVERY_ACTION))),
    }
    let reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"];
    rules.push(rule("authorization.k8s.io", &reviews, &on(&["create"])));
    rules.push(rule(AUTHENTICATION, &["selfsubjectreviews"], &on(&["create"])));
    rules.push(json!({
        "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version"],
        "verbs": on(&["get"]),
    }));
    rules
}

const EVERY_ACTION: &[&str] =
    &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// Constrained impersonation gives a service account no extra values, and so no session: it is done the old way, for
/// these accounts alone. Their names are in roles of their namespaces.
fn service_account_rules(installation: &Installation) -> Vec<Value> {
    let accounts = &installation.service_accounts;
    let of_namespaces: BTreeSet<String> = accounts
        .iter()
        .map(|account| format!("system:serviceaccounts:{}", account.namespace))
        .collect();
    let groups: Vec<String> = ["system:authenticated", "system:serviceaccounts"]
        .into_iter()
        .map(str::to_owned)
        .chain(of_namespaces)
        .collect();
    let mut extras: Vec<String> =
        TOKEN_KEYS.iter().map(|key| format!("userextras/{key}")).collect();
    extras.push(format!("userextras/{SESSION_KEY}"));
    extras.push("uids".to_owned());
    extras.sort();
    let extras: Vec<&str> = extras.iter().map(String::as_str).collect();
    vec![
        named(rule("", &["groups"], &["impersonate"]), &groups),
        rule(AUTHENTICATION, &extras, &["impersonate"]),
    ]
}

fn stands_for(namespace: &str, names: &BTreeSet<&str>, gateway: &GatewayIdentity) -> [Document; 2] {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let accounts = named(rule("", &["serviceaccounts"], &["impersonate"]), &names);
    [
        Document {
            comment: format!("Service accounts of {namespace} for which the gateway may stand."),
            object: json!({
                "apiVersion": format!("{RBAC}/v1"),
                "kind": "Role",
                "metadata": {"name": ROLE, "namespace": namespace},
                "rules": [accounts],
            }),
        },
        Document {
            comment: "The same, bound.".to_owned(),
            object: binding("RoleBinding", Some(namespace), "Role", gateway),
        },
    ]
}

fn binding(kind: &str, namespace: Option<&str>, role: &str, gateway: &GatewayIdentity) -> Value {
    let subject = match gateway {
        GatewayIdentity::ServiceAccount(ServiceAccount { namespace, name }) => {
            json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
        }
        GatewayIdentity::User(name) => json!({"apiGroup": RBAC, "kind": "User", "name": name}),
    };
    let mut metadata = json!({"name": ROLE});
    if let (Some(metadata), Some(namespace)) = (metadata.as_object_mut(), namespace) {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": ROLE},
        "subjects": [subject],
    })
}

fn rule(group: &str, resources: &[&str], verbs: &[impl AsRef<str>]) -> Value {
    let verbs: Vec<&str> = verbs.iter().map(AsRef::as_ref).collect();
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

/// Only for these names, where there are some.
fn named(mut rule: Value, names: &[String]) -> Value {
    if let (Some(fields), false) = (rule.as_object_mut(), names.is_empty()) {
        fields.insert("resourceNames".to_owned(), json!(names));
    }
    rule
}

fn on(actions: &[&str]) -> Vec<String> {
    actions.iter().map(|action| format!("impersonate-on:user-info:{action}")).collect()
}
