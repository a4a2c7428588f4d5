//! The smallest change that allows one denied connection, with what else it would open.
//!
//! Each side that does not allow gets candidates: a rule in a policy that selects just this workload,
//! or a new policy. Every combination is applied to a copy of the program, which then decides again
//! and says which other verdicts changed; the one that opens least is the fix. **Invariant.** A fix is
//! never proposed unless the program with it allows the connection.

mod blocks;
mod candidates;
mod effect;
mod selectors;

pub use effect::Opening;
pub use selectors::SharedLabels;

use crate::change::Change;
use crate::ends::End;
use crate::explain::Question;
use crate::map::MapPeer;
use crate::program::Program;
use crate::verdict::{Cause, Verdict};
use net_types::{AddressRange, AddressSet, PortRange, Traffic};
use policy_model::{Direction, Policy, Rule};

/// What a fix is to allow: a question, between the workloads of its pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub question: Question,
    /// The protocols and ports; they include the question's.
    pub traffic: Traffic,
    /// The addresses at an end that is not a pod; they include the question's.
    pub addresses: AddressSet,
}

impl Wanted {
    /// Just what was asked.
    pub fn of(question: Question) -> Self {
        let range = PortRange::single(question.port).unwrap_or(PortRange::ALL);
        let address = [&question.from, &question.to].into_iter().filter_map(|end| match end {
            End::Address(address) => Some(AddressRange::single(*address)),
            End::Pod(_) | End::Name(_) => None,
        });
        Self {
            traffic: Traffic::of(question.protocol, range),
            addresses: address.collect(),
            question,
        }
    }
}

/// A verified change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// One for each side that did not allow.
    pub changes: Vec<PolicyChange>,
    /// What becomes allowed, or possible, beyond what was wanted.
    pub opens: Vec<Opening>,
    /// What is no longer allowed: a new policy may isolate other pods.
    pub closes: Vec<Opening>,
    /// Workloads that no label tells apart from a wanted one.
    pub shared_labels: Vec<SharedLabels>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChange {
    NewPolicy {
        direction: Direction,
        policy: Policy,
    },
    /// `policy` has the rule at index `at` already.
    NewRule {
        direction: Direction,
        at: usize,
        rule: Rule,
        policy: Policy,
    },
}

impl PolicyChange {
    pub fn direction(&self) -> Direction {
        match self {
            Self::NewPolicy { direction, .. } | Self::NewRule { direction, .. } => *direction,
        }
    }

    /// Both sides may change one policy: then the second change must not undo the first.
    fn keep(&mut self, earlier: &Self) {
        let (direction, kept) = (earlier.direction(), earlier.policy());
        let (Self::NewPolicy { policy, .. } | Self::NewRule { policy, .. }) = self;
        if policy.id == kept.id {
            match direction {
                Direction::Ingress => policy.ingress.clone_from(&kept.ingress),
                Direction::Egress => policy.egress.clone_from(&kept.egress),
            }
        }
    }

    /// The policy as it is after the change, and after those before it in the plan.
    pub fn policy(&self) -> &Policy {
        match self {
            Self::NewPolicy { policy, .. } | Self::NewRule { policy, .. } => policy,
        }
    }
}

/// Why there is no fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFix {
    /// Nothing denies it.
    AlreadyAllowed,
    /// No policy that can be written for the cluster makes the answer a sure allow.
    NotExpressible,
}

/// A candidate, with the labels that it could not tell apart.
#[derive(Clone, Debug)]
struct Candidate {
    change: PolicyChange,
    shared_labels: Vec<SharedLabels>,
}

impl Program {
    /// The change that allows what is wanted and opens least beyond it.
    pub fn fix(&self, wanted: &Wanted) -> Result<Fix, NoFix> {
        let wanted = &Wanted { question: self.settled(&wanted.question), ..wanted.clone() };
        let Question { from, to, protocol, port } = &wanted.question;
        let decision = self.decide(from, to, *protocol, *port);
        if decision.verdict == Verdict::Allow {
            return Err(NoFix::AlreadyAllowed);
        }
        let mut plans: Vec<Vec<Candidate>> = vec![Vec::new()];
        for direction in [Direction::Egress, Direction::Ingress] {
            let side = decision.side(direction);
            if side.verdict == Verdict::Allow || side.cause == Cause::NotAPod {
                continue;
            }
            let candidates = self.fix_candidates(wanted, direction);
            plans = product(&plans, &candidates);
        }
        let mut best: Option<Fix> = None;
        for plan in plans {
            let Some(fix) = self.try_plan(wanted, &plan) else { continue };
            let perfect = fix.opens.is_empty() && fix.closes.is_empty();
            if best.as_ref().is_none_or(|best| cost(&fix) < cost(best)) {
                best = Some(fix);
            }
            if perfect {
                break;
            }
        }
        best.ok_or(NoFix::NotExpressible)
    }

    /// `None` where the plan does not work.
    fn try_plan(&self, wanted: &Wanted, plan: &[Candidate]) -> Option<Fix> {
        let mut changed = self.clone();
        let mut effect = effect::Effect::default();
        let mut shared_labels: Vec<SharedLabels> = Vec::new();
        for Candidate { change, shared_labels: shared } in plan {
            let policy = Box::new(change.policy().clone());
            let delta = changed.apply(Change::SetPolicy(policy));
            effect.add(self, &delta);
            shared_labels.extend(shared.iter().cloned());
        }
        shared_labels.sort();
        shared_labels.dedup();
        let Question { from, to, protocol, port } = &wanted.question;
        if changed.decide(from, to, *protocol, *port).verdict != Verdict::Allow {
            return None;
        }
        let (opens, closes) = effect.beyond(self, wanted);
        let changes = plan.iter().map(|candidate| candidate.change.clone()).collect();
        Some(Fix { changes, opens, closes, shared_labels })
    }

    /// What a pod is in a map of workloads; an end that is not a pod is none.
    fn workload_of(&self, end: &End) -> Option<MapPeer> {
        match end {
            End::Pod(id) => self.pod(*id).map(|pod| MapPeer::Workload(pod.workload.clone())),
            End::Address(_) | End::Name(_) => None,
        }
    }
}

/// Closing something is worse than opening anything; then the least opened, then the first tried.
fn cost(fix: &Fix) -> (usize, usize, usize) {
    let (sure, unsure): (Vec<&Opening>, Vec<&Opening>) =
        fix.opens.iter().partition(|opening| opening.is_certain);
    (fix.closes.len(), sure.len(), unsure.len())
}

/// Every plan with every candidate.
fn product(plans: &[Vec<Candidate>], candidates: &[Candidate]) -> Vec<Vec<Candidate>> {
    let mut longer = Vec::new();
    for plan in plans {
        for candidate in candidates {
            let mut candidate = candidate.clone();
            plan.iter().for_each(|earlier| candidate.change.keep(&earlier.change));
            longer.push(plan.iter().cloned().chain([candidate]).collect());
        }
    }
    longer
}
