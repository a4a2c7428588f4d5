//! Check: `port-unserved`
//!
//! A rule names a port that none of its destination pods declares.
//!
//! **Why it matters.** The usual mistake is the port of the Service. Policies see the connection after the
//! Service has replaced address and port, so the pod's port is the one to name; the Service's own port
//! allows nothing.
//!
//! **How to fix.** Name the port on the pod; the finding says it where a Service leads to it. A warning there
//! and where the pods serve the port by another protocol. Otherwise `info`: pods may listen on ports that
//! they do not declare.
//!
//! Silent where a destination pod declares no ports at all, for destinations outside the cluster, and for
//! rules that name a range or several ports of which one is served.
//!
//! ```yaml
//! # Service: port 80, targetPort 3000
//! ingress:
//! - ports:
//!   - port: 80   # 3000
//! ```

use crate::destinations::destinations;
use crate::known::is_dns;
use crate::registry::Check;
use crate::words::{count, list, placed, port, workloads};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Fix, Severity};
use net_types::{PortRange, Protocol};
use policy_engine::PodId;
use policy_model::{Pod, PortMatch, PortSpec, Ports, Service, ServiceKind, TargetPort};

pub(crate) const CHECK: Check = Check {
    code: Code("port-unserved"),
    severity: Severity::Warning,
    summary: "no destination pod declares the port, often a Service's port",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    world.rules().flat_map(|rule| judge(world, rule)).collect()
}

fn judge(world: &World<'_>, rule: RuleAt<'_>) -> Vec<Finding> {
    let Ports::Listed(specs) = &rule.rule.ports else { return Vec::new() };
    let to = destinations(world, rule);
    if to.outside || to.pods.is_empty() {
        return Vec::new();
    }
    let unserved: Vec<(&PortSpec, Protocol, PortRange)> = specs
        .iter()
        .filter_map(|spec| match &spec.matches {
            PortMatch::Numbers { protocol, range } => Some((spec, *protocol, *range)),
            PortMatch::Named { .. } => None,
        })
        .filter(|(_, protocol, range)| {
            *range != PortRange::ALL && !serves(world, &to.pods, *protocol, *range)
        })
        .collect();
    if unserved.is_empty() || is_unclear(world, &to.pods) {
        return Vec::new();
    }
    let findings: Vec<Finding> = unserved
        .iter()
        .map(|(spec, protocol, range)| report(world, rule, spec, &to.pods, (*protocol, *range)))
        .collect();
    // A list of which something is served is a list of what may be: only mistaken ports are worth a word.
    let some_served = unserved.len() < specs.len();
    findings.into_iter().filter(|f| !some_served || f.severity > Severity::Info).collect()
}

/// A pod that declares no ports may serve any, and DNS is looked at by its own check.
fn is_unclear(world: &World<'_>, pods: &[PodId]) -> bool {
    let mut known = pods.iter().filter_map(|id| world.pod(*id));
    known.any(|pod| pod.ports.is_empty() || is_dns(pod))
}

fn serves(world: &World<'_>, pods: &[PodId], protocol: Protocol, range: PortRange) -> bool {
    let fits = |pod: &Pod| {
        pod.ports.iter().any(|port| port.protocol == protocol && range.contains(port.port))
    };
    pods.iter().filter_map(|id| world.pod(*id)).any(fits)
}

