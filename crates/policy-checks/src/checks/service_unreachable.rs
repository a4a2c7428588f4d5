//! Check: `service-unreachable`
//!
//! No pod of the input, and nothing outside the cluster, may reach any endpoint of a Service on any of its
//! ports.
//!
//! **Why it matters.** A Service is there to be used. Policies deny every client that there is.
//!
//! **How to fix.** Allow ingress from the clients to the pods' port (which is not always the Service's
//! port), and egress of the clients. `info` where a rule for the port names clients that the input does not
//! have.
//!
//! Host-network pods, and verdicts that are `undefined`, count as reachable. Backends of Ingresses and routes
//! are looked at by `entry-backend-denied`.

use crate::points::{peers, traffic_at};
use crate::registry::Check;
use crate::words::{placed, witness};
use crate::world::World;
use finding_model::{Code, Finding, Severity};
use net_types::Protocol;
use policy_engine::{Decision, End, Endpoint, PodId, Verdict};
use policy_model::{Action, Direction, PeerMatch, Peers, Rule, Service, ServiceKind};
use std::collections::BTreeSet;

pub(crate) const CHECK: Check = Check {
    code: Code("service-unreachable"),
    severity: Severity::Warning,
    summary: "no client may reach a Service",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    if world.program.pods().count() < 2 {
        return Vec::new();
    }
    let behind_entries: BTreeSet<(&str, &str)> = world
        .program
        .entries()
        .iter()
        .flat_map(|entry| &entry.backends)
        .map(|backend| (backend.namespace.as_str(), backend.service.as_str()))
        .collect();
    let services = world.services().iter().map(|(service, _)| *service);
    services
        .filter(|s| !behind_entries.contains(&(s.namespace.as_str(), s.name.as_str())))
        .filter_map(|service| judge(world, service))
        .collect()
}

/// The distinct endpoints of all ports: pods of one class on one port are reached alike.
pub(crate) fn distinct_endpoints(
    world: &World<'_>,
    service: &Service,
) -> Vec<(Protocol, Endpoint)> {
    let mut seen = BTreeSet::new();
    let mut distinct = Vec::new();
    for port in &service.ports {
        for endpoint in world.program.endpoints(service, port).unwrap_or_default() {
            let class = world.program.class_of(endpoint.pod);
            if seen.insert((class, port.protocol, endpoint.port)) {
                distinct.push((port.protocol, endpoint));
            }
        }
    }
    distinct
}

fn judge(world: &World<'_>, service: &Service) -> Option<Finding> {
    if matches!(service.kind, ServiceKind::ExternalName(_)) {
        return None;
    }
    let endpoints = distinct_endpoints(world, service);
    let (protocol, first) = endpoints.first()?;
    let reached =
        |(protocol, endpoint): &(Protocol, Endpoint)| is_reached(world, *endpoint, *protocol);
    if endpoints.iter().any(reached) {
        return None;
    }
    let (decision, text) = show(world, *first, *protocol)?;
    let denying = [decision.ingress, decision.egress]
        .into_iter()
        .find(|side| side.verdict == Verdict::Deny)
        .and_then(|side| world.program.deciding_policy(side.cause));
    let absent = endpoints.iter().any(|(p, e)| admits_absent_clients(world, *e, *p));
    let ports: BTreeSet<String> =
        endpoints.iter().map(|(p, e)| crate::words::port(*p, e.port)).collect();
    let ports: Vec<String> = ports.into_iter().collect();
    let message = if absent {
        "no pod of the input may reach any port of the Service; a rule admits pods that are not part of it"
    } else {
        "no pod of the input, and nothing outside, may reach any port of the Service"
    };
    let mut finding = Finding::new(
        CHECK.code,
        if absent { Severity::Info } else { CHECK.severity },
        message,
        format!("allow its clients to reach the pods on {}", crate::words::list(&ports)),
    )
    .about(format!("Service {service}"))
    .witnessed_by(text);
    if let Some(policy) = denying {
        finding = finding
            .because(format!("{} denies it", policy.id))
            .related_to(policy.span, format!("{} denies", policy.id));
    }
    Some(placed(finding, service.span))
}

fn is_reached(world: &World<'_>, endpoint: Endpoint, protocol: Protocol) -> bool {
    if world.is_on_host(endpoint.pod) {
        return true;
    }
    let outside = world.program.outside_traffic(
        endpoint.pod,
        Direction::Ingress,
        &mut world.cache.borrow_mut(),
    );
    let passes = |traffic: &policy_engine::PairTraffic| {
        let Endpoint { pod: _, port } = endpoint;
        traffic.allowed.contains(protocol, port) || traffic.undefined.contains(protocol, port)
    };
    if outside.iter().any(|(_, traffic)| passes(traffic)) {
        return true;
    }
    let to = End::Pod(endpoint.pod);
    clients(world, endpoint.pod).into_iter().any(|client| {
        let decision = world.program.decide(&End::Pod(client), &to, protocol, endpoint.port);
        client != endpoint.pod && decision.verdict != Verdict::Deny
    })
}

