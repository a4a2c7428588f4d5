//! A rule as one line: `from pods app=web in namespaces team=pay · ports 8080/tcp`.

use crate::map::addresses::networks;
use net_types::{AddressSet, PortRange};
use policy_model::{
    Direction, LabelSelector, NAMESPACE_NAME_LABEL, NamespaceScope, Network, Operator, PeerMatch,
    Peers, PortMatch, Ports, Rule,
};

/// More items than these are counted, not listed.
const MOST_LISTED: usize = 6;

/// What the rule requires, without its action. Not yet fit to show where names may be hostile.
pub fn rule_text(direction: Direction, rule: &Rule) -> String {
    let preposition = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    format!("{preposition} {} · {}", peers(&rule.peers), ports(&rule.ports))
}

fn peers(peers: &Peers) -> String {
    match peers {
        Peers::Any => "anywhere".to_owned(),
        Peers::Listed(listed) => {
            let each = listed.iter().map(|peer| match &peer.matches {
                PeerMatch::Pods { namespaces, pods: selector } => pods(namespaces, selector),
                PeerMatch::Networks(listed) => networks_text(listed),
                PeerMatch::Nodes(selector) if selector.is_everything() => "all nodes".to_owned(),
                PeerMatch::Nodes(selector) => format!("nodes {selector}"),
                PeerMatch::DomainNames(names) => some(names.clone(), ", "),
                PeerMatch::Unknown => "peers of an unknown kind".to_owned(),
            });
            some(each.collect(), " or ")
        }
    }
}

fn pods(namespaces: &NamespaceScope, selector: &LabelSelector) -> String {
    let pods =
        if selector.is_everything() { "all pods".to_owned() } else { format!("pods {selector}") };
    let scope = match namespaces {
        NamespaceScope::Own(name) => format!("namespace {name}"),
        NamespaceScope::Selected(selector) if selector.is_everything() => {
            "all namespaces".to_owned()
        }
        NamespaceScope::Selected(selector) => match named(selector) {
            Some(name) => format!("namespace {name}"),
            None => format!("namespaces {selector}"),
        },
    };
    format!("{pods} in {scope}")
}

/// The one namespace that a selector names by the label that the API server sets.
fn named(selector: &LabelSelector) -> Option<&str> {
    let mut requirements = selector.requirements();
    let only = requirements.next().filter(|_| requirements.next().is_none())?;
    match &only.operator {
        Operator::In(values) if only.key == NAMESPACE_NAME_LABEL && values.len() == 1 => {
            values.first().map(String::as_str)
        }
        Operator::In(_) | Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    }
}

pub(crate) fn networks_text(listed: &[Network]) -> String {
    let one = |network: &Network| {
        if network.except.is_empty() {
            return network.block.to_string();
        }
        let except: AddressSet = network.except.iter().map(|net| (*net).into()).collect();
        let except = networks(&except).iter().map(ToString::to_string).collect();
        format!("{} except {}", network.block, some(except, ", "))
    };
    some(listed.iter().map(one).collect(), ", ")
}

fn ports(ports: &Ports) -> String {
    let Ports::Listed(specs) = ports else { return "all ports".to_owned() };
    let one = |port: &PortMatch| match port {
        PortMatch::Numbers { protocol, range } => {
            let protocol = protocol.to_string().to_ascii_lowercase();
            if *range == PortRange::ALL {
                format!("all/{protocol}")
            } else {
                format!("{range}/{protocol}")
            }
        }
        PortMatch::Named { protocol: Some(protocol), name } => {
            format!("{name}/{}", protocol.to_string().to_ascii_lowercase())
        }
        PortMatch::Named { protocol: None, name } => name.clone(),
    };
    let listed = specs.iter().map(|spec| one(&spec.matches)).collect();
    format!("ports {}", some(listed, ", "))
}

pub(crate) fn some(mut items: Vec<String>, separator: &str) -> String {
    let n_more = items.len().saturating_sub(MOST_LISTED);
    if n_more > 1 {
        items.truncate(MOST_LISTED);
        items.push(format!("{n_more} more"));
    }
    items.join(separator)
}
