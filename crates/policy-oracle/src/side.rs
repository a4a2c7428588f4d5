//! One side of a connection in one world: from the node-local exemption down to the default.

use crate::forks::Forks;
use crate::places::{Place, Resolved, families};
use crate::question::{Context, EndPlaces, Loopback, Profile};
use net_types::Family;
use policy_model::{
    Action, Direction, Labels, Operator, PeerMatch, Peers, Pod, Policy, PolicyKind, Snapshot, Tier,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// One world as far as it has been asked. Each fact is chosen when it is first needed and then kept.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    pub context: Context<'a>,
    pub direction: Direction,
    pub subject: &'a Pod,
    pub peer: &'a EndPlaces<'a>,
    subject_places: &'a [Place<'a>],
    peer_place: Option<Place<'a>>,
    /// What networks peers see in this world, if not the peer's own address.
    pub address_before_dnat: Option<IpAddr>,
    names_of_peer: BTreeMap<&'a str, bool>,
    /// By key: what the peer, a node that is not in the input, has of it.
    labels_of_peer: BTreeMap<String, Labels>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        context: Context<'a>,
        direction: Direction,
        (subject, subject_places): (&'a Pod, &'a [Place<'a>]),
        peer: &'a EndPlaces<'a>,
    ) -> Self {
        Self {
            context,
            direction,
            subject,
            peer,
            subject_places,
            peer_place: None,
            address_before_dnat: None,
            names_of_peer: BTreeMap::new(),
            labels_of_peer: BTreeMap::new(),
        }
    }

    pub(crate) fn allows(mut self, forks: &mut Forks) -> bool {
        if self.is_from_own_node(forks) {
            return true;
        }
        self.choose_when_networks_look(forks);
        match self.ranked_tier(Tier::Admin, forks) {
            Some(Action::Accept) => return true,
            Some(Action::Deny) => return false,
            Some(Action::Pass) | None => {}
        }
        if let Some(allowed) = self.network_policy_tier(forks) {
            return allowed;
        }
        match self.ranked_tier(Tier::Baseline, forks) {
            Some(Action::Accept | Action::Pass) | None => true,
            Some(Action::Deny) => false,
        }
    }

    /// "OR if the traffic source is the pod's local node".
    fn is_from_own_node(&mut self, forks: &mut Forks) -> bool {
        if self.direction != Direction::Ingress || !self.peer_is_a_node() {
            return false;
        }
        let source_node = self.peer_place(forks).node;
        match (source_node, self.subject_node(forks)) {
            (Some(source_node), Some(own_node)) => source_node == own_node,
            (None, _) | (_, None) => forks.branch(2) == 0,
        }
    }

    /// Egress through a Service: networks peers see the pod that it picked, or an address of its own, of
    /// the family that the connection uses.
    fn choose_when_networks_look(&mut self, forks: &mut Forks) {
        let Some(via) = self.context.via.filter(|_| self.direction == Direction::Egress) else {
            return;
        };
        if self.context.assumptions.profile == Profile::Cilium {
            return;
        }
        let families = families(&self.peer.places);
        let usable = via.addresses.iter().filter(|one| families.contains(&Some(Family::of(**one))));
        let before: Vec<IpAddr> = usable.copied().collect();
        self.address_before_dnat =
            forks.branch(1 + before.len()).checked_sub(1).and_then(|n| before.get(n).copied());
    }

    /// Admin or Baseline. `None`: no rule matches.
    fn ranked_tier(&mut self, tier: Tier, forks: &mut Forks) -> Option<Action> {
        let mut by_priority: BTreeMap<u16, Vec<&'a Policy>> = BTreeMap::new();
        for policy in self.policies_of(tier) {
            by_priority.entry(policy.priority).or_default().push(policy);
        }
        for policies in by_priority.values() {
            let first_matches: Vec<Action> =
                policies.iter().filter_map(|policy| self.first_match(policy, forks)).collect();
            if !first_matches.is_empty() {
                return first_matches.get(forks.branch(first_matches.len())).copied();
            }
        }
        None
    }

    /// `None`: no NetworkPolicy isolates the subject in this direction.
    fn network_policy_tier(&mut self, forks: &mut Forks) -> Option<bool> {
        let policies = self.policies_of(Tier::NetworkPolicy);
        if policies.is_empty() {
            return None;
        }
        if self.context.loopback == Loopback::Open {
            return Some(true);
        }
        if !self.context.question.protocol.has_ports()
            && self.context.assumptions.profile == Profile::Upstream
        {
            return Some(forks.branch(2) == 0);
        }
        Some(policies.iter().any(|policy| self.first_match(policy, forks).is_some()))
    }

    /// Those that select the subject and say something of the direction.
    fn policies_of(&self, tier: Tier) -> Vec<&'a Policy> {
        let policies = self.context.snapshot.policies.values();
        policies
            .filter(|policy| policy.tier == tier && policy.rules(self.direction).is_some())
            .filter(|policy| self.selects_subject(policy))
            .collect()
    }

    fn selects_subject(&self, policy: &Policy) -> bool {
        debug_assert_eq!(
            policy.tier == Tier::NetworkPolicy,
            policy.id.kind == PolicyKind::NetworkPolicy,
            "NetworkPolicy v1 has its own tier"
        );
        self.counts_as_pod(policy.id.kind, self.subject)
            && self.in_scope(&policy.subject.namespaces, self.subject)
            && policy.subject.pods.matches(&self.subject.labels)
    }

    /// A node, or a pod on its network.
    pub(crate) fn peer_is_a_node(&self) -> bool {
        match self.peer.end {
            Resolved::Node(..) => true,
            Resolved::Pod(pod) => pod.host_network,
            Resolved::Outside(_) | Resolved::Name(_) => false,
        }
    }

    pub(crate) fn peer_place(&mut self, forks: &mut Forks) -> Place<'a> {
        let places = &self.peer.places;
        *self.peer_place.get_or_insert_with(|| one_of(places, forks))
    }

    /// The node that the subject runs on, where it is known. Only a host-network pod's may depend on
    /// its address; it is needed once, so that there is nothing to keep.
    fn subject_node(&mut self, forks: &mut Forks) -> Option<&'a str> {
        if self.subject.host_network {
            one_of(self.subject_places, forks).node
        } else {
            self.subject.node.as_deref()
        }
    }

    /// What the peer, a node that is not in the input, has of the key in this world.
    pub(crate) fn unknown_node_label(&mut self, key: &str, forks: &mut Forks) -> Labels {
        if let Some(known) = self.labels_of_peer.get(key) {
            return known.clone();
        }
        let possible = possible_labels(self.context.snapshot, key);
        let chosen = possible.get(forks.branch(possible.len())).cloned().unwrap_or_default();
        self.labels_of_peer.insert(key.to_owned(), chosen.clone());
        chosen
    }

    /// Whether the address outside the cluster belongs to the name, in this world.
    pub(crate) fn address_belongs_to(&mut self, name: &'a str, forks: &mut Forks) -> bool {
        *self.names_of_peer.entry(name).or_insert_with(|| forks.branch(2) == 0)
    }
}

