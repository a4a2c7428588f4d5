//! Policies with their selectors interned and their subjects known.

use crate::ids::{PodId, TermId};
use crate::objects::Objects;
use crate::terms::{Term, Terms, addresses};
use net_types::AddressSet;
use policy_model::{
    Action, Direction, NamespaceScope, PeerMatch, Peers, Policy, Ports, Rule, Tier,
};
use roaring::RoaringBitmap;

#[derive(Clone, Debug)]
pub(crate) struct CompiledRule {
    pub(crate) action: Action,
    /// Any peer matches.
    pub(crate) any: bool,
    /// Pods and nodes terms.
    pub(crate) terms: Vec<TermId>,
    pub(crate) networks: Vec<(TermId, AddressSet)>,
    pub(crate) domains: Vec<String>,
    pub(crate) ports: Ports,
}

#[derive(Clone, Debug)]
pub(crate) struct CompiledPolicy {
    pub(crate) policy: Policy,
    /// Pods that it selects. Host-network pods are among them for a NetworkPolicy, whose reading of
    /// them is a fork, and never for the cluster-scoped kinds.
    pub(crate) subjects: RoaringBitmap,
    ingress: Option<Vec<CompiledRule>>,
    egress: Option<Vec<CompiledRule>>,
}

impl CompiledPolicy {
    pub(crate) fn new(policy: Policy, objects: &Objects, terms: &mut Terms) -> Self {
        let mut compile = |rules: Option<&Vec<Rule>>| -> Option<Vec<CompiledRule>> {
            rules.map(|rules| rules.iter().map(|rule| compile_rule(rule, objects, terms)).collect())
        };
        let ingress = compile(policy.ingress.as_ref());
        let egress = compile(policy.egress.as_ref());
        let mut compiled = Self { policy, subjects: RoaringBitmap::new(), ingress, egress };
        compiled.select(objects);
        compiled
    }

    /// Finds the subjects anew.
    pub(crate) fn select(&mut self, objects: &Objects) {
        let subject = &self.policy.subject;
        let mut subjects = objects.select(&subject.namespaces, &subject.pods);
        if self.policy.tier != Tier::NetworkPolicy {
            let on_host: Vec<u32> = subjects
                .iter()
                .filter(|id| objects.pod(PodId(*id)).is_some_and(|pod| pod.host_network))
                .collect();
            on_host.into_iter().for_each(|id| {
                subjects.remove(id);
            });
        }
        self.subjects = subjects;
    }

    pub(crate) fn has_selected_scope(&self) -> bool {
        matches!(self.policy.subject.namespaces, NamespaceScope::Selected(_))
    }

    /// Whether [`Self::select`] would find the pod.
    pub(crate) fn applies_to(&self, objects: &Objects, pod: PodId) -> bool {
        let subject = &self.policy.subject;
        let on_host = objects.pod(pod).is_some_and(|pod| pod.host_network);
        (self.policy.tier == Tier::NetworkPolicy || !on_host)
            && objects.selects(&subject.namespaces, &subject.pods, pod)
    }

    /// `None` where the policy does not speak of the direction.
    pub(crate) fn rules(&self, direction: Direction) -> Option<&[CompiledRule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }
}

fn compile_rule(rule: &Rule, objects: &Objects, terms: &mut Terms) -> CompiledRule {
    let mut compiled = CompiledRule {
        action: rule.action,
        any: false,
        terms: Vec::new(),
        networks: Vec::new(),
        domains: Vec::new(),
        ports: rule.ports.clone(),
    };
    let peers = match &rule.peers {
        Peers::Any => {
            compiled.any = true;
            return compiled;
        }
        Peers::Listed(peers) => peers,
    };
    for peer in peers {
        match &peer.matches {
            PeerMatch::Pods { namespaces, pods } => {
                let term = Term::Pods { namespaces: namespaces.clone(), pods: pods.clone() };
                compiled.terms.push(terms.intern(term, objects));
            }
            PeerMatch::Networks(networks) => {
                for network in networks {
                    let id = terms.intern(Term::Network(network.clone()), objects);
                    compiled.networks.push((id, addresses(network)));
                }
            }
            PeerMatch::Nodes(selector) => {
                compiled.terms.push(terms.intern(Term::Nodes(selector.clone()), objects));
            }
            PeerMatch::DomainNames(names) => compiled.domains.extend(names.iter().cloned()),
            PeerMatch::Unknown => {}
        }
    }
    if peers.iter().any(|peer| peer.matches == PeerMatch::Unknown) {
        fail_closed(&mut compiled);
    }
    compiled
}

/// The API's rule for a peer that an implementation does not know: an Accept rule matches nothing,
/// not even by its other peers; Deny and Pass become Deny of everything.
fn fail_closed(rule: &mut CompiledRule) {
    match rule.action {
        Action::Accept => {
            rule.terms.clear();
            rule.networks.clear();
            rule.domains.clear();
        }
        Action::Deny | Action::Pass => {
            rule.action = Action::Deny;
            rule.any = true;
        }
    }
}
