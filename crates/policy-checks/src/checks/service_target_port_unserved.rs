//! Check: `service-target-port-unserved`
//!
//! A Service's `targetPort` is a name that none of its pods serves with the port's protocol.
//!
//! **Why it matters.** The port has no endpoints: connections to it fail whatever the policies say.
//!
//! **How to fix.** Use a name that the pods' containers declare, or the number.

use crate::near::is_near;
use crate::registry::Check;
use crate::words::{count, list, placed};
use crate::world::World;
use finding_model::{Code, Finding, Fix, Severity};
use policy_engine::{PodId, ServiceProblem};
use policy_model::{Service, ServicePort};
use std::collections::BTreeSet;

pub(crate) const CHECK: Check = Check {
    code: Code("service-target-port-unserved"),
    severity: Severity::Warning,
    summary: "a Service's named targetPort is served by none of its pods",
    find,
};

fn find(world: &World<'_>) -> Vec<Finding> {
    let services = world.services().iter();
    services
        .flat_map(|(service, pods)| {
            service.ports.iter().filter_map(move |port| judge(world, service, pods, port))
        })
        .collect()
}

fn judge(
    world: &World<'_>,
    service: &Service,
    pods: &[PodId],
    port: &ServicePort,
) -> Option<Finding> {
    let Err(ServiceProblem::NamedPortNotServed(name)) = world.program.endpoints(service, port)
    else {
        return None;
    };
    let served: BTreeSet<&str> = pods
        .iter()
        .filter_map(|id| world.pod(*id))
        .flat_map(|pod| &pod.ports)
        .filter(|served| served.protocol == port.protocol)
        .filter_map(|served| served.name.as_deref())
        .collect();
    let near = served.iter().find(|known| is_near(&name, known));
    let message = format!(
        "targetPort `{name}` of port {} is served by none of {}",
        crate::words::port(port.protocol, port.port),
        count(pods.len(), "pod")
    );
    let help = match near {
        Some(near) => format!("is `{near}` meant?"),
        None if served.is_empty() => {
            "give the container port this name, or use its number".to_owned()
        }
        None => format!(
            "the pods serve {}: use such a name, or a number",
            list(&served.iter().copied().collect::<Vec<_>>())
        ),
    };
    let mut finding = Finding::new(CHECK.code, CHECK.severity, message, help)
        .about(format!("Service {service}"))
        .because("the port has no endpoints");
    if let Some(near) = near {
        finding = finding.fixed_by(Fix {
            summary: format!("lead to `{near}`"),
            patch: Some(format!("targetPort: {near}\n")),
        });
    }
    Some(placed(finding, port.span.or(service.span)))
}

#[cfg(test)]
mod tests {
    use super::CHECK;
    use crate::tests::check;

    #[test]
    fn the_name_must_be_served_with_the_protocol() {
        let found = check(
            CHECK.code,
            "deployment shop/web app=web :http=8080/tcp :dns=53/udp
            service shop/a app=web :80->http/tcp
            service shop/b app=web :80->htpp/tcp ## service-target-port-unserved
            service shop/c app=web :53->dns/tcp ## service-target-port-unserved
            service shop/d app=none :80->x/tcp",
        );
        assert_eq!(found[0].help, "is `http` meant?");
        assert_eq!(found[1].help, "the pods serve http: use such a name, or a number");
    }
}
