//! What there is to try: every host to every port that something listens on, and to every Service.

use super::{Cell, Expected, Observed};
use crate::network::Host;
use crate::plan::{Listener, Plan};
use net_types::Protocol;
use policy_model::ServiceKind;
use question_syntax::PortArgument;
use std::net::IpAddr;

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Host(Host),
    /// A place among the Services.
    Service(usize),
}

impl Target {
    pub(crate) fn addresses(self, plan: &Plan) -> &[IpAddr] {
        match self {
            Self::Host(host) => addresses(plan, host),
            Self::Service(place) => match plan.snapshot.services.get(place).map(|of| &of.kind) {
                Some(ServiceKind::ClusterIp { addresses }) => addresses,
                Some(ServiceKind::Headless | ServiceKind::ExternalName { .. }) | None => &[],
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub from: Host,
    pub to: Target,
    pub protocol: Protocol,
    pub port: u16,
    pub address: IpAddr,
}

/// Everything, where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub from: Option<Vec<Host>>,
    pub to: Option<Vec<Target>>,
    pub port: PortArgument,
}

pub(super) fn sources(plan: &Plan, filter: &Filter) -> Vec<Host> {
    let pods = (0..plan.pods.len()).map(Host::Pod);
    let all = pods.chain((0..plan.external.len()).map(Host::External));
    all.filter(|host| filter.from.as_ref().is_none_or(|from| from.contains(host))).collect()
}

pub(super) fn of_source(plan: &Plan, filter: &Filter, from: Host) -> Vec<Question> {
    let own = addresses(plan, from);
    let mut questions = Vec::new();
    for (to, targets, listeners) in targets(plan) {
        let is_wanted = filter.to.as_ref().is_none_or(|wanted| wanted.contains(&to));
        // The addresses of Services mean something on nodes and in pods alone.
        let is_outside = matches!((from, to), (Host::External(_), Target::Service(_)));
        if !is_wanted || is_outside || to == Target::Host(from) {
            continue;
        }
        for Listener { protocol, port } in listeners {
            if !asks_for(&filter.port, protocol, port) {
                continue;
            }
            let same_family = |to: &&IpAddr| own.iter().any(|own| own.is_ipv4() == to.is_ipv4());
            questions.extend(targets.iter().filter(same_family).map(|address| Question {
                from,
                to,
                protocol,
                port,
                address: *address,
            }));
        }
    }
    questions
}

fn targets(plan: &Plan) -> Vec<(Target, Vec<IpAddr>, Vec<Listener>)> {
    let pods = plan.pods.iter().zip(&plan.snapshot.pods).enumerate();
    let pods = pods.map(|(place, (planned, pod))| {
        (Target::Host(Host::Pod(place)), pod.addresses.clone(), planned.listeners.clone())
    });
    let external = plan.external.iter().enumerate().map(|(place, peer)| {
        (Target::Host(Host::External(place)), vec![peer.address], peer.listeners.clone())
    });
    let services = plan.services.iter().zip(&plan.snapshot.services).enumerate();
    let services = services.filter_map(|(place, (planned, service))| {
        let ServiceKind::ClusterIp { addresses } = &service.kind else { return None };
        let leads = planned.ports.iter().filter(|port| !port.endpoints.is_empty());
        let listeners =
            leads.map(|port| Listener { protocol: port.protocol, port: port.port }).collect();
        Some((Target::Service(place), addresses.clone(), listeners))
    });
    pods.chain(external).chain(services).collect()
}

/// A name stands for numbers only on a pod, so the caller has looked it up already.
fn asks_for(wanted: &PortArgument, protocol: Protocol, port: u16) -> bool {
    match wanted {
        PortArgument::All => true,
        PortArgument::Number { protocol: of, port: number } => (*of, *number) == (protocol, port),
        PortArgument::Named { .. } | PortArgument::Portless(_) => false,
    }
}

fn addresses(plan: &Plan, host: Host) -> &[IpAddr] {
    match host {
        Host::Pod(place) => plan.snapshot.pods.get(place).map(|pod| &*pod.addresses),
        Host::Node(place) => plan.nodes.get(place).map(|node| &*node.addresses),
        Host::External(place) => {
            plan.external.get(place).map(|peer| std::slice::from_ref(&peer.address))
        }
    }
    .unwrap_or_default()
}

impl Question {
    pub(super) fn cell(
        self,
        plan: &Plan,
        observed: Observed,
        expected: Option<Expected>,
        disagreement: Option<String>,
    ) -> Cell {
        let to = match self.to {
            Target::Host(host) => plan.name(host),
            Target::Service(place) => {
                let service = plan.snapshot.services.get(place);
                service.map(|service| format!("service/{service}")).unwrap_or_default()
            }
        };
        let protocol = self.protocol.to_string().to_ascii_lowercase();
        Cell {
            from: plan.name(self.from),
            to,
            port: format!("{}/{protocol}", self.port),
            address: self.address,
            observed,
            expected,
            disagreement,
        }
    }

    /// The address that the connection comes from.
    pub(super) fn source(&self, plan: &Plan) -> Option<IpAddr> {
        let own = addresses(plan, self.from).iter();
        own.copied().find(|own| own.is_ipv4() == self.address.is_ipv4())
    }
}
