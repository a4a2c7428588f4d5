//! Near misses: the rules that would have allowed a denied connection, but for a label, a port, a
//! namespace or the like.
//!
//! A rule is compared with the connection part by part, on the values of the policy model. What
//! differs has a weight, so that the rule that is one typo away comes before the rule that means
//! somebody else. **Invariant.** Of the rules that can decide the side, exactly those without a
//! difference match.

mod labels;
mod peers;
mod ports;

pub use labels::{LabelDifference, LabelOwner};
pub use ports::PortDifference;

use crate::ends::End;
use crate::explain::Question;
use crate::ids::PodId;
use crate::program::Program;
use crate::verdict::{Cause, RuleId, Side, Verdict};
use net_types::Protocol;
use policy_model::{
    Action, Direction, NamespaceScope, Network, Peers, Pod, Policy, Rule, RuleRef, Service, Tier,
    WorkloadRef,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A rule that nearly matches. Its direction is not the denied one where that is what differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NearMiss {
    /// The sum of the differences' weights; smaller is nearer.
    pub distance: u32,
    pub rule: RuleRef,
    /// At least one.
    pub differences: Vec<Difference>,
    /// The parts without a difference.
    pub matching: Vec<RulePart>,
}

/// What a rule requires of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RulePart {
    /// That its policy selects the subject.
    Subject,
    Peer,
    Port,
}

/// One requirement of a rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// A label that a selector of this part asks for.
    Label {
        part: RulePart,
        difference: LabelDifference,
    },
    /// The policy is in another namespace than the pod, and speaks of its own only.
    PolicyNamespace {
        policy: String,
        pod: String,
    },
    /// A `podSelector` without `namespaceSelector`: the policy's own namespace only.
    PeerNamespace {
        rule: String,
        pod: String,
    },
    Port(PortDifference),
    /// The peer's address is in none of the blocks.
    OutsideNetworks {
        addresses: Vec<IpAddr>,
        networks: Vec<Network>,
    },
    /// Under the assumed profile networks do not match pods and nodes of the cluster.
    NetworksSkipCluster {
        networks: Vec<Network>,
    },
    /// A host-network pod is its node, and the rule admits pods.
    HostNetwork,
    /// The rule is written for the other direction.
    OtherDirection,
    /// The rule matches, and another decides before it.
    DecidedBefore {
        by: RuleRef,
    },
}

impl Difference {
    fn weight(&self) -> u32 {
        match self {
            Self::Label { part: RulePart::Subject, difference } if !difference.is_slip() => 3,
            Self::Label { difference, .. } => difference.weight(),
            Self::Port(difference) => difference.weight(),
            Self::PeerNamespace { .. } | Self::OtherDirection => 2,
            Self::OutsideNetworks { .. } | Self::HostNetwork | Self::DecidedBefore { .. } => 3,
            Self::PolicyNamespace { .. } | Self::NetworksSkipCluster { .. } => 4,
        }
    }
}

/// A rule further off means somebody else.
const FARTHEST: u32 = 4;

/// More than these nobody reads.
const MOST: usize = 3;

/// Where a rule stands in the order in which rules decide.
type Position<'p> = (Tier, u16, &'p policy_model::PolicyId, usize);

