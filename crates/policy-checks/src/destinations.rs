//! The pods whose ports a rule's ports are about.

use crate::world::{RuleAt, World};
use policy_engine::PodId;
use policy_model::{Direction, PeerMatch, Peers};
use std::rc::Rc;

/// The destinations of a rule, as far as they are pods.
#[derive(Clone, Debug)]
pub(crate) struct Destinations {
    pub(crate) pods: Rc<[PodId]>,
    /// Addresses outside the cluster are destinations as well.
    pub(crate) outside: bool,
}

pub(crate) fn destinations(world: &World<'_>, rule: RuleAt<'_>) -> Destinations {
    let all = || world.program.pods().map(|(id, _)| id).collect();
    match (rule.direction, &rule.rule.peers) {
        (Direction::Ingress, _) => {
            Destinations { pods: world.subjects(rule.policy), outside: false }
        }
        (Direction::Egress, Peers::Any) => Destinations { pods: all(), outside: true },
        (Direction::Egress, Peers::Listed(peers)) => {
            let only_pods = peers.iter().all(|p| matches!(p.matches, PeerMatch::Pods { .. }));
            let pods = if only_pods { world.peer_pods(rule.rule) } else { all() };
            Destinations { pods, outside: !only_pods }
        }
    }
}
