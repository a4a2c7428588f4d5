//! `isolated`: NetworkPolicies select each pod in each direction, so that what none of them allows is
//! denied. A Baseline policy that denies does not isolate: a NetworkPolicy would switch it off.

use crate::assertion::no_pods;
use crate::members::resolve;
use crate::results::{Example, Problem, ProblemKind};
use crate::spec::{OnUndefined, PeerSet};
use crate::violations::Violations;
use crate::world::World;
use finding_model::SourceSpan;
use policy_engine::{Reason, Semantics};
use policy_model::Direction;

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
            let isolated = world.program.is_isolated(id, *direction);
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
