//! Changes that could make one side allow a connection.

use super::blocks::{blocks, networks};
use super::selectors::{SharedLabels, WorkloadSelector};
use super::{Candidate, PolicyChange, Wanted};
use crate::ends::End;
use crate::explain::Question;
use crate::program::Program;
use crate::verdict::RuleId;
use net_types::{AddressRange, AddressSet, Protocol, Traffic};
use policy_model::{
    Action, Direction, LabelSelector, NAMESPACE_NAME_LABEL, NamespaceScope, Peer, PeerMatch, Peers,
    Pod, Policy, PolicyId, PolicyKind, PortMatch, PortSpec, Ports, Requirement, Rule, Subject,
    Tier,
};

/// The last place in a tier, by the API's validation.
const LAST_PRIORITY: u16 = 1000;

/// By the API's validation of ClusterNetworkPolicy, for networks and ports alike.
const MOST_ITEMS: usize = 25;

/// Two of them fit into a name that is also fit for a label.
const LONGEST_END: usize = 20;

/// One side to be opened.
struct Opener<'w> {
    program: &'w Program,
    wanted: &'w Wanted,
    direction: Direction,
    subject: WorkloadSelector,
    /// Of the other end, if it is a pod with labels to select.
    peer: Option<WorkloadSelector>,
    matching: Vec<RuleId>,
}

impl Program {
    /// In order of preference, where they open equally much.
    pub(super) fn fix_candidates(&self, wanted: &Wanted, direction: Direction) -> Vec<Candidate> {
        let question = &wanted.question;
        let End::Pod(id) = question.subject(direction) else { return Vec::new() };
        let Some(pod) = self.pod(*id) else { return Vec::new() };
        let Question { from, to, protocol, port } = question;
        let peer = match question.peer(direction) {
            End::Pod(id) => self.pod(*id).filter(|pod| !pod.host_network),
            End::Address(_) | End::Name(_) => None,
        };
        let opener = Opener {
            program: self,
            wanted,
            direction,
            subject: self.select_workload(pod),
            peer: peer.map(|pod| self.select_workload(pod)),
            matching: self.matching_rules(direction, (from, to), *protocol, *port),
        };
        let mut candidates: Vec<PolicyChange> = Vec::new();
        // In vain where the Admin tier decides; then the program with the candidate says so.
        if self.is_isolated(*id, direction) {
            candidates.extend(opener.in_existing_policies());
            candidates.extend(opener.in_new_network_policy());
        } else {
            candidates.extend(opener.in_new_cluster_policy(Tier::Baseline));
            candidates.extend(opener.before_matching_rule(Tier::Baseline));
        }
        candidates.extend(opener.in_new_cluster_policy(Tier::Admin));
        candidates.extend(opener.before_matching_rule(Tier::Admin));
        candidates.into_iter().map(|change| opener.candidate(change)).collect()
    }
}