/// What every candidate of one search is compared with.
struct Search<'q> {
    program: &'q Program,
    question: &'q Question,
    direction: Direction,
    subject: (PodId, &'q Pod),
    /// The rule that decides, and the Admin rule that passed over the rest of its tier.
    decider: Option<(Position<'q>, RuleId)>,
    passing: Option<(Position<'q>, RuleId)>,
    isolated: bool,
}

impl Program {
    /// The rules that nearly allow what `side` surely denies, nearest first.
    pub fn near_misses(
        &self,
        question: &Question,
        direction: Direction,
        side: &Side,
    ) -> Vec<NearMiss> {
        if side.verdict != Verdict::Deny {
            return Vec::new();
        }
        let question = self.settled(question);
        let Some(search) = Search::new(self, &question, direction, side) else { return Vec::new() };
        let mut found: Vec<NearMiss> =
            self.policies().flat_map(|policy| search.of_policy(policy)).collect();
        found.sort();
        // Beside a slip, what differs by another intent is only noise.
        let limit = found.first().map_or(0, |nearest| nearest.distance * 2);
        found.retain(|near| near.distance <= limit);
        found.truncate(MOST);
        found
    }
}

impl<'q> Search<'q> {
    fn new(
        program: &'q Program,
        question: &'q Question,
        direction: Direction,
        side: &Side,
    ) -> Option<Self> {
        let End::Pod(id) = question.subject(direction) else { return None };
        let ends = (&question.from, &question.to);
        let matching = program.matching_rules(direction, ends, question.protocol, question.port);
        let passing = matching.first().filter(|rule| {
            program.action_of(**rule) == Some(Action::Pass)
                && program.policy_of(**rule).is_some_and(|policy| policy.tier == Tier::Admin)
        });
        let decider = match side.cause {
            Cause::Rule(rule) => Some(rule),
            Cause::Isolation(_)
            | Cause::NoPolicy
            | Cause::NotAPod
            | Cause::OwnNode
            | Cause::SelfTraffic => None,
        };
        let placed = |rule: RuleId| Some((position(program.policy_of(rule)?, rule.index()), rule));
        Some(Self {
            program,
            question,
            direction,
            subject: (*id, program.pod(*id)?),
            decider: decider.and_then(placed),
            passing: passing.copied().and_then(placed),
            isolated: program.is_isolated(*id, direction),
        })
    }

    fn of_policy(&self, policy: &'q Policy) -> Vec<NearMiss> {
        if policy.tier == Tier::Baseline && self.isolated || self.is_about_another(policy) {
            return Vec::new();
        }
        let subject = self.subject_differences(policy);
        let distance: u32 = subject.iter().map(Difference::weight).sum();
        if distance > FARTHEST {
            return Vec::new();
        }
        let other = match self.direction {
            Direction::Ingress => Direction::Egress,
            Direction::Egress => Direction::Ingress,
        };
        // A rule of the other direction is one slip; a wrong subject as well makes it another rule.
        let directions: &[Direction] =
            if subject.is_empty() { &[self.direction, other] } else { &[self.direction] };
        let mut found = Vec::new();
        for direction in directions {
            for (index, rule) in policy.rules(*direction).into_iter().flatten().enumerate() {
                if rule.action == Action::Accept {
                    let rule_ref =
                        RuleRef { policy: policy.id.clone(), direction: *direction, rule: index };
                    found.extend(self.of_rule(policy, rule, rule_ref, &subject));
                }
            }
        }
        found
    }

    /// A policy for every pod of another namespace is meant for that namespace.
    fn is_about_another(&self, policy: &Policy) -> bool {
        let own = &policy.subject.namespaces;
        policy.subject.pods.is_everything()
            && matches!(own, NamespaceScope::Own(name) if *name != self.subject.1.namespace)
    }

    fn of_rule(
        &self,
        policy: &'q Policy,
        rule: &Rule,
        rule_ref: RuleRef,
        subject: &[Difference],
    ) -> Option<NearMiss> {
        let peer = self.peer_differences(rule, self.question.peer(self.direction))?;
        let port = self.port_difference(policy, rule);
        let parts = [
            (RulePart::Subject, subject.is_empty()),
            (RulePart::Peer, peer.is_empty()),
            (RulePart::Port, port.is_none()),
        ];
        let mut differences = subject.to_vec();
        differences.extend(peer);
        differences.extend(port.map(Difference::Port));
        if rule_ref.direction != self.direction {
            // Reversed, a rule that differs in anything else is about something else, and one for the
            // subject itself as well is broad on purpose.
            if !differences.is_empty() || self.admits_subject(rule) {
                return None;
            }
            differences.push(Difference::OtherDirection);
        } else if let Some(by) = self.decided_before(position(policy, rule_ref.rule)) {
            differences.push(Difference::DecidedBefore { by });
        }
        let distance = differences.iter().map(Difference::weight).sum();
        let matching =
            parts.into_iter().filter(|(_, holds)| *holds).map(|(part, _)| part).collect();
        (!differences.is_empty() && distance <= FARTHEST).then_some(NearMiss {
            distance,
            rule: rule_ref,
            differences,
            matching,
        })
    }

    /// What would keep a rule at this place from deciding, even if it matched.
    fn decided_before(&self, at: Position<'_>) -> Option<RuleRef> {
        let passed = self.passing.filter(|(passing, _)| at.0 == Tier::Admin && at > *passing);
        let decided = self.decider.filter(|(decider, _)| at > *decider);
        let (_, rule) = passed.or(decided)?;
        self.program.rule_ref(rule)
    }

    fn subject_differences(&self, policy: &Policy) -> Vec<Difference> {
        let (_, pod) = self.subject;
        let mut differences = Vec::new();
        match &policy.subject.namespaces {
            NamespaceScope::Own(own) if *own != pod.namespace => {
                let pod = pod.namespace.clone();
                differences.push(Difference::PolicyNamespace { policy: own.clone(), pod });
            }
            NamespaceScope::Own(_) => {}
            NamespaceScope::Selected(selector) => {
                let owner = LabelOwner::Namespace(pod.namespace.clone());
                let labels = self.program.namespace(&pod.namespace).map(|found| &found.labels);
                differences.extend(labels::differences(
                    self.program,
                    RulePart::Subject,
                    selector,
                    labels,
                    &owner,
                ));
            }
        }
        let owner = LabelOwner::Pod;
        differences.extend(labels::differences(
            self.program,
            RulePart::Subject,
            &policy.subject.pods,
            Some(&pod.labels),
            &owner,
        ));
        differences
    }

    fn admits_subject(&self, rule: &Rule) -> bool {
        let subject = self.question.subject(self.direction);
        self.peer_differences(rule, subject).is_some_and(|differences| differences.is_empty())
    }

    /// `None` where no peer of the rule can be compared with the end.
    fn peer_differences(&self, rule: &Rule, end: &End) -> Option<Vec<Difference>> {
        let Peers::Listed(peers) = &rule.peers else { return Some(Vec::new()) };
        let each = peers.iter().map(|peer| peers::differences(self.program, &peer.matches, end));
        let all: Option<Vec<Option<Vec<Difference>>>> = each.collect();
        // An unknown peer makes the whole rule match nothing.
        let comparable = all?.into_iter().flatten();
        comparable.min_by_key(|found| found.iter().map(Difference::weight).sum::<u32>())
    }

    fn port_difference(&self, policy: &Policy, rule: &Rule) -> Option<PortDifference> {
        let Question { to, protocol, port, .. } = self.question;
        ports::difference(self.program, policy, &rule.ports, (to, *protocol, *port))
    }
}

fn position(policy: &Policy, rule: usize) -> Position<'_> {
    (policy.tier, policy.priority, &policy.id, rule)
}

/// The asked port is a Service's, and the pod listens elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePortHint {
    /// `namespace/name`.
    pub service: String,
    pub port: u16,
    pub target: u16,
}

