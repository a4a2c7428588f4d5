//! `isolated`: nothing is allowed by default. Either a NetworkPolicy covers the pod in the direction, or the
//! Admin and Baseline tiers deny every peer on every port that no rule of theirs accepts.
//!
//! Ingress rules of those tiers can name pods only, so a Deny of all pods leaves what is outside the cluster
//! open: it does not isolate for ingress.

use crate::assertion::no_pods;
use crate::members::resolve;
use crate::results::{Example, Problem, ProblemKind};
use crate::spec::{OnUndefined, PeerSet};
use crate::violations::Violations;
use crate::world::World;
use finding_model::SourceSpan;
use net_types::IpNet;
use policy_engine::{PodId, Reason, Semantics};
use policy_model::{Action, Direction, NamespaceScope, PeerMatch, Peers, Ports, Rule, Tier};

pub(crate) fn run(
    world: &World<'_>,
    (set, directions): (&PeerSet, &[Direction]),
    undefined: OnUndefined,
    span: SourceSpan,
) -> Vec<Problem> {
    let members = match resolve(world, set) {
        Ok(members) => members,
        Err(problems) => return problems,
    };
    if members.pods.is_empty() {
        return vec![no_pods(set, span)];
    }
    let mut violations = Violations::default();
    for id in members.pod_ids() {
        let Some(pod) = world.program.pod(id) else { continue };
        for direction in directions {
            let by_tiers = denied_by_tiers(world, id, *direction);
            let by_network_policy = world.program.is_isolated(id, *direction);
            let isolated = by_network_policy || by_tiers.is_everything(world);
            let text = match (isolated, pod.host_network, world.program.assumptions().semantics) {
                (true, false, _) => continue,
                (true, true, Semantics::Upstream) => match undefined {
                    OnUndefined::Pass => continue,
                    OnUndefined::Fail => {
                        format!("undefined for {direction}: {}", Reason::HostNetwork.text())
                    }
                },
                (true, true, Semantics::Cilium) => {
                    format!("not isolated for {direction}: it is on the host network")
                }
                (false, _, _) if by_tiers.pods => format!(
                    "no NetworkPolicy isolates it for {direction}, and the Deny of all pods leaves other \
                     peers open"
                ),
                (false, _, _) => format!("no NetworkPolicy isolates it for {direction}"),
            };
            let example = Example::Pod { name: pod.to_string(), span: pod.span, text };
            violations.example(example);
        }
    }
    let problem = violations.into_problem(
        ProblemKind::NotIsolated,
        "expected every pod to be isolated",
        span,
    );
    problem.into_iter().collect()
}

/// The peers that Admin and Baseline policies deny on every port.
#[derive(Clone, Copy, Debug, Default)]
struct Denied {
    pods: bool,
    nodes: bool,
    v4: bool,
    v6: bool,
}

impl Denied {
    const EVERYTHING: Self = Self { pods: true, nodes: true, v4: true, v6: true };

    /// Every pod and node has an address, which blocks match unless identity comes first.
    fn is_everything(self, world: &World<'_>) -> bool {
        let in_cluster = match world.program.assumptions().semantics {
            Semantics::Upstream => true,
            Semantics::Cilium => self.pods && self.nodes,
        };
        self.v4 && self.v6 && in_cluster
    }

    fn and(self, other: Self) -> Self {
        Self {
            pods: self.pods || other.pods,
            nodes: self.nodes || other.nodes,
            v4: self.v4 || other.v4,
            v6: self.v6 || other.v6,
        }
    }

    fn by(peer: &PeerMatch) -> Self {
        let none = Self::default();
        match peer {
            PeerMatch::Pods { namespaces: NamespaceScope::Selected(namespaces), pods } => {
                Self { pods: namespaces.is_everything() && pods.is_everything(), ..none }
            }
            PeerMatch::Pods { namespaces: NamespaceScope::Own(_), .. } => none,
            PeerMatch::Networks(networks) => {
                let whole = networks
                    .iter()
                    .filter(|one| one.block.prefix_len() == 0 && one.except.is_empty());
                whole.fold(none, |denied, one| match one.block {
                    IpNet::V4(_) => Self { v4: true, ..denied },
                    IpNet::V6(_) => Self { v6: true, ..denied },
                })
            }
            PeerMatch::Nodes(selector) => Self { nodes: selector.is_everything(), ..none },
            PeerMatch::DomainNames(_) => none,
            PeerMatch::Unknown => Self::EVERYTHING,
        }
    }
}

fn denied_by_tiers(world: &World<'_>, pod: PodId, direction: Direction) -> Denied {
    let policies = world.program.policies_of(pod, direction);
    let tiers = [Tier::Admin, Tier::Baseline].into_iter().map(|tier| {
        let of_tier = policies.iter().filter(|policy| policy.tier == tier);
        let rules: Vec<&Rule> =
            of_tier.flat_map(|policy| policy.rules(direction).unwrap_or_default()).collect();
        // What a tier passes on may reach the default.
        if rules.iter().any(|rule| rule.action == Action::Pass) {
            return Denied::default();
        }
        let denying =
            rules.iter().filter(|rule| rule.action == Action::Deny && rule.ports == Ports::All);
        let peers = denying.flat_map(|rule| match &rule.peers {
            Peers::Any => [].as_slice(),
            Peers::Listed(peers) => peers,
        });
        peers.map(|peer| Denied::by(&peer.matches)).fold(Denied::default(), Denied::and)
    });
    tiers.fold(Denied::default(), Denied::and)
}