/// A node without the key, with each value that a policy of the input compares it with, and with one
/// that none does.
fn possible_labels(snapshot: &Snapshot, key: &str) -> Vec<Labels> {
    let rules = snapshot.policies.values().flat_map(|policy| policy.egress.iter().flatten());
    let peers = rules.filter_map(|rule| match &rule.peers {
        Peers::Any => None,
        Peers::Listed(peers) => Some(peers),
    });
    let mut values = BTreeSet::from(["a value that no selector names"]);
    for peer in peers.flatten() {
        let PeerMatch::Nodes(selector) = &peer.matches else { continue };
        for requirement in selector.requirements().filter(|requirement| requirement.key == key) {
            match &requirement.operator {
                Operator::In(named) | Operator::NotIn(named) => {
                    values.extend(named.iter().map(String::as_str));
                }
                Operator::Exists | Operator::DoesNotExist => {}
            }
        }
    }
    let with_value = values.iter().map(|value| [(key, *value)].into_iter().collect());
    std::iter::once(Labels::default()).chain(with_value).collect()
}

fn one_of<'a>(places: &[Place<'a>], forks: &mut Forks) -> Place<'a> {
    if places.len() < 2 {
        return places.first().copied().unwrap_or(Place { address: None, node: None });
    }
    let chosen = places.get(forks.branch(places.len()));
    chosen.copied().unwrap_or(Place { address: None, node: None })
}