/// Pods that some ingress rule may admit, one of each class; all where that cannot be narrowed.
fn clients(world: &World<'_>, pod: PodId) -> Vec<PodId> {
    let rules: Vec<&Rule> = ingress_rules(world, pod).collect();
    let by_pods = |rule: &&Rule| {
        rule.peers != Peers::Any && peers(rule).all(|peer| matches!(peer, PeerMatch::Pods { .. }))
    };
    let mut admitted: Vec<PodId> =
        world.program.pods().filter(|(_, pod)| pod.host_network).map(|(id, _)| id).collect();
    if world.program.is_isolated(pod, Direction::Ingress) && rules.iter().all(by_pods) {
        for rule in &rules {
            admitted.extend(world.peer_pods(rule).iter());
        }
    } else {
        admitted.extend(world.program.pods().map(|(id, _)| id));
    }
    world.one_of_each(&admitted)
}

/// Rules that may let something in.
pub(crate) fn ingress_rules<'w, 'p>(
    world: &'w World<'p>,
    pod: PodId,
) -> impl Iterator<Item = &'p Rule> + use<'w, 'p> {
    let policies = world.applied(pod, Direction::Ingress);
    let rules = policies.flat_map(|p| p.rules(Direction::Ingress).unwrap_or_default());
    rules.filter(|rule| rule.action == Action::Accept)
}

fn admits_absent_clients(world: &World<'_>, endpoint: Endpoint, protocol: Protocol) -> bool {
    ingress_rules(world, endpoint.pod).any(|rule| {
        let ports = traffic_at(&rule.ports, world.pod(endpoint.pod));
        ports.contains(protocol, endpoint.port)
            && peers(rule).any(|peer| match peer {
                PeerMatch::Pods { namespaces, pods } => world.select(namespaces, pods).is_empty(),
                PeerMatch::Networks(_)
                | PeerMatch::Nodes(_)
                | PeerMatch::DomainNames(_)
                | PeerMatch::Unknown => false,
            })
    })
}

/// A client that is denied: one that a rule admits on some port, else a neighbour, else anyone.
fn show(world: &World<'_>, endpoint: Endpoint, protocol: Protocol) -> Option<(Decision, String)> {
    let own = world.pod(endpoint.pod)?;
    let rules: Vec<&Rule> = ingress_rules(world, endpoint.pod).collect();
    let named = rules.into_iter().flat_map(|rule| world.peer_pods(rule).to_vec());
    let neighbours = world.pods_of(&own.namespace).iter().copied();
    let anyone = world.program.pods().map(|(id, _)| id);
    let to = End::Pod(endpoint.pod);
    let mut candidates = named.chain(neighbours).chain(anyone).filter(|id| *id != endpoint.pod);
    let from = End::Pod(candidates.next()?);
    Some(witness(world, (&from, &to), (protocol, endpoint.port)))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    const WORLD: &str = "deployment shop/web app=web
        deployment shop/db app=db :5432/tcp
        policy shop/db app=db
        ingress
        rule
        pods app=web
        ";

    #[test]
    fn a_service_whose_clients_are_all_denied_is_found() {
        let found = check(
            CHECK.code,
            &format!(
                "{WORLD}port 80/tcp\nservice shop/db app=db :80->5432/tcp ## service-unreachable"
            ),
        );
        assert_eq!(found[0].witness.as_deref(), Some("shop/web → shop/db 5432/tcp (deny)"));
        assert_eq!(found[0].why.as_deref(), Some("NetworkPolicy shop/db denies it"));
        assert_eq!(found[0].help, "allow its clients to reach the pods on 5432/tcp");
    }

    #[test]
    fn one_client_on_one_port_is_enough() {
        check(
            CHECK.code,
            &format!("{WORLD}port 5432/tcp\nservice shop/db app=db :1->1/tcp :5432->5432/tcp"),
        );
        check(
            CHECK.code,
            "deployment shop/web app=web\ndeployment shop/db app=db\nservice shop/db app=db :1->1/tcp",
        );
    }

    #[test]
    fn clients_that_are_not_part_of_the_input_make_it_a_remark() {
        let text = WORLD.replace("pods app=web", "pods app=elsewhere");
        let found = check(
            CHECK.code,
            &format!("{text}service shop/db app=db :5432->5432/tcp ## service-unreachable"),
        );
        assert_eq!(found[0].severity, Severity::Info);
    }
}