impl Program {
    /// The workloads of a Service's namespace that its selector nearly selects, nearest first.
    pub fn nearly_selected(&self, service: &Service) -> Vec<(WorkloadRef, Vec<LabelDifference>)> {
        let Some(selector) = &service.selector else { return Vec::new() };
        let mut found: BTreeMap<WorkloadRef, (u32, Vec<LabelDifference>)> = BTreeMap::new();
        for (_, pod) in self.pods().filter(|(_, pod)| pod.namespace == service.namespace) {
            let owner = LabelOwner::Pod;
            let differences = labels::unmet(self, selector, Some(&pod.labels), &owner);
            let distance: u32 = differences.iter().map(LabelDifference::weight).sum();
            let is_nearer = found.get(&pod.workload).is_none_or(|(known, _)| distance < *known);
            if (1..FARTHEST).contains(&distance) && is_nearer {
                found.insert(pod.workload.clone(), (distance, differences));
            }
        }
        let mut nearest: Vec<(u32, WorkloadRef, Vec<LabelDifference>)> = found
            .into_iter()
            .map(|(workload, (distance, differences))| (distance, workload, differences))
            .collect();
        nearest.sort();
        nearest.truncate(MOST);
        nearest.into_iter().map(|(_, workload, differences)| (workload, differences)).collect()
    }

    /// Whether a question about a pod's port is likely about a Service in front of it.
    pub fn service_port_hint(
        &self,
        to: &End,
        protocol: Protocol,
        port: u16,
    ) -> Option<ServicePortHint> {
        let End::Pod(id) = to else { return None };
        let pod = self.pod(*id)?;
        if pod.ports.iter().any(|served| served.protocol == protocol && served.port == port) {
            return None;
        }
        self.services_in_front(*id)
            .find(|(_, of_service, target)| {
                of_service.protocol == protocol && of_service.port == port && *target != port
            })
            .map(|(service, _, target)| ServicePortHint {
                service: service.to_string(),
                port,
                target,
            })
    }
}
