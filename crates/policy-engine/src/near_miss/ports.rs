//! What keeps a protocol and a port from matching a rule's ports.

use crate::ends::End;
use crate::ids::PodId;
use crate::program::Program;
use net_types::{PortRange, Protocol};
use policy_model::{ContainerPort, Policy, PolicyKind, PortMatch, Ports, Service, ServicePort};

/// How the nearest of a rule's ports differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortDifference {
    /// The rule names the Service's port; policies see the pod's.
    ServicePort {
        service: String,
        port: u16,
        target: u16,
    },
    /// The port is right.
    Protocol {
        rule: Protocol,
    },
    Number {
        rule: PortRange,
        protocol: Protocol,
    },
    /// The destination serves the name elsewhere.
    NamedElsewhere {
        name: String,
        served: ContainerPort,
    },
    /// The destination has no port of that name; nearly of that name, perhaps.
    NotServed {
        name: String,
        near: Option<String>,
    },
    /// The destination is not a pod, so nothing there has a name.
    NamedOutside {
        name: String,
    },
    /// The rule lists ports and the protocol has none.
    HasNoPorts,
}

impl PortDifference {
    pub(super) fn weight(&self) -> u32 {
        match self {
            Self::ServicePort { .. } | Self::NotServed { near: Some(_), .. } => 1,
            Self::Protocol { .. } | Self::NamedElsewhere { .. } => 2,
            Self::NotServed { near: None, .. } => 2,
            Self::Number { .. } | Self::NamedOutside { .. } | Self::HasNoPorts => 3,
        }
    }
}

/// The destination of a question and what it is asked at.
type Destination<'q> = (&'q End, Protocol, u16);

/// `None`: some port of the rule matches.
pub(super) fn difference(
    program: &Program,
    policy: &Policy,
    ports: &Ports,
    destination: Destination<'_>,
) -> Option<PortDifference> {
    let Ports::Listed(specs) = ports else { return None };
    if !destination.1.has_ports() {
        return Some(PortDifference::HasNoPorts);
    }
    let each = specs.iter().map(|spec| of_port(program, policy, &spec.matches, destination));
    let differences: Option<Vec<PortDifference>> = each.collect();
    differences?.into_iter().min_by_key(PortDifference::weight)
}

fn of_port(
    program: &Program,
    policy: &Policy,
    port: &PortMatch,
    (to, protocol, asked): Destination<'_>,
) -> Option<PortDifference> {
    match port {
        PortMatch::Numbers { protocol: rule, range } if range.contains(asked) => {
            (*rule != protocol).then_some(PortDifference::Protocol { rule: *rule })
        }
        PortMatch::Numbers { protocol: rule, range } => {
            let hint = || program.port_of_service(to, *rule, *range, asked);
            let of_service = (*rule == protocol).then(hint).flatten();
            Some(of_service.unwrap_or(PortDifference::Number { rule: *range, protocol: *rule }))
        }
        PortMatch::Named { protocol: rule, name } => {
            let End::Pod(id) = to else {
                return Some(PortDifference::NamedOutside { name: name.clone() });
            };
            let pod = program.pod(*id);
            // Cluster-scoped policies see a host-network pod as its node, which names no ports.
            let unnamed = pod.is_some_and(|pod| pod.host_network)
                && policy.id.kind != PolicyKind::NetworkPolicy;
            let served = pod.filter(|_| !unnamed).map_or(&[][..], |pod| pod.ports.as_slice());
            let of_name = |port: &&ContainerPort| port.name.as_ref() == Some(name);
            let matches = |port: &ContainerPort| {
                port.port == asked
                    && port.protocol == protocol
                    && rule.is_none_or(|rule| rule == protocol)
            };
            if served.iter().filter(of_name).any(matches) {
                return None;
            }
            Some(match served.iter().find(of_name) {
                Some(served) => {
                    PortDifference::NamedElsewhere { name: name.clone(), served: served.clone() }
                }
                None => PortDifference::NotServed {
                    name: name.clone(),
                    near: near(name, served, (to, protocol, asked)),
                },
            })
        }
    }
}

/// The name of the asked port, where the rule's looks like a slip of it.
fn near(
    name: &str,
    served: &[ContainerPort],
    (_, protocol, asked): Destination<'_>,
) -> Option<String> {
    let asked = served.iter().filter(|port| port.protocol == protocol && port.port == asked);
    let mut names = asked.filter_map(|port| port.name.as_ref());
    names.find(|other| super::labels::is_slip(name, other)).cloned()
}

impl Program {
    /// The Services that select a pod, each port with where it leads on that pod.
    pub(crate) fn services_in_front(
        &self,
        pod: PodId,
    ) -> impl Iterator<Item = (&Service, &ServicePort, u16)> {
        let namespace = self.pod(pod).map(|pod| pod.namespace.as_str());
        let labels = self.pod(pod).map(|pod| &pod.labels);
        self.services()
            .iter()
            .filter(move |service| {
                Some(service.namespace.as_str()) == namespace
                    && service.selector.as_ref().zip(labels).is_some_and(|(s, l)| s.matches(l))
            })
            .flat_map(|service| service.ports.iter().map(move |port| (service, port)))
            .filter_map(move |(service, port)| Some((service, port, self.target_port(pod, port)?)))
    }

    /// A Service's port in `range` that leads to `target` on the destination.
    fn port_of_service(
        &self,
        to: &End,
        protocol: Protocol,
        range: PortRange,
        target: u16,
    ) -> Option<PortDifference> {
        let End::Pod(pod) = to else { return None };
        self.services_in_front(*pod)
            .find(|(_, port, leads_to)| {
                port.protocol == protocol && range.contains(port.port) && *leads_to == target
            })
            .map(|(service, port, target)| PortDifference::ServicePort {
                service: service.to_string(),
                port: port.port,
                target,
            })
    }
}
