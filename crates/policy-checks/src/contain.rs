//! Containment that holds in every cluster: of selectors, peers, ports and rules.
//!
//! These answer `true` only where it follows from what is written, so that a check that relies on
//! them stays true when pods come and go.

use crate::world::{RuleAt, World};
use net_types::{AddressSet, Protocol, Traffic};
use policy_model::{
    LabelSelector, NAMESPACE_NAME_LABEL, NamespaceScope, Network, Operator, Peer, PeerMatch, Peers,
    PortMatch, Ports, Requirement, Subject,
};
use std::collections::BTreeSet;

/// Whether every label set that `inner` matches is matched by `outer`.
pub(crate) fn selector_within(inner: &LabelSelector, outer: &LabelSelector) -> bool {
    outer.requirements().all(|requirement| implies(inner, requirement))
}

fn implies(selector: &LabelSelector, wanted: &Requirement) -> bool {
    let mut values: Option<BTreeSet<&String>> = None;
    let mut refused: BTreeSet<&String> = BTreeSet::new();
    let (mut present, mut absent) = (false, false);
    for requirement in selector.requirements().filter(|r| r.key == wanted.key) {
        match &requirement.operator {
            Operator::In(allowed) => {
                let allowed: BTreeSet<&String> = allowed.iter().collect();
                values = Some(match values {
                    None => allowed,
                    Some(known) => known.intersection(&allowed).copied().collect(),
                });
            }
            Operator::NotIn(list) => refused.extend(list),
            Operator::Exists => present = true,
            Operator::DoesNotExist => absent = true,
        }
    }
    let values = values.map(|values| values.difference(&refused).copied().collect::<BTreeSet<_>>());
    match &wanted.operator {
        Operator::In(list) => values.is_some_and(|values| values.iter().all(|v| list.contains(*v))),
        Operator::NotIn(list) => {
            absent
                || list.iter().all(|value| refused.contains(value))
                || values.is_some_and(|values| values.iter().all(|v| !list.contains(*v)))
        }
        Operator::Exists => present || values.is_some(),
        Operator::DoesNotExist => absent,
    }
}

/// Of a namespace by name only its declared labels are known.
fn scope_within(world: &World<'_>, inner: &NamespaceScope, outer: &NamespaceScope) -> bool {
    match (inner, outer) {
        (NamespaceScope::Own(inner), NamespaceScope::Own(outer)) => inner == outer,
        (NamespaceScope::Own(name), NamespaceScope::Selected(selector)) => {
            world.program.namespace(name).is_some_and(|ns| selector.matches(&ns.labels))
        }
        (NamespaceScope::Selected(inner), NamespaceScope::Selected(outer)) => {
            selector_within(inner, outer)
        }
        (NamespaceScope::Selected(selector), NamespaceScope::Own(name)) => {
            implies(selector, &Requirement::equals(NAMESPACE_NAME_LABEL, name))
        }
    }
}

pub(crate) fn subject_within(world: &World<'_>, inner: &Subject, outer: &Subject) -> bool {
    scope_within(world, &inner.namespaces, &outer.namespaces)
        && selector_within(&inner.pods, &outer.pods)
}

pub(crate) fn addresses(networks: &[Network]) -> AddressSet {
    networks.iter().fold(AddressSet::EMPTY, |all, network| {
        let except: AddressSet = network.except.iter().map(|net| (*net).into()).collect();
        all.union(&AddressSet::from(network.block).difference(&except))
    })
}

fn peer_within(world: &World<'_>, inner: &PeerMatch, outer: &PeerMatch) -> bool {
    match (inner, outer) {
        (
            PeerMatch::Pods { namespaces, pods },
            PeerMatch::Pods { namespaces: outer_namespaces, pods: outer_pods },
        ) => scope_within(world, namespaces, outer_namespaces) && selector_within(pods, outer_pods),
        (PeerMatch::Networks(inner), PeerMatch::Networks(outer)) => {
            addresses(inner).difference(&addresses(outer)).is_empty()
        }
        (PeerMatch::Nodes(inner), PeerMatch::Nodes(outer)) => selector_within(inner, outer),
        (PeerMatch::DomainNames(inner), PeerMatch::DomainNames(outer)) => {
            inner.iter().all(|name| outer.contains(name))
        }
        (
            PeerMatch::Pods { .. }
            | PeerMatch::Networks(_)
            | PeerMatch::Nodes(_)
            | PeerMatch::DomainNames(_)
            | PeerMatch::Unknown,
            _,
        ) => false,
    }
}

