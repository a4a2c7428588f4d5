//! Check: `entry-backend-denied`
//!
//! An Ingress or a route opens a Service to the outside, and policies deny the controller's connection to
//! the pods behind it.
//!
//! **Why it matters.** The way in leads to a closed door: the controller answers with a timeout or an error.
//!
//! **How to fix.** Allow ingress from the controller's pods to the *pods'* port, and the controller's egress.
//!
//! The controller's pods are known by their labels (ingress-nginx, Traefik, Contour, HAProxy, Kong, Istio,
//! and the labels that Gateway implementations set), together with the Ingress class or the Gateway's name.
//! Where the input does not hold them, the backend is reported only if no rule could admit a pod with unknown
//! labels in another namespace, nor an address: `info` if pods of the backend's own namespace are admitted,
//! since a controller might be one of them.

use super::entry_backend_missing::backend_ports;
use super::service_unreachable::ingress_rules;
use crate::known::controllers;
use crate::points::{peers, traffic_at};
use crate::registry::Check;
use crate::words::{list, placed, witness, workloads};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use net_types::Protocol;
use policy_engine::{End, Endpoint, PodId, Verdict};
use policy_model::{Backend, Direction, Entry, NamespaceScope, PeerMatch, Peers};

pub(crate) const CHECK: Check = Check {
    code: Code("entry-backend-denied"),
    severity: Severity::Warning,
    summary: "policies deny an Ingress or route the way to its backend",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for entry in world.program.entries() {
        let of_entry: Vec<PodId> = controllers(world, entry);
        for backend in &entry.backends {
            let Some(finding) = judge(world, entry, backend, &of_entry) else { continue };
            let known =
                findings.iter().any(|f| f.message == finding.message && f.object == finding.object);
            if !known {
                findings.push(finding);
            }
        }
    }
    findings
}

fn judge(
    world: &World<'_>,
    entry: &Entry,
    backend: &Backend,
    controllers: &[PodId],
) -> Option<Finding> {
    let service = world.program.service(&backend.namespace, &backend.service)?;
    let endpoints: Vec<(Protocol, Endpoint)> = backend_ports(service, backend)
        .into_iter()
        .flat_map(|port| {
            let endpoints = world.program.endpoints(service, port).unwrap_or_default();
            endpoints.into_iter().map(|endpoint| (port.protocol, endpoint))
        })
        .collect();
    if endpoints.is_empty() || endpoints.iter().any(|(_, e)| world.is_on_host(e.pod)) {
        return None;
    }
    let finding = if controllers.is_empty() {
        unknown_controller(world, &endpoints)?
    } else {
        known_controller(world, controllers, &endpoints)?
    };
    let message = format!("{} {service}", finding.message);
    let finding = Finding { message, ..finding }.about(entry.to_string());
    Some(placed(finding, backend.span.or(entry.span)))
}

