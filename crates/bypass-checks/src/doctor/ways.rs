//! Rights by which somebody goes round the gateway.

use super::cluster::Cluster;
use super::rights::{Grant, Right, Subject};
use super::{Expected, codes};
use crate::install::{BreakGlass, GatewayIdentity, ServiceAccount};
use finding_model::{Code, Finding, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// A way round, and the right that opens it.
struct Way {
    code: Code,
    severity: Severity,
    rights: &'static [Right],
    reach: Reach,
    /// Completes "User ann may …".
    may: &'static str,
    why: &'static str,
    help: &'static str,
}

/// For which objects a right has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Anywhere,
    /// In the gateway's own namespace.
    GatewayNamespace,
    /// For a user or group that may break the glass.
    BreakGlass,
    /// In a namespace whose pods may use the host.
    HostNamespace,
}

const fn right(
    verbs: &'static [&'static str],
    group: &'static str,
    resource: &'static str,
) -> Right {
    Right { verbs, group, resource }
}

const CHANGE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const CREATE: &[&str] = &["create"];
const WRITE: &[&str] = &["create", "update", "patch"];
const READ: &[&str] = &["get", "list", "watch"];
const STAND: &[&str] = &["impersonate", "impersonate:user-info", "impersonate:arbitrary-node"];
const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";

const RUN_PODS: &[Right] = &[
    right(CREATE, "", "pods"),
    right(WRITE, "", "replicationcontrollers"),
    right(WRITE, "apps", "deployments"),
    right(WRITE, "apps", "daemonsets"),
    right(WRITE, "apps", "statefulsets"),
    right(WRITE, "apps", "replicasets"),
    right(WRITE, "batch", "jobs"),
    right(WRITE, "batch", "cronjobs"),
];

const WAYS: [Way; 8] = [
    Way {
        code: codes::KUBELET,
        severity: Severity::Error,
        rights: &[right(&["get", "create", "update", "patch", "delete"], "", "nodes/proxy")],
        reach: Reach::Anywhere,
        may: "reach kubelets past the API server (nodes/proxy)",
        why: "a kubelet runs commands in every container of its node for whoever has this right, read alone is enough, and \
              neither admission nor the audit log hears of it",
        help: "take nodes/proxy away; what reads metrics needs nodes/metrics and nodes/stats, which run nothing",
    },
    Way {
        code: codes::FORGE,
        severity: Severity::Error,
        rights: &[right(STAND, "authentication.k8s.io", "userextras/weir.dev/session")],
        reach: Reach::Anywhere,
        may: "set the session key",
        why: "the policy lets through what has a session's id, and whoever may set the key can make one up; only \
              `weir sessions coverage` would show it",
        help: "take impersonation of userextras away from everybody but the gateway",
    },
    Way {
        code: codes::CHANGE_POLICY,
        severity: Severity::Error,
        rights: &[
            right(CHANGE, ADMISSION, "validatingadmissionpolicies"),
            right(CHANGE, ADMISSION, "validatingadmissionpolicybindings"),
        ],
        reach: Reach::Anywhere,
        may: "change or remove the policy that refuses unrecorded access",
        why: "without the policy nothing is refused; the audit log has the change",
        help: "leave admission policies to an identity that is used for nothing else, and alert on their changes",
    },
    Way {
        code: codes::BE_GATEWAY,
        severity: Severity::Error,
        rights: &[
            right(CREATE, "", "serviceaccounts/token"),
            right(READ, "", "secrets"),
            right(CREATE, "", "pods"),
            right(WRITE, "apps", "deployments"),
            right(WRITE, "apps", "daemonsets"),
            right(WRITE, "apps", "statefulsets"),
            right(WRITE, "batch", "jobs"),
            right(WRITE, "batch", "cronjobs"),
        ],
        reach: Reach::GatewayNamespace,
        may: "get the gateway's credentials",
        why: "who has them stands for any caller with any session",
        help: "give nobody rights in the gateway's namespace, and no right of this kind in all namespaces",
    },
    Way {
        code: codes::BE_BREAK_GLASS,
        severity: Severity::Warning,
        rights: &[
            right(STAND, "", "users"),
            right(STAND, "", "groups"),
            right(STAND, "authentication.k8s.io", "users"),
            right(STAND, "authentication.k8s.io", "groups"),
        ],
        reach: Reach::BreakGlass,
        may: "stand for a break-glass identity",
        why: "it passes the gateway in somebody else's name; the audit log has who it was",
        help: "limit impersonation to names (`resourceNames`) that cannot break the glass",
    },
    Way {
        code: codes::ISSUE,
        severity: Severity::Warning,
        rights: &[
            right(&["update", "patch"], CERTIFICATES, "certificatesigningrequests/approval"),
            right(&["update", "patch"], CERTIFICATES, "certificatesigningrequests/status"),
        ],
        reach: Reach::Anywhere,
        may: "issue certificates for any name",
        why: "a certificate with the name of the gateway or of a break-glass identity is that identity",
        help: "take approval of certificate requests away, or limit it to the signers of kubelets",
    },
    Way {
        code: codes::GRANT,
        severity: Severity::Warning,
        rights: &[
            right(&["escalate", "bind"], RBAC, "clusterroles"),
            right(&["escalate", "bind"], RBAC, "roles"),
        ],
        reach: Reach::Anywhere,
        may: "give out rights that they do not have",
        why: "every other way is open to whoever can give it to themselves",
        help: "take the verbs escalate and bind away, or limit them to roles by name",
    },
    Way {
        code: codes::REACH_NODES,
        severity: Severity::Warning,
        rights: RUN_PODS,
        reach: Reach::HostNamespace,
        may: "run pods that reach their node",
        why: "a pod with the host's namespaces or file system, as `kubectl debug node/…` makes it, reaches every container \
              of its node; the start of it is recorded, what it does on the node is not",
        help: "label namespaces with pod-security.kubernetes.io/enforce: baseline or restricted, or let only some create pods \
               in the others",
    },
];