fn admits(world: &World<'_>, outer: &Peers, inner: &PeerMatch) -> bool {
    match outer {
        Peers::Any => !matches!(inner, PeerMatch::Unknown),
        Peers::Listed(peers) => peers.iter().any(|peer| peer_within(world, inner, &peer.matches)),
    }
}

/// Ports as written: numbers, and names that only a destination gives numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WrittenPorts {
    pub(crate) numbers: Traffic,
    pub(crate) names: BTreeSet<(Option<Protocol>, String)>,
}

impl WrittenPorts {
    pub(crate) fn of(ports: &Ports) -> Self {
        let mut written = Self { numbers: Traffic::NONE, names: BTreeSet::new() };
        match ports {
            Ports::All => written.numbers = Traffic::all(),
            Ports::Listed(specs) => {
                for spec in specs {
                    match &spec.matches {
                        PortMatch::Numbers { protocol, range } => {
                            let more = Traffic::of(*protocol, *range);
                            written.numbers = written.numbers.union(&more);
                        }
                        PortMatch::Named { protocol, name } => {
                            written.names.insert((*protocol, name.clone()));
                        }
                    }
                }
            }
        }
        written
    }

    fn without(&self, other: &Self) -> Self {
        let all = other.numbers.has_all_ports();
        let named = |name: &&(Option<Protocol>, String)| {
            !all && !other.names.contains(*name) && !other.names.contains(&(None, name.1.clone()))
        };
        Self {
            numbers: self.numbers.difference(&other.numbers),
            names: self.names.iter().filter(named).cloned().collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.names.is_empty()
    }
}

/// Whether every connection that `inner` matches is matched by one of `outer`, whatever the cluster
/// holds. Subjects are the caller's business.
pub(crate) fn rule_within(world: &World<'_>, inner: RuleAt<'_>, outer: &[RuleAt<'_>]) -> bool {
    let rest = |admitting: &dyn Fn(&Peers) -> bool| {
        outer
            .iter()
            .filter(|rule| admitting(&rule.rule.peers))
            .fold(WrittenPorts::of(&inner.rule.ports), |rest, rule| {
                rest.without(&WrittenPorts::of(&rule.rule.ports))
            })
    };
    match &inner.rule.peers {
        Peers::Any => rest(&|peers| matches!(peers, Peers::Any)).is_empty(),
        Peers::Listed(peers) => peers
            .iter()
            .all(|Peer { matches, .. }| rest(&|outer| admits(world, outer, matches)).is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(requirements: &[(&str, Operator)]) -> LabelSelector {
        requirements
            .iter()
            .map(|(key, operator)| Requirement {
                key: (*key).to_owned(),
                operator: operator.clone(),
            })
            .collect()
    }

    fn values(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn containment_follows_from_the_text_alone() {
        let web = selector(&[("app", Operator::In(values(&["web"])))]);
        let either = selector(&[("app", Operator::In(values(&["web", "api"])))]);
        let not_api = selector(&[("app", Operator::NotIn(values(&["api"])))]);
        let any = selector(&[("app", Operator::Exists)]);
        let none = selector(&[("app", Operator::DoesNotExist)]);
        assert!(selector_within(&web, &either) && !selector_within(&either, &web));
        assert!(selector_within(&web, &not_api) && !selector_within(&either, &not_api));
        assert!(selector_within(&either, &any) && !selector_within(&any, &either));
        assert!(selector_within(&none, &not_api) && !selector_within(&not_api, &any));
        assert!(selector_within(&web, &LabelSelector::EVERYTHING));
    }
}