impl Opener<'_> {
    fn candidate(&self, change: PolicyChange) -> Candidate {
        let of = |selector: &WorkloadSelector| selector.shared.clone();
        let peer = self.peer.as_ref().and_then(of);
        let subject = match change {
            PolicyChange::NewPolicy { .. } => of(&self.subject),
            PolicyChange::NewRule { .. } => None,
        };
        let shared_labels: Vec<SharedLabels> = subject.into_iter().chain(peer).collect();
        Candidate { change, shared_labels }
    }

    /// A rule in a NetworkPolicy that selects this workload and nothing else; if several do, then in
    /// the ones that name it as a new policy would.
    fn in_existing_policies(&self) -> Vec<PolicyChange> {
        let own = |policy: &&Policy| {
            policy.id.kind == PolicyKind::NetworkPolicy
                && policy.rules(self.direction).is_some()
                && policy.id.namespace.as_ref() == Some(&self.subject.namespace)
                && self.program.subjects(&policy.id) == self.subject.pods
        };
        let mut policies: Vec<&Policy> = self.program.policies().filter(own).collect();
        policies.sort_by_key(|policy| policy.subject.pods != self.subject.selector);
        policies
            .into_iter()
            .take(2)
            .filter_map(|policy| {
                let at = policy.rules(self.direction).map_or(0, <[Rule]>::len);
                self.with_rule(policy, at)
            })
            .collect()
    }

    fn in_new_network_policy(&self) -> Option<PolicyChange> {
        let rule = self.rule(PolicyKind::NetworkPolicy)?;
        let namespace = self.subject.namespace.clone();
        let id = self.new_id(PolicyKind::NetworkPolicy, Some(&namespace));
        let subject = Subject {
            namespaces: NamespaceScope::Own(namespace),
            pods: self.subject.selector.clone(),
        };
        Some(self.new_policy(id, Tier::NetworkPolicy, 0, (subject, rule)))
    }

    /// A policy of the tier in front of whatever denies or passes on.
    fn in_new_cluster_policy(&self, tier: Tier) -> Option<PolicyChange> {
        let kind = self.cluster_kind(tier)?;
        let rule = self.rule(kind)?;
        let matching = self.matching.iter().filter_map(|rule| self.program.policy_of(*rule));
        let first =
            matching.filter(|policy| policy.tier == tier).map(|policy| policy.priority).min();
        let last = first.map_or(Some(LAST_PRIORITY), |first| first.checked_sub(1))?;
        let taken: Vec<u16> = self
            .program
            .policies()
            .filter(|policy| policy.tier == tier)
            .map(|policy| policy.priority)
            .collect();
        // One that nobody has is clearest, but only rules that match could be in conflict.
        let free = (0..=last).rev().find(|priority| !taken.contains(priority));
        let priority = free.unwrap_or(last);
        let subject = Subject {
            namespaces: namespace_named(&self.subject.namespace),
            pods: self.subject.selector.clone(),
        };
        Some(self.new_policy(self.new_id(kind, None), tier, priority, (subject, rule)))
    }

    /// The API generation that the cluster already uses; the current one where it uses none.
    fn cluster_kind(&self, tier: Tier) -> Option<PolicyKind> {
        let uses = |kind| self.program.policies().any(|policy| policy.id.kind == kind);
        let is_v1alpha2 = uses(PolicyKind::ClusterNetworkPolicy);
        let is_v1alpha1 =
            uses(PolicyKind::AdminNetworkPolicy) || uses(PolicyKind::BaselineAdminNetworkPolicy);
        match tier {
            Tier::Admin if is_v1alpha1 && !is_v1alpha2 => Some(PolicyKind::AdminNetworkPolicy),
            Tier::Baseline if is_v1alpha1 && !is_v1alpha2 => None,
            Tier::Admin | Tier::Baseline => Some(PolicyKind::ClusterNetworkPolicy),
            Tier::NetworkPolicy => None,
        }
    }

    /// A rule just before the tier's first one that matches, or may. It opens the policy's other
    /// subjects too.
    fn before_matching_rule(&self, tier: Tier) -> Option<PolicyChange> {
        let mut matching = self.matching.iter();
        let first = matching.find(|rule| {
            self.program.policy_of(**rule).is_some_and(|policy| policy.tier == tier)
        })?;
        self.with_rule(self.program.policy_of(*first)?, first.index())
    }

    fn with_rule(&self, policy: &Policy, at: usize) -> Option<PolicyChange> {
        let rule = self.rule(policy.id.kind)?;
        let mut policy = policy.clone();
        let rules = match self.direction {
            Direction::Ingress => policy.ingress.as_mut()?,
            Direction::Egress => policy.egress.as_mut()?,
        };
        let at = at.min(rules.len());
        rules.insert(at, rule.clone());
        Some(PolicyChange::NewRule { direction: self.direction, at, rule, policy })
    }

    fn new_policy(
        &self,
        id: PolicyId,
        tier: Tier,
        priority: u16,
        (subject, rule): (Subject, Rule),
    ) -> PolicyChange {
        let direction = self.direction;
        let rules = |of| (of == direction).then(|| vec![rule.clone()]);
        let policy = Policy {
            id,
            tier,
            priority,
            subject,
            ingress: rules(Direction::Ingress),
            egress: rules(Direction::Egress),
            span: None,
        };
        PolicyChange::NewPolicy { direction, policy }
    }

    /// `None` where the kind of policy cannot say it.
    fn rule(&self, kind: PolicyKind) -> Option<Rule> {
        let is_cluster = kind != PolicyKind::NetworkPolicy;
        let name = is_cluster.then(|| self.words());
        let peers = self.peers(is_cluster)?;
        let ports = ports(&self.wanted.traffic, self.wanted.question.protocol);
        let too_many = matches!(&ports, Ports::Listed(listed) if listed.len() > MOST_ITEMS);
        if is_cluster && too_many {
            return None;
        }
        Some(Rule { name, action: Action::Accept, peers: Peers::Listed(peers), ports, span: None })
    }

    fn peers(&self, is_cluster: bool) -> Option<Vec<Peer>> {
        let peer = |matches| Peer { matches, span: None };
        if let Some(WorkloadSelector { namespace, selector, .. }) = &self.peer {
            let same = !is_cluster && *namespace == self.subject.namespace;
            let namespaces = if same {
                NamespaceScope::Own(namespace.clone())
            } else {
                namespace_named(namespace)
            };
            return Some(vec![peer(PeerMatch::Pods { namespaces, pods: selector.clone() })]);
        }
        if is_cluster && self.direction == Direction::Ingress {
            // The cluster-scoped kinds admit only pods.
            return None;
        }
        let set = match self.wanted.question.peer(self.direction) {
            End::Name(name) if is_cluster => {
                let name = name.trim_end_matches('.').to_ascii_lowercase();
                return Some(vec![peer(PeerMatch::DomainNames(vec![name]))]);
            }
            End::Name(_) => return None,
            End::Address(_) => self.wanted.addresses.clone(),
            End::Pod(id) => self.host_addresses_of(self.program.pod(*id)?),
        };
        if set.is_empty() {
            return None;
        }
        if !is_cluster {
            let one = |network| peer(PeerMatch::Networks(vec![network]));
            return Some(networks(&set).into_iter().map(one).collect());
        }
        let plain = blocks(&set);
        let network = |block| policy_model::Network { block, except: Vec::new() };
        (plain.len() <= MOST_ITEMS)
            .then(|| vec![peer(PeerMatch::Networks(plain.into_iter().map(network).collect()))])
    }

    /// The addresses of a host-network pod, as far as they are known.
    fn host_addresses_of(&self, pod: &Pod) -> AddressSet {
        let node = self.program.node_of(pod);
        let of_node = self.program.nodes().filter(|known| Some(known.name.as_str()) == node);
        let own = pod.addresses.iter();
        own.chain(of_node.flat_map(|node| &node.addresses))
            .map(|address| AddressRange::single(*address))
            .collect()
    }

    /// A name that no policy has: `allow-web-to-db-5432-tcp`.
    fn new_id(&self, kind: PolicyKind, namespace: Option<&str>) -> PolicyId {
        let words = format!("allow-{}", self.words());
        let names = std::iter::once(words.clone())
            .chain((2..=u16::MAX).map(|number| format!("{words}-{number}")));
        let id = |name| PolicyId { kind, namespace: namespace.map(str::to_owned), name };
        let mut free = names.map(id).filter(|id| self.program.policy(id).is_none());
        free.next().unwrap_or_else(|| id(words.clone()))
    }

    /// `web-to-db-5432-tcp`, in characters that are fit for a name.
    fn words(&self) -> String {
        let (subject, peer) = (
            self.wanted.question.subject(self.direction),
            self.wanted.question.peer(self.direction),
        );
        let preposition = match self.direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        let traffic = &self.wanted.traffic;
        let question = &self.wanted.question;
        let one_port = traffic.ports(question.protocol).is_some_and(|ports| ports.n_ports() == 1);
        let port = if one_port {
            format!("{}-{}", question.port, question.protocol)
        } else if traffic.has_all_ports() {
            "all".to_owned()
        } else {
            question.protocol.to_string()
        };
        let words = format!("{}-{preposition}-{}-{port}", self.short(subject), self.short(peer));
        let mut name: String = words
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        name.truncate(name.trim_end_matches('-').len());
        name
    }

    fn short(&self, end: &End) -> String {
        let name = match end {
            End::Pod(id) => {
                self.program.pod(*id).map_or_else(String::new, |pod| pod.workload.name.clone())
            }
            End::Address(address) if self.wanted.addresses.ranges().len() == 1 => {
                address.to_string()
            }
            End::Address(_) => "outside".to_owned(),
            End::Name(name) => name.clone(),
        };
        name.chars().take(LONGEST_END).collect()
    }
}

fn namespace_named(name: &str) -> NamespaceScope {
    let requirement = Requirement::equals(NAMESPACE_NAME_LABEL, name);
    NamespaceScope::Selected([requirement].into_iter().collect::<LabelSelector>())
}

/// Protocols without ports can only be allowed together with everything else.
fn ports(traffic: &Traffic, protocol: Protocol) -> Ports {
    if traffic.has_all_ports() || !protocol.has_ports() {
        return Ports::All;
    }
    let of = |protocol: Protocol| {
        let ranges = traffic.ports(protocol).into_iter().flat_map(|ports| ports.ranges());
        ranges.map(move |range| PortSpec {
            matches: PortMatch::Numbers { protocol, range: *range },
            span: None,
        })
    };
    Ports::Listed(Protocol::WITH_PORTS.into_iter().flat_map(of).collect())
}