fn known_controller(
    world: &World<'_>,
    controllers: &[PodId],
    endpoints: &[(Protocol, Endpoint)],
) -> Option<Finding> {
    let mut first = None;
    for controller in controllers {
        for (protocol, endpoint) in endpoints {
            let ends = (End::Pod(*controller), End::Pod(endpoint.pod));
            let (decision, text) = witness(world, (&ends.0, &ends.1), (*protocol, endpoint.port));
            if decision.verdict != Verdict::Deny {
                return None;
            }
            first.get_or_insert((decision, text, *protocol, endpoint.port));
        }
    }
    let (decision, text, protocol, port) = first?;
    let names = workloads(world, controllers.iter().copied());
    let (side, what) = if decision.ingress.verdict == Verdict::Deny {
        (decision.ingress, "ingress from the controller")
    } else {
        (decision.egress, "the controller's egress")
    };
    let number = crate::words::port(protocol, port);
    let mut finding = Finding::new(
        CHECK.code,
        CHECK.severity,
        format!("the controller {} may not reach", list(&names)),
        format!("allow {what} to the pods on {number}"),
    )
    .witnessed_by(text);
    if let Some(policy) = world.program.deciding_policy(side.cause) {
        finding = finding
            .because(format!("{} denies it", policy.id))
            .related_to(policy.span, format!("{} denies", policy.id));
    }
    Some(finding)
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Admits {
    Nobody,
    /// Pods of the policy's own namespace.
    Neighbours,
    Strangers,
}

fn unknown_controller(world: &World<'_>, endpoints: &[(Protocol, Endpoint)]) -> Option<Finding> {
    let admits = endpoints.iter().map(|(protocol, endpoint)| admits(world, *endpoint, *protocol));
    let best = admits.max()?;
    let (protocol, first) = endpoints.first()?;
    let port = crate::words::port(*protocol, first.port);
    let (severity, why) = match best {
        Admits::Strangers => return None,
        Admits::Neighbours => (
            Severity::Info,
            "only pods of the backend's own namespace are admitted, and the controller is not part of the input",
        ),
        Admits::Nobody => (CHECK.severity, "no rule admits anything to the port"),
    };
    let mut finding = Finding::new(
        CHECK.code,
        severity,
        "no controller of another namespace may reach",
        format!("allow ingress from the controller's namespace to the pods on {port}"),
    )
    .because(why);
    if let Ok(address) = "203.0.113.1".parse() {
        let ends = (End::Address(address), End::Pod(first.pod));
        let (decision, text) = witness(world, (&ends.0, &ends.1), (*protocol, first.port));
        finding.witness = (decision.verdict == Verdict::Deny).then_some(text);
    }
    Some(finding)
}

fn admits(world: &World<'_>, endpoint: Endpoint, protocol: Protocol) -> Admits {
    if !world.program.is_isolated(endpoint.pod, Direction::Ingress) {
        return Admits::Strangers;
    }
    let for_port = ingress_rules(world, endpoint.pod).filter(|rule| {
        traffic_at(&rule.ports, world.pod(endpoint.pod)).contains(protocol, endpoint.port)
    });
    for_port
        .map(|rule| {
            let of_peer = |peer: &PeerMatch| match peer {
                PeerMatch::Pods { namespaces: NamespaceScope::Own(_), .. } => Admits::Neighbours,
                PeerMatch::Pods { namespaces: NamespaceScope::Selected(_), .. }
                | PeerMatch::Networks(_)
                | PeerMatch::Nodes(_)
                | PeerMatch::DomainNames(_)
                | PeerMatch::Unknown => Admits::Strangers,
            };
            match &rule.peers {
                Peers::Any => Admits::Strangers,
                Peers::Listed(_) => peers(rule).map(of_peer).max().unwrap_or(Admits::Nobody),
            }
        })
        .max()
        .unwrap_or(Admits::Nobody)
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    const WORLD: &str = "deployment shop/web app=web :8080/tcp
        deployment shop/api app=api
        service shop/web app=web :80->8080/tcp
        ";
    const NGINX: &str = "deployment edge/nginx app.kubernetes.io/name=ingress-nginx\n";

    #[test]
    fn a_known_controller_that_is_denied_is_found() {
        let found = check(
            CHECK.code,
            &format!(
                "{WORLD}{NGINX}ingress-entry shop/web class=nginx backend=web:80 ## entry-backend-denied
                policy shop/web app=web
                ingress
                rule
                pods ns:kubernetes.io/metadata.name=edge
                port 80/tcp"
            ),
        );
        assert_eq!(found[0].message, "the controller edge/nginx may not reach shop/web");
        assert_eq!(found[0].witness.as_deref(), Some("edge/nginx → shop/web 8080/tcp (deny)"));
        assert_eq!(found[0].help, "allow ingress from the controller to the pods on 8080/tcp");
    }

    #[test]
    fn an_admitted_controller_and_one_of_another_class_are_fine() {
        check(
            CHECK.code,
            &format!(
                "{WORLD}{NGINX}ingress-entry shop/web class=nginx backend=web:80
                ingress-entry shop/other class=traefik backend=web:80
                policy shop/web app=web
                ingress
                rule
                pods ns:kubernetes.io/metadata.name=edge
                port 8080/tcp"
            ),
        );
    }

    /// netpol-analyzer assumes an unknown controller pod and drops rows that admit only the real one.
    #[test]
    fn an_unknown_controller_may_have_any_labels_in_any_namespace() {
        let entry = "ingress-entry shop/web class=x backend=web:80";
        let policy = "policy shop/web app=web\ningress";
        for rule in ["rule\npods ns:a=b c=d", "rule\nblock 10.0.0.0/8", "rule\nport 8080/tcp"] {
            check(CHECK.code, &format!("{WORLD}{entry}\n{policy}\n{rule}"));
        }
        let closed = format!("{WORLD}{entry} ## entry-backend-denied\n{policy}");
        assert_eq!(check(CHECK.code, &closed)[0].severity, Severity::Warning);
        let own = format!("{closed}\nrule\npods app=api");
        assert_eq!(check(CHECK.code, &own)[0].severity, Severity::Info);
    }
}
