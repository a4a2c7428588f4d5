//! A program as whoever writes it down in another form reads it: the rules of a pod in order, and
//! what rules can tell of an address. Nothing is decided here.

use crate::classes::AddressKey;
use crate::ids::{ClassId, PodId, PolicyIx, ProfileId, TermId};
use crate::objects::ObjectsVersion;
use crate::profile::Profile;
use crate::program::Program;
use crate::terms::Term;
use crate::verdict::RuleId;
use policy_model::{Action, ContainerPort, Direction, Labels, Policy, Ports};
use std::net::IpAddr;
use std::sync::Arc;

/// The rules that apply to a pod in one direction, in the order in which they decide: Admin,
/// NetworkPolicy, Baseline; equal priorities by the policies' names.
#[derive(Clone, Debug)]
pub struct RuleList {
    id: ProfileId,
    direction: Direction,
    profile: Arc<Profile>,
}

/// One rule of a [`RuleList`].
#[derive(Clone, Debug)]
pub struct ListedRule<'p> {
    pub id: RuleId,
    pub policy: &'p Policy,
    /// Not the written action where an unknown peer turns a Pass into a Deny.
    pub action: Action,
    pub any_peer: bool,
    /// Whatever it selects beside domain names; one of them suffices.
    pub terms: Vec<TermId>,
    pub has_domain_names: bool,
    pub ports: &'p Ports,
}

/// What rules can tell of the pods of a class, none of which is on the host network.
#[derive(Clone, Copy, Debug)]
pub struct PodTerms<'p> {
    /// Terms that select the pods themselves, sorted.
    pub pods: &'p [TermId],
    /// Networks that contain the pods' addresses, IPv4 and IPv6, sorted.
    pub networks: [&'p [TermId]; 2],
    /// Named ports only.
    pub served: &'p [ContainerPort],
}

impl RuleList {
    /// Lists of one program with the same id are the same.
    pub fn id(&self) -> ProfileId {
        self.id
    }

    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Whether it is the same list of the same program, or of one that grew out of it by changes.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.profile, &other.profile)
    }

    /// Where the rules of the Admin tier end.
    pub fn admin_end(&self) -> usize {
        self.profile.shape.network_policy.start
    }

    /// Where the rules of the Baseline tier start.
    pub fn baseline_start(&self) -> usize {
        self.profile.shape.network_policy.end
    }

    pub fn n_rules(&self) -> usize {
        self.profile.rules.len()
    }

    /// Whether a rule names a port by its name.
    pub fn has_port_names(&self) -> bool {
        self.profile.shape.ports.has_names()
    }

    /// All terms that its rules name.
    pub fn terms(&self) -> impl Iterator<Item = TermId> {
        self.profile.peer_terms().chain(self.profile.network_terms().iter().copied())
    }
}

impl Program {
    /// What rules can tell of pods and nodes stays the same as long as this does.
    pub fn objects_version(&self) -> &ObjectsVersion {
        self.objects.version()
    }

    /// `None` for a pod that was removed.
    pub fn rule_list(&self, pod: PodId, direction: Direction) -> Option<RuleList> {
        let key = self.key_of(pod)?;
        let (id, profile) = self.profile_of(key.policies, direction)?;
        Some(RuleList { id, direction, profile: Arc::clone(profile) })
    }

    pub fn listed_rules<'p>(
        &'p self,
        list: &'p RuleList,
    ) -> impl Iterator<Item = ListedRule<'p>> + 'p {
        list.profile.rules.iter().enumerate().filter_map(|(index, slot)| {
            let policy = self.compiled(slot.policy)?;
            let rule = policy.rules(list.direction)?.get(slot.rule)?;
            let networks = rule.networks.iter().map(|(term, _)| *term);
            Some(ListedRule {
                id: RuleId::of(&list.profile, list.direction, index)?,
                policy: &policy.policy,
                action: list.profile.action(index),
                any_peer: rule.any,
                terms: rule.terms.iter().copied().chain(networks).collect(),
                has_domain_names: !rule.domains.is_empty(),
                ports: &rule.ports,
            })
        })
    }

    /// The NetworkPolicies that isolate the pods of a list; those without rules first.
    pub fn isolating_policies<'p>(
        &'p self,
        list: &'p RuleList,
    ) -> impl Iterator<Item = &'p Policy> + 'p {
        let isolating = list.profile.isolating.iter();
        isolating.filter_map(|ix: &PolicyIx| self.compiled(*ix).map(|compiled| &compiled.policy))
    }

    pub fn term(&self, id: TermId) -> Option<&Arc<Term>> {
        self.terms.shared(id)
    }

    /// `None` for a class of host-network pods: they are what their addresses are.
    pub fn pod_terms(&self, class: ClassId) -> Option<PodTerms<'_>> {
        let key = self.classes.key(class).filter(|key| key.host.is_none())?;
        let networks = match &key.addresses {
            AddressKey::Known { v4, v6 } => {
                [v4, v6].map(|terms| terms.as_deref().unwrap_or_default())
            }
            AddressKey::Unknown | AddressKey::Host(_) => [&[][..]; 2],
        };
        Some(PodTerms { pods: &key.terms, networks, served: self.classes.served(key.ports) })
    }

    /// The addresses of nodes, with the nodes terms that select them: also those of host-network
    /// pods, which are nodes to whoever sees their packets. A node that is not in the input is taken
    /// to have no labels, which is one of the ways in which it may be labelled.
    pub fn node_addresses(&self) -> Vec<(IpAddr, Vec<TermId>)> {
        let selecting = |labels: &Labels| -> Vec<TermId> {
            let terms = self.terms.iter().filter_map(|(id, term)| match term {
                Term::Nodes(selector) if selector.matches(labels) => Some(id),
                Term::Nodes(_) | Term::Pods { .. } | Term::Network(_) => None,
            });
            terms.collect()
        };
        let unlabelled = selecting(&Labels::default());
        let of = |name: &str| {
            self.node_terms
                .get(name)
                .map_or_else(|| unlabelled.clone(), |known| known.certain.clone())
        };
        let nodes = self.objects.nodes.values().flat_map(|node| {
            node.addresses.iter().map(move |address| (*address, node.name.as_str()))
        });
        let owned = nodes.filter(|(address, name)| {
            self.objects.node_at(*address).is_some_and(|owner| owner.name == *name)
        });
        let mut addresses: Vec<_> = owned.map(|(address, name)| (address, of(name))).collect();
        for (_, pod) in self.pods().filter(|(_, pod)| pod.host_network) {
            let own = pod.addresses.iter().filter(|own| self.objects.node_at(**own).is_none());
            let terms = self.node_of(pod).map_or_else(|| unlabelled.clone(), of);
            addresses.extend(own.map(|address| (*address, terms.clone())));
        }
        addresses
    }

    /// The networks of all policies that contain an address, sorted.
    pub fn network_terms_at(&self, address: IpAddr) -> Vec<TermId> {
        self.networks_containing(address)
    }
}
