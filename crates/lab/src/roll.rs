//! A rolling update, worked out: which pods a workload has after each step, until all are new.
//!
//! A Deployment's new pod comes up before an old one goes, under a name of its own. Pods of a StatefulSet
//! or a DaemonSet, and those that share their node's ports, go first, and a StatefulSet's come back by
//! name. Workloads that are rolled together take their steps side by side.

use crate::plan::{Rolled, Slot, next_number};
use policy_model::WorkloadKind;
use std::collections::BTreeSet;

/// What there is to replace.
#[derive(Clone, Debug)]
pub(crate) struct Roll {
    /// As in [`Rolled`].
    pub key: String,
    pub kind: WorkloadKind,
    /// In front of the number in the names of pods.
    pub name: String,
    /// Names and nodes of the pods that go.
    pub old: Vec<(String, usize)>,
    /// How many come.
    pub wanted: usize,
    /// Two pods would want the same ports of one node.
    pub on_host_network: bool,
    /// Names of other pods of the namespace.
    pub taken: BTreeSet<String>,
}

/// The pods of all workloads after each step, and then for good.
pub(crate) fn steps(rolls: &[Roll], rolled: &Rolled) -> Vec<Rolled> {
    let of_each: Vec<Vec<Vec<Slot>>> = rolls.iter().map(Roll::steps).collect();
    let n_steps = of_each.iter().map(Vec::len).max().unwrap_or(0);
    let step = |number: usize| {
        let mut after = rolled.clone();
        for (roll, steps) in rolls.iter().zip(&of_each) {
            if let Some(slots) = steps.get(number).or(steps.last()) {
                after.insert(roll.key.clone(), slots.clone());
            }
        }
        after
    };
    (0..n_steps).map(step).collect()
}

impl Roll {
    fn steps(&self) -> Vec<Vec<Slot>> {
        let old = self.old.iter().map(|(name, node)| Slot {
            name: name.clone(),
            node: Some(*node),
            is_old: true,
        });
        let old: Vec<Slot> = old.collect();
        match self.kind {
            _ if self.on_host_network => self.one_for_one(old, false),
            WorkloadKind::DaemonSet => self.one_for_one(old, false),
            WorkloadKind::StatefulSet => self.one_for_one(old, true),
            WorkloadKind::Deployment
            | WorkloadKind::ReplicaSet
            | WorkloadKind::ReplicationController
            | WorkloadKind::Job
            | WorkloadKind::CronJob
            | WorkloadKind::Pod => self.beside(old),
        }
    }

    /// A new one comes, then an old one goes.
    fn beside(&self, mut slots: Vec<Slot>) -> Vec<Vec<Slot>> {
        let (n_old, names) = (slots.len(), self.new_names(&slots));
        let mut names = names.into_iter();
        let mut steps = Vec::new();
        for turn in 0..n_old.max(self.wanted) {
            if let Some(name) = names.next() {
                slots.push(Slot { name, node: None, is_old: false });
                steps.push(slots.clone());
            }
            if turn < n_old {
                slots.remove(0);
                steps.push(slots.clone());
            }
        }
        steps
    }

    /// An old one goes, then a new one comes in its place: the last one first, as a StatefulSet does.
    fn one_for_one(&self, old: Vec<Slot>, keeps_names: bool) -> Vec<Vec<Slot>> {
        let names = if keeps_names { self.names(0) } else { self.new_names(&old) };
        let mut slots: Vec<Option<Slot>> =
            if keeps_names { by_name(old, &names) } else { old.into_iter().map(Some).collect() };
        slots.resize(slots.len().max(self.wanted), None);
        let mut steps = Vec::new();
        for turn in (0..slots.len()).rev() {
            let was = slots.get_mut(turn).and_then(Option::take);
            let node = was.as_ref().and_then(|was| was.node);
            if was.is_some() {
                steps.push(slots.iter().flatten().cloned().collect());
            }
            if let (Some(slot), Some(name)) = (slots.get_mut(turn), names.get(turn)) {
                *slot = Some(Slot { name: name.clone(), node, is_old: false });
                steps.push(slots.iter().flatten().cloned().collect());
            }
        }
        steps
    }