fn report(
    world: &World<'_>,
    rule: RuleAt<'_>,
    spec: &PortSpec,
    pods: &[PodId],
    (protocol, range): (Protocol, PortRange),
) -> Finding {
    let names = workloads(world, pods.iter().copied());
    let written = format!("{range}/{}", protocol.to_string().to_lowercase());
    let message = format!(
        "{} names port {written}, which {} ({}) {} not declare",
        rule.name(),
        count(names.len(), "workload"),
        list(&names),
        if names.len() == 1 { "does" } else { "do" }
    );
    let unsure = |help: &str| {
        Finding::new(CHECK.code, Severity::Info, message.clone(), help)
            .because("the rule allows nothing that the pods say they serve")
    };
    let finding = if let Some((service, right)) = behind(world, pods, protocol, range) {
        let help = format!(
            "Service {service} leads from {} to {} on the pods: name the pods' port",
            port(protocol, range.first()),
            port(protocol, right)
        );
        Finding::new(CHECK.code, CHECK.severity, message.clone(), help)
            .because("policies see the port of the pod, not the port of the Service")
            .fixed_by(Fix {
                summary: format!("name port {right}"),
                patch: Some(format!("port: {right}\nprotocol: {protocol}\n")),
            })
    } else if let Some(other) = by_other_protocol(world, pods, range) {
        let help = format!("the pods serve it by {other}: name the same protocol");
        Finding::new(CHECK.code, CHECK.severity, message.clone(), help)
            .because("a rule for one protocol says nothing of another")
            .fixed_by(Fix {
                summary: format!("name protocol {other}"),
                patch: Some(format!("protocol: {other}\n")),
            })
    } else {
        unsure("name a port that the pods serve, or declare it as a container port")
    };
    placed(finding.about(rule.policy.id.to_string()), spec.span.or(rule.span()))
}

/// A Service of these pods whose own port is named, and the port that it leads to.
fn behind<'w>(
    world: &'w World<'_>,
    pods: &[PodId],
    protocol: Protocol,
    range: PortRange,
) -> Option<(&'w Service, u16)> {
    if range.first() != range.last() {
        return None;
    }
    world.services().iter().find_map(|(service, behind)| {
        let leads = |pod: &&PodId| behind.binary_search(*pod).is_ok();
        let pod = world.pod(*pods.iter().find(leads)?)?;
        let ServiceKind::ClusterIp { .. } = service.kind else { return None };
        let mut ports = service.ports.iter();
        let port = ports.find(|p| p.port == range.first() && p.protocol == protocol)?;
        let right = match &port.target {
            TargetPort::Number(number) => *number,
            TargetPort::Name(name) => {
                let named = |p: &&policy_model::ContainerPort| {
                    p.name.as_ref() == Some(name) && p.protocol == protocol
                };
                pod.ports.iter().find(named)?.port
            }
        };
        (right != port.port).then_some((*service, right))
    })
}

fn by_other_protocol(world: &World<'_>, pods: &[PodId], range: PortRange) -> Option<Protocol> {
    let ports = pods.iter().filter_map(|id| world.pod(*id)).flat_map(|pod| &pod.ports);
    ports.filter(|port| range.contains(port.port)).map(|port| port.protocol).next()
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;
    use finding_model::Severity;

    #[test]
    fn the_port_of_the_service_is_corrected() {
        let found = check(
            CHECK.code,
            "deployment mon/grafana app=grafana :http=3000/tcp
            service mon/grafana app=grafana :80->http/tcp
            policy mon/grafana app=grafana
            ingress
            rule
            pods app=nginx
            port 80/tcp ## port-unserved",
        );
        assert_eq!(found[0].severity, Severity::Warning);
        assert_eq!(
            found[0].help,
            "Service mon/grafana leads from 80/tcp to 3000/tcp on the pods: name the pods' port"
        );
        assert_eq!(
            found[0].fix.as_ref().unwrap().patch.as_deref(),
            Some("port: 3000\nprotocol: TCP\n")
        );
    }

    #[test]
    fn another_protocol_is_a_warning_and_an_undeclared_port_a_remark() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :8080/tcp
            deployment shop/dns app=dns :5353/udp
            policy shop/x
            egress
            rule
            pods app=dns
            port 5353/tcp ## port-unserved
            rule
            pods app=web
            port 8443/tcp ## port-unserved",
        );
        assert_eq!([found[0].severity, found[1].severity], [Severity::Warning, Severity::Info]);
        assert_eq!(found[0].help, "the pods serve it by UDP: name the same protocol");
    }

    #[test]
    fn what_cannot_be_known_is_not_reported() {
        check(
            CHECK.code,
            "deployment shop/web app=web :8080/tcp
            deployment shop/any app=any
            policy shop/x app=web
            ingress
            rule
            port 8000-9000/tcp
            rule
            port 8080/tcp
            port 8443/tcp
            egress
            rule
            pods app=any
            port 1/tcp
            rule
            block 203.0.113.0/24
            port 443/tcp
            rule
            port 53/udp
            rule
            pods app=web
            port */tcp",
        );
    }
}
