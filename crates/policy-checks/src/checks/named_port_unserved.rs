//! Check: `named-port-unserved`
//!
//! A rule names a port that no destination pod serves under this name and protocol.
//!
//! **Why it matters.** A named port is resolved on the destination pod: name and protocol must both be among
//! its container ports. If they are not, the rule allows nothing by this name, and no error says so.
//!
//! **How to fix.** Use a name that the pods' containers declare, with their protocol, or the number. The
//! destination of an ingress rule are the policy's own pods, of an egress rule its peers.
//!
//! Not reported where the input has no destination pod, or where only some of several serve the name.

use crate::destinations::destinations;
use crate::near::is_near;
use crate::registry::Check;
use crate::words::{count, list, placed, port};
use crate::world::{RuleAt, World};
use finding_model::{Code, Finding, Fix, Severity};
use net_types::Protocol;
use policy_engine::PodId;
use policy_model::{ContainerPort, PortMatch, PortSpec, Ports};
use std::collections::BTreeSet;

pub(crate) const CHECK: Check = Check {
    code: Code("named-port-unserved"),
    severity: Severity::Warning,
    summary: "no destination pod serves the named port",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    world.rules().flat_map(|rule| judge(world, rule)).collect()
}

fn judge(world: &World<'_>, rule: RuleAt<'_>) -> Vec<Finding> {
    let Ports::Listed(specs) = &rule.rule.ports else { return Vec::new() };
    let named = specs.iter().filter_map(|spec| match &spec.matches {
        PortMatch::Named { protocol, name } => Some((spec, *protocol, name.as_str())),
        PortMatch::Numbers { .. } => None,
    });
    let mut named = named.peekable();
    if named.peek().is_none() {
        return Vec::new();
    }
    let pods = destinations(world, rule).pods;
    named
        .filter_map(|(spec, protocol, name)| one(world, rule, spec, &pods, (protocol, name)))
        .collect()
}

fn one(
    world: &World<'_>,
    rule: RuleAt<'_>,
    spec: &PortSpec,
    pods: &[PodId],
    (protocol, name): (Option<Protocol>, &str),
) -> Option<Finding> {
    let served = || pods.iter().filter_map(|id| world.pod(*id)).flat_map(|pod| &pod.ports);
    let serves = |port: &ContainerPort| {
        port.name.as_deref() == Some(name) && protocol.is_none_or(|p| p == port.protocol)
    };
    if pods.is_empty() || served().any(serves) {
        return None;
    }
    let kind = protocol.map_or(String::new(), |p| format!("{} ", p.to_string().to_lowercase()));
    let message = format!(
        "{}: none of {} serves a {kind}port named `{name}`",
        rule.name(),
        count(pods.len(), "destination pod")
    );
    let other = served().find(|port| port.name.as_deref() == Some(name));
    let near = served().filter_map(|p| p.name.as_deref()).filter(|n| is_near(name, n)).min();
    let names: BTreeSet<&str> = served().filter_map(|port| port.name.as_deref()).collect();
    let help = match (other, near) {
        (Some(other), _) => format!(
            "the pods serve `{name}` as {}: name the same protocol",
            port(other.protocol, other.port)
        ),
        (None, Some(near)) => format!("is `{near}` meant, which the pods serve?"),
        (None, None) if names.is_empty() => {
            "give the container port this name, or use its number".to_owned()
        }
        (None, None) => format!(
            "the pods serve {}: use such a name, or a number",
            list(&names.into_iter().collect::<Vec<_>>())
        ),
    };
    let mut finding = Finding::new(CHECK.code, CHECK.severity, message, help)
        .about(rule.policy.id.to_string())
        .because("the rule allows nothing by this name");
    if let Some(right) = near.filter(|_| other.is_none()) {
        finding = finding.fixed_by(Fix {
            summary: format!("use the port name `{right}`"),
            patch: Some(format!("port: {right}\n")),
        });
    }
    Some(placed(finding, spec.span.or(rule.span())))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn the_name_and_the_protocol_must_both_be_served() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :http=8080/tcp :dns=53/udp
            deployment shop/api app=api
            policy shop/web app=web
            ingress
            rule
            port http/tcp
            port htpp/tcp ## named-port-unserved
            port dns/tcp ## named-port-unserved
            egress
            rule
            pods app=api
            port grpc/tcp ## named-port-unserved
            rule
            pods app=none
            port grpc/tcp
            rule
            port http/tcp",
        );
        assert_eq!(found[0].help, "is `http` meant, which the pods serve?");
        assert_eq!(found[1].help, "the pods serve `dns` as 53/udp: name the same protocol");
        assert_eq!(found[2].help, "give the container port this name, or use its number");
    }

    #[test]
    fn one_pod_of_several_that_serves_the_name_is_enough() {
        check(
            CHECK.code,
            "deployment shop/web app=web :metrics=9090/tcp
            deployment shop/db app=db
            policy shop/scrape
            ingress
            rule
            port metrics/tcp",
        );
    }
}
