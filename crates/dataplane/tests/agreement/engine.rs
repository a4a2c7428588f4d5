//! What the engine and the naive oracle answer: with the enforced policies, to packets of one family.

use crate::world::Step;
use dataplane::Inquiry;
use net_types::Family;
use policy_engine::{Assumptions, Cause, End, PodId, Program, Semantics, Verdict};
use policy_model::{Direction, Snapshot};
use policy_tables::Mode;
use std::net::IpAddr;

/// A pod has its addresses of the packet's family.
pub(crate) struct View {
    family: Family,
    snapshot: Snapshot,
    program: Program,
}

impl View {
    pub(crate) fn both(step: &Step) -> [Self; 2] {
        [Family::V4, Family::V6].map(|family| {
            let mut snapshot = step.snapshot.clone();
            snapshot.policies.retain(|id, _| step.modes.of(id) == Mode::Enforce);
            for pod in &mut snapshot.pods {
                pod.addresses.retain(|address| Family::of(*address) == family);
            }
            let program = Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream));
            Self { family, snapshot, program }
        })
    }

    /// Whether packets between them are of this family, and policies say something of them.
    pub(crate) fn has(&self, pod: PodId, peer: IpAddr) -> bool {
        let own = self.program.pod(pod).map_or(&[][..], |pod| &pod.addresses);
        Family::of(peer) == self.family && !own.is_empty() && !own.contains(&peer)
    }

    /// Whether it is allowed, where the API leaves no choice. Traffic of the node itself is decided before any
    /// rule is asked.
    pub(crate) fn by_engine(&self, pod: PodId, asked: &Inquiry) -> Option<bool> {
        let (from, to) = self.ends(pod, asked);
        let decision = self.program.decide(&from, &to, asked.protocol, asked.port);
        let side = decision.side(asked.direction);
        match side.cause {
            Cause::OwnNode | Cause::SelfTraffic | Cause::NotAPod => None,
            Cause::Rule(_) | Cause::Isolation(_) | Cause::NoPolicy => match side.verdict {
                Verdict::Allow => Some(true),
                Verdict::Deny => Some(false),
                Verdict::Undefined => None,
            },
        }
    }

    pub(crate) fn by_oracle(&self, pod: PodId, asked: &Inquiry) -> Option<bool> {
        let end = |end: End| match end {
            End::Pod(id) => policy_oracle::End::Pod(&self.snapshot.pods[id.index()]),
            End::Address(address) => policy_oracle::End::Address(address),
            End::Name(_) => unreachable!("packets have addresses"),
        };
        let (from, to) = self.ends(pod, asked);
        let question = policy_oracle::Question {
            from: end(from),
            to: end(to),
            protocol: asked.protocol,
            port: asked.port,
        };
        let profile = policy_oracle::Profile::Upstream;
        let assumptions = policy_oracle::Assumptions { profile, ..Default::default() };
        match policy_oracle::evaluate_side(&self.snapshot, &assumptions, &question, asked.direction)
        {
            policy_oracle::Verdict::Allow => Some(true),
            policy_oracle::Verdict::Deny => Some(false),
            policy_oracle::Verdict::Undefined => None,
        }
    }

    fn ends(&self, pod: PodId, asked: &Inquiry) -> (End, End) {
        let peer = self.host_pod_at(asked.peer).map_or(End::Address(asked.peer), End::Pod);
        match asked.direction {
            Direction::Egress => (End::Pod(pod), peer),
            Direction::Ingress => (peer, End::Pod(pod)),
        }
    }

    /// The pod on the host network that has the address, where no node and no other pod has it.
    fn host_pod_at(&self, address: IpAddr) -> Option<PodId> {
        let program = &self.program;
        if program.node_at(address).is_some()
            || program.end_at(address) != Ok(End::Address(address))
        {
            return None;
        }
        let mut pods = program.pods().filter(|(_, pod)| pod.host_network);
        pods.find(|(_, pod)| pod.addresses.contains(&address)).map(|(id, _)| id)
    }
}
