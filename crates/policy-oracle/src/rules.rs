//! What a rule, a peer and a port match in one world.

use crate::forks::Forks;
use crate::places::Resolved;
use crate::question::{Profile, Reading};
use crate::side::Side;
use policy_model::{
    Action, Direction, LabelSelector, NamespaceScope, Network, Peer, PeerMatch, Peers, Pod, Policy,
    PolicyKind, PortMatch, PortSpec, Ports, Rule,
};
use std::net::IpAddr;

impl<'a> Side<'a> {
    /// What the policy's first matching rule does.
    pub(crate) fn first_match(&mut self, policy: &'a Policy, forks: &mut Forks) -> Option<Action> {
        let rules = policy.rules(self.direction).unwrap_or_default();
        rules.iter().find_map(|rule| self.matched(policy.id.kind, rule, forks))
    }

    /// What the rule does with the connection, if anything.
    fn matched(&mut self, kind: PolicyKind, rule: &'a Rule, forks: &mut Forks) -> Option<Action> {
        let ports_match = self.ports_match(kind, &rule.ports);
        let peers = match &rule.peers {
            Peers::Any => return ports_match.then_some(rule.action),
            Peers::Listed(peers) => peers,
        };
        if peers.iter().any(|peer| peer.matches == PeerMatch::Unknown) {
            // "Fail closed": treat the rule as matching no traffic, or as a Deny-all rule.
            return match rule.action {
                Action::Accept => None,
                Action::Deny | Action::Pass => ports_match.then_some(Action::Deny),
            };
        }
        let matches = peers.iter().any(|peer| match (&peer.matches, self.address_before_dnat) {
            (PeerMatch::Networks(networks), Some(address)) => {
                hold(networks, address) && self.service_port_is_in(&rule.ports)
            }
            _ => ports_match && self.peer_matches(kind, peer, forks),
        });
        matches.then_some(rule.action)
    }

    fn peer_matches(&mut self, kind: PolicyKind, peer: &'a Peer, forks: &mut Forks) -> bool {
        match &peer.matches {
            PeerMatch::Pods { namespaces, pods } => match self.peer.end {
                Resolved::Pod(pod) => {
                    self.counts_as_pod(kind, pod)
                        && self.in_scope(namespaces, pod)
                        && pods.matches(&pod.labels)
                }
                Resolved::Node(..) | Resolved::Outside(_) | Resolved::Name(_) => false,
            },
            PeerMatch::Networks(networks) => self.networks_match(networks, forks),
            PeerMatch::Nodes(selector) => self.node_matches(selector, forks),
            PeerMatch::DomainNames(names) => {
                names.iter().any(|name| self.domain_name_matches(name, forks))
            }
            PeerMatch::Unknown => false,
        }
    }

    /// A host-network pod is a pod only for NetworkPolicy v1, and there only under one reading.
    pub(crate) fn counts_as_pod(&self, kind: PolicyKind, pod: &Pod) -> bool {
        let is_v1 = match kind {
            PolicyKind::NetworkPolicy => true,
            PolicyKind::ClusterNetworkPolicy
            | PolicyKind::AdminNetworkPolicy
            | PolicyKind::BaselineAdminNetworkPolicy => false,
        };
        !pod.host_network || (is_v1 && self.context.reading == Reading::AsPod)
    }

    pub(crate) fn in_scope(&self, scope: &NamespaceScope, pod: &Pod) -> bool {
        match scope {
            NamespaceScope::Own(namespace) => *namespace == pod.namespace,
            NamespaceScope::Selected(selector) => self
                .context
                .snapshot
                .namespaces
                .get(&pod.namespace)
                .is_some_and(|namespace| selector.matches(&namespace.labels)),
        }
    }

    fn networks_match(&mut self, networks: &[Network], forks: &mut Forks) -> bool {
        let is_of_the_cluster = match self.peer.end {
            Resolved::Pod(_) | Resolved::Node(..) => true,
            Resolved::Outside(_) | Resolved::Name(_) => false,
        };
        if is_of_the_cluster && self.context.assumptions.profile == Profile::Cilium {
            return false;
        }
        let Some(address) = self.peer_place(forks).address else { return false };
        hold(networks, address)
    }

    /// Before DNAT there is no pod at the other end, so nothing that a port's name could mean.
    fn service_port_is_in(&self, ports: &Ports) -> bool {
        let Some(via) = self.context.via else { return false };
        let protocol = self.context.question.protocol;
        let is_it = |spec: &PortSpec| match &spec.matches {
            PortMatch::Numbers { protocol: of, range } => {
                *of == protocol && range.contains(via.port)
            }
            PortMatch::Named { .. } => false,
        };
        match ports {
            Ports::All => true,
            Ports::Listed(specs) => specs.iter().any(is_it),
        }
    }

    fn node_matches(&mut self, selector: &LabelSelector, forks: &mut Forks) -> bool {
        if !self.peer_is_a_node() {
            return false;
        }
        let place = self.peer_place(forks);
        match place.node.and_then(|name| self.context.snapshot.nodes.get(name)) {
            Some(node) => selector.matches(&node.labels),
            // All that is known of it is that it is a node: it may have any labels.
            None => selector.requirements().all(|requirement| {
                requirement.matches(&self.unknown_node_label(&requirement.key, forks))
            }),
        }
    }

    fn domain_name_matches(&mut self, pattern: &'a str, forks: &mut Forks) -> bool {
        match self.peer.end {
            Resolved::Pod(_) | Resolved::Node(..) => false,
            Resolved::Outside(_) => self.address_belongs_to(pattern, forks),
            Resolved::Name(name) => match pattern.strip_prefix("*.") {
                Some(apex) => name
                    .strip_suffix(apex)
                    .and_then(|labels| labels.strip_suffix('.'))
                    .is_some_and(|labels| !labels.is_empty()),
                None => name == pattern,
            },
        }
    }

    fn ports_match(&self, kind: PolicyKind, ports: &Ports) -> bool {
        match ports {
            Ports::All => true,
            Ports::Listed(specs) => specs.iter().any(|spec| self.port_matches(kind, &spec.matches)),
        }
    }

    fn port_matches(&self, kind: PolicyKind, port: &PortMatch) -> bool {
        let question = self.context.question;
        if !question.protocol.has_ports() {
            return false;
        }
        match port {
            PortMatch::Numbers { protocol, range } => {
                *protocol == question.protocol && range.contains(question.port)
            }
            PortMatch::Named { protocol, name } => self
                .destination_pod(kind)
                .into_iter()
                .flat_map(|pod| &pod.ports)
                .filter(|served| served.name.as_ref() == Some(name))
                .filter(|served| protocol.is_none_or(|protocol| protocol == served.protocol))
                .any(|served| (served.protocol, served.port) == (question.protocol, question.port)),
        }
    }

    fn destination_pod(&self, kind: PolicyKind) -> Option<&'a Pod> {
        let pod = match (self.direction, self.peer.end) {
            (Direction::Ingress, _) => self.subject,
            (Direction::Egress, Resolved::Pod(pod)) => pod,
            (Direction::Egress, Resolved::Node(..) | Resolved::Outside(_) | Resolved::Name(_)) => {
                return None;
            }
        };
        self.counts_as_pod(kind, pod).then_some(pod)
    }
}

fn hold(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| {
        network.block.contains(&address)
            && !network.except.iter().any(|except| except.contains(&address))
    })
}