    fn new_names(&self, old: &[Slot]) -> Vec<String> {
        self.names(next_number(&self.name, old))
    }

    fn names(&self, first: usize) -> Vec<String> {
        let names = (first..).map(|number| format!("{}-{number}", self.name));
        names.filter(|name| !self.taken.contains(name)).take(self.wanted).collect()
    }
}

/// Each at the place of its name, and those that have none of the names behind.
fn by_name(old: Vec<Slot>, names: &[String]) -> Vec<Option<Slot>> {
    let mut slots = vec![None; names.len()];
    for slot in old {
        match names.iter().position(|name| *name == slot.name).and_then(|at| slots.get_mut(at)) {
            Some(place) => *place = Some(slot),
            None => slots.push(Some(slot)),
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(kind: WorkloadKind, old: &[&str], wanted: usize) -> Roll {
        Roll {
            key: format!("{kind} shop/web"),
            kind,
            name: "web".to_owned(),
            old: old.iter().map(|name| ((*name).to_owned(), 1)).collect(),
            wanted,
            on_host_network: false,
            taken: BTreeSet::new(),
        }
    }

    /// A star marks those that are new.
    fn text(roll: Roll) -> Vec<String> {
        let key = roll.key.clone();
        let slot = |slot: &Slot| format!("{}{}", slot.name, if slot.is_old { "" } else { "*" });
        let line = |step: &Rolled| {
            let slots: Vec<String> = step[&key].iter().map(slot).collect();
            slots.join(" ")
        };
        steps(&[roll], &Rolled::new()).iter().map(line).collect()
    }

    #[test]
    fn a_deployment_has_a_new_pod_before_it_loses_an_old_one() {
        let steps = text(roll(WorkloadKind::Deployment, &["web-0", "web-1"], 2));
        let expected =
            ["web-0 web-1 web-2*", "web-1 web-2*", "web-1 web-2* web-3*", "web-2* web-3*"];
        assert_eq!(steps, expected);
        let scaled = text(roll(WorkloadKind::Deployment, &["web-5d9-x"], 2));
        assert_eq!(scaled, ["web-5d9-x web-0*", "web-0*", "web-0* web-1*"]);
    }

    #[test]
    fn a_name_that_another_pod_has_is_passed_over() {
        let taken = ["web-1".to_owned()].into();
        let steps = text(Roll { taken, ..roll(WorkloadKind::Deployment, &["web-0"], 1) });
        assert_eq!(steps, ["web-0 web-2*", "web-2*"]);
    }

    #[test]
    fn a_stateful_set_has_the_same_names_again_the_last_first() {
        let steps = text(roll(WorkloadKind::StatefulSet, &["web-0", "web-1"], 2));
        assert_eq!(steps, ["web-0", "web-0 web-1*", "web-1*", "web-0* web-1*"]);
        let halved = text(roll(WorkloadKind::StatefulSet, &["web-1", "web-10"], 2));
        assert_eq!(halved, ["web-1", "", "web-1*", "web-0* web-1*"]);
    }

    #[test]
    fn a_daemon_set_and_ports_of_a_node_are_free_before_they_are_used_again() {
        let steps = text(roll(WorkloadKind::DaemonSet, &["web-0", "web-1"], 2));
        assert_eq!(steps, ["web-0", "web-0 web-3*", "web-3*", "web-2* web-3*"]);
        let host = Roll { on_host_network: true, ..roll(WorkloadKind::Deployment, &["web-0"], 1) };
        assert_eq!(text(host), ["", "web-1*"]);
    }

    #[test]
    fn workloads_that_are_rolled_together_take_their_steps_side_by_side() {
        let one = roll(WorkloadKind::Deployment, &["web-0"], 1);
        let other =
            Roll { key: "other".to_owned(), ..roll(WorkloadKind::Deployment, &["a", "b"], 1) };
        let steps = steps(&[one, other], &Rolled::new());
        let counts: Vec<Vec<usize>> =
            steps.iter().map(|step| step.values().map(Vec::len).collect()).collect();
        assert_eq!(counts, [[2, 3], [1, 2], [1, 1]]);
    }
}