pub(super) fn findings(cluster: &Cluster, expected: &Expected) -> Vec<Finding> {
    let mut all: BTreeMap<&Subject, BTreeSet<String>> = BTreeMap::new();
    let mut some: BTreeMap<(usize, &Subject), BTreeSet<String>> = BTreeMap::new();
    let open = open_namespaces(cluster);
    for grant in cluster.grants().filter(|grant| !is_gateway(grant.subject, &expected.gateway)) {
        if grant.allows_everything() {
            all.entry(grant.subject).or_default().insert(grant.source());
            continue;
        }
        for (number, way) in WAYS.iter().enumerate() {
            if way.is_open(&grant, expected, &open) {
                some.entry((number, grant.subject)).or_default().insert(grant.source());
            }
        }
    }
    // Who may do everything is said once.
    some.retain(|(_, subject), _| !all.contains_key(subject));
    let all = all.iter().map(|(subject, sources)| everything(subject, sources));
    let some = some.iter().filter_map(|((number, subject), sources)| {
        Some(WAYS.get(*number)?.finding(subject, sources, &open))
    });
    all.chain(some).collect()
}

fn everything(subject: &Subject, sources: &BTreeSet<String>) -> Finding {
    let message = format!("{} may do everything", subject.shown());
    let help = "use such rights for the installation only, and give people roles without nodes/proxy, impersonation, admission \
                policies and rights over roles";
    Finding::new(codes::ALL_RIGHTS, Severity::Warning, message, help)
        .about(subject.shown())
        .because("that includes reaching kubelets, forging sessions and removing the policy")
        .witnessed_by(joined(sources))
}

impl Way {
    fn is_open(&self, grant: &Grant<'_>, expected: &Expected, open: &[&str]) -> bool {
        match self.reach {
            Reach::Anywhere => self.rights.iter().any(|right| grant.allows(right, None)),
            Reach::GatewayNamespace => {
                let GatewayIdentity::ServiceAccount(ServiceAccount { namespace, name }) =
                    &expected.gateway
                else {
                    return false;
                };
                let reaches = grant.namespace.is_none_or(|granted| granted == namespace);
                let name_of = |right: &Right| {
                    (right.resource == "serviceaccounts/token").then_some(name.as_str())
                };
                reaches && self.rights.iter().any(|right| grant.allows(right, name_of(right)))
            }
            Reach::BreakGlass => {
                let BreakGlass { users, groups } = &expected.break_glass;
                let allowed = |resource: &str, names: &[String]| {
                    let mut rights = self.rights.iter().filter(|right| right.resource == resource);
                    rights.any(|right| names.iter().any(|name| grant.allows(right, Some(name))))
                };
                grant.namespace.is_none() && (allowed("users", users) || allowed("groups", groups))
            }
            Reach::HostNamespace => {
                let reaches = match grant.namespace {
                    None => !open.is_empty(),
                    Some(namespace) => open.contains(&namespace),
                };
                reaches && self.rights.iter().any(|right| grant.allows(right, None))
            }
        }
    }

    fn finding(&self, subject: &Subject, sources: &BTreeSet<String>, open: &[&str]) -> Finding {
        let message = format!("{} may {}", subject.shown(), self.may);
        let mut witness = joined(sources);
        if self.reach == Reach::HostNamespace {
            witness = format!("{witness}; namespaces that allow it: {}", open.join(", "));
        }
        Finding::new(self.code, self.severity, message, self.help)
            .about(subject.shown())
            .because(self.why)
            .witnessed_by(witness)
    }
}

fn joined(sources: &BTreeSet<String>) -> String {
    sources.iter().map(String::as_str).collect::<Vec<_>>().join("; ")
}

fn is_gateway(subject: &Subject, gateway: &GatewayIdentity) -> bool {
    subject.user().is_some_and(|user| user == gateway.user())
}

/// Namespaces whose pods may use the host, by Pod Security admission's labels.
fn open_namespaces(cluster: &Cluster) -> Vec<&str> {
    let enforces = |labels: &BTreeMap<String, String>| {
        labels
            .get("pod-security.kubernetes.io/enforce")
            .is_some_and(|level| level == "baseline" || level == "restricted")
    };
    let open = cluster.namespaces.iter().filter(|(_, labels)| !enforces(labels));
    open.map(|(name, _)| name.as_str()).collect()
}
