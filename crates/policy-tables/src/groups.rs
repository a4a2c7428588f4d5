//! Local pods with the same rules in one direction.

use crate::features::PortName;
use crate::modes::Modes;
use crate::problem::{DeniedSide, Problem};
use crate::rule_set::RuleSet;
use crate::sketch::{Sketch, port_names};
use crate::tables::LocalPod;
use policy_engine::{PodId, Program, RuleList, TermId};
use policy_model::{ContainerPort, Direction, PolicyId};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The program's number of the list, and the subject's named ports where ingress rules give names.
pub(crate) type GroupKey = (policy_engine::ProfileId, Vec<ContainerPort>);

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) list: RuleList,
    pub(crate) pods: Vec<PodId>,
    /// Port names of egress rules.
    pub(crate) names: Vec<PortName>,
    /// Where there are such names, whose meaning changes with the destinations.
    pub(crate) sketch: Option<Arc<Sketch>>,
    /// `None`: not yet known, or everything is denied.
    pub(crate) rules: Option<Arc<RuleSet>>,
    pub(crate) is_denied: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    pub(crate) of: BTreeMap<GroupKey, Group>,
}

impl Groups {
    pub(crate) fn collect(
        program: &Program,
        locals: &[LocalPod],
        previous: Option<&Self>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut groups = Self::default();
        for LocalPod { pod } in locals.iter().collect::<BTreeSet<_>>() {
            let Some(object) = program.pod(*pod) else {
                problems.push(Problem::UnknownPod { pod: *pod });
                continue;
            };
            if object.host_network {
                problems.push(Problem::OnHostNetwork { pod: object.to_string() });
                continue;
            }
            for direction in Direction::BOTH {
                let Some(list) = program.rule_list(*pod, direction) else { continue };
                let served = match direction {
                    Direction::Ingress if list.has_port_names() => named(&object.ports),
                    Direction::Ingress | Direction::Egress => Vec::new(),
                };
                let key = (list.id(), served);
                if let Some(group) = groups.of.get_mut(&key) {
                    group.pods.push(*pod);
                    continue;
                }
                let known = previous.and_then(|previous| previous.same(&key, &list));
                groups.of.insert(key, Group::new(program, list, *pod, known));
            }
        }
        groups
    }

    /// The group with the same rules.
    pub(crate) fn same(&self, key: &GroupKey, list: &RuleList) -> Option<&Group> {
        self.of.get(key).filter(|group| group.list.is(list))
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.of.iter().filter(|(_, group)| !group.is_denied)
    }

    /// The terms that rules name.
    pub(crate) fn terms(&self) -> BTreeSet<TermId> {
        let lists = self.live().flat_map(|(_, group)| group.list.terms());
        // Lists share most terms, and a tree is slow to find that out.
        let terms: FxHashSet<TermId> = lists.collect();
        terms.into_iter().collect()
    }

    /// The ports of pods to which egress rules may give a name.
    pub(crate) fn served(&self, program: &Program) -> BTreeSet<ContainerPort> {
        let names: BTreeSet<&PortName> = self.live().flat_map(|(_, group)| &group.names).collect();
        if names.is_empty() {
            return BTreeSet::new();
        }
        let pods = program.pods().filter(|(_, pod)| !pod.host_network);
        // Most pods serve the same few ports, and a tree is slow to find that out.
        let ports: FxHashSet<&ContainerPort> = pods.flat_map(|(_, pod)| &pod.ports).collect();
        let fitting = ports.into_iter().filter(|port| names.iter().any(|name| name.fits(port)));
        fitting.cloned().collect()
    }

    /// Denies everything to groups, and returns on whom that falls.
    pub(crate) fn deny(
        &mut self,
        program: &Program,
        concerns: impl Fn(&Group) -> bool,
    ) -> Vec<DeniedSide> {
        let mut sides = Vec::new();
        for group in self.of.values_mut().filter(|group| !group.is_denied) {
            if concerns(group) {
                group.is_denied = true;
                group.rules = None;
                sides.push(group.side(program));
            }
        }
        sides
    }
}

impl Group {
    fn new(program: &Program, list: RuleList, pod: PodId, known: Option<&Self>) -> Self {
        let names = known.map_or_else(|| egress_names(program, &list), |known| known.names.clone());
        Self { list, pods: vec![pod], names, sketch: None, rules: None, is_denied: false }
    }

    pub(crate) fn side(&self, program: &Program) -> DeniedSide {
        let pods = self.pods.iter().filter_map(|pod| program.pod(*pod));
        let of_rules = program.listed_rules(&self.list).map(|rule| &rule.policy.id);
        let isolating = program.isolating_policies(&self.list).map(|policy| &policy.id);
        let policies: BTreeSet<&PolicyId> = of_rules.chain(isolating).collect();
        DeniedSide {
            pods: pods.map(ToString::to_string).collect(),
            direction: self.list.direction(),
            policies: policies.into_iter().cloned().collect(),
        }
    }

    /// Whether one of these policies is among its own.
    pub(crate) fn has_one_of(&self, program: &Program, policies: &[&PolicyId]) -> bool {
        !policies.is_empty()
            && self.side(program).policies.iter().any(|policy| policies.contains(&policy))
    }

    /// Whether the class of a peer means anything to it.
    pub(crate) fn looks_at_peers(&self) -> bool {
        self.list.terms().next().is_some() || !self.names.is_empty()
    }

    /// How many rules it has at least.
    pub(crate) fn n_rules(&self, program: &Program, modes: &Modes) -> usize {
        self.list.n_rules() + crate::sketch::isolating(program, &self.list, modes).len()
    }
}

fn named(ports: &[ContainerPort]) -> Vec<ContainerPort> {
    let named: BTreeSet<&ContainerPort> = ports.iter().filter(|port| port.name.is_some()).collect();
    named.into_iter().cloned().collect()
}

fn egress_names(program: &Program, list: &RuleList) -> Vec<PortName> {
    if list.direction() == Direction::Ingress || !list.has_port_names() {
        return Vec::new();
    }
    let rules = program.listed_rules(list);
    let names: BTreeSet<PortName> = rules.flat_map(|rule| port_names(rule.ports)).collect();
    names.into_iter().collect()
}
