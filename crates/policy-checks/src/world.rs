//! What several checks ask of a program, computed once.

use crate::forks::{Fork, forks};
use finding_model::Code;
use policy_engine::{PodId, Program, TrafficCache};
use policy_model::{
    Direction, LabelSelector, NamespaceScope, PeerMatch, Peers, Pod, Policy, PolicyId, Rule,
    Service,
};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

type Selection = (NamespaceScope, LabelSelector);

/// A program with indices. Belongs to one run.
pub(crate) struct World<'p> {
    pub(crate) program: &'p Program,
    subjects: BTreeMap<&'p PolicyId, Rc<[PodId]>>,
    applied: Vec<Vec<&'p Policy>>,
    pods_of_namespace: BTreeMap<&'p str, Vec<PodId>>,
    selections: RefCell<BTreeMap<Selection, Rc<[PodId]>>>,
    pub(crate) cache: RefCell<TrafficCache>,
    forks: OnceCell<Vec<Fork<'p>>>,
    service_pods: OnceCell<Vec<(&'p Service, Vec<PodId>)>>,
    stopped: RefCell<Vec<Stopped<'p>>>,
}

/// A search that gave up before it knew.
#[derive(Clone, Debug)]
pub(crate) struct Stopped<'p> {
    pub(crate) check: Code,
    /// Where it began.
    pub(crate) rule: RuleAt<'p>,
    /// What it was to find out, as in "it is not known …".
    pub(crate) question: String,
    pub(crate) n_asked: usize,
}

/// One rule and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleAt<'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) direction: Direction,
    /// Counts from 0.
    pub(crate) index: usize,
    pub(crate) rule: &'p Rule,
}

impl<'p> World<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        let mut world = Self {
            program,
            subjects: BTreeMap::new(),
            applied: Vec::new(),
            pods_of_namespace: BTreeMap::new(),
            selections: RefCell::default(),
            cache: RefCell::default(),
            forks: OnceCell::new(),
            service_pods: OnceCell::new(),
            stopped: RefCell::default(),
        };
        for (id, pod) in program.pods() {
            world.pods_of_namespace.entry(&pod.namespace).or_default().push(id);
            world.applied.resize_with(id.index() + 1, Vec::new);
        }
        for policy in program.policies() {
            let subjects: Rc<[PodId]> = program.subjects(&policy.id).into();
            for pod in subjects.iter() {
                if let Some(list) = world.applied.get_mut(pod.index()) {
                    list.push(policy);
                }
            }
            world.subjects.insert(&policy.id, subjects);
        }
        world
    }

    /// The pods that a policy applies to; host-network pods only for a NetworkPolicy.
    pub(crate) fn subjects(&self, policy: &Policy) -> Rc<[PodId]> {
        self.subjects.get(&policy.id).map_or_else(|| Rc::from([]), Rc::clone)
    }

    /// The policies that apply to a pod and speak of the direction.
    pub(crate) fn applied(
        &self,
        pod: PodId,
        direction: Direction,
    ) -> impl Iterator<Item = &'p Policy> + '_ {
        let policies = self.applied.get(pod.index()).into_iter().flatten().copied();
        policies.filter(move |policy| policy.rules(direction).is_some())
    }

    pub(crate) fn select(&self, namespaces: &NamespaceScope, pods: &LabelSelector) -> Rc<[PodId]> {
        let key = (namespaces.clone(), pods.clone());
        if let Some(known) = self.selections.borrow().get(&key) {
            return Rc::clone(known);
        }
        let selected: Rc<[PodId]> = self.program.select(namespaces, pods).into();
        self.selections.borrow_mut().insert(key, Rc::clone(&selected));
        selected
    }

    /// The pods that pods peers of a rule select, ascending.
    pub(crate) fn peer_pods(&self, rule: &Rule) -> Rc<[PodId]> {
        let Peers::Listed(peers) = &rule.peers else { return Rc::from([]) };
        let selections = peers.iter().filter_map(|peer| match &peer.matches {
            PeerMatch::Pods { namespaces, pods } => Some(self.select(namespaces, pods)),
            PeerMatch::Networks(_)
            | PeerMatch::Nodes(_)
            | PeerMatch::DomainNames(_)
            | PeerMatch::Unknown => None,
        });
        let selections: Vec<Rc<[PodId]>> = selections.collect();
        match selections.as_slice() {
            // Most rules have one peer; what it selects is shared, not copied.
            [alone] => Rc::clone(alone),
            several => {
                let mut pods: Vec<PodId> =
                    several.iter().flat_map(|pods| pods.iter().copied()).collect();
                pods.sort_unstable();
                pods.dedup();
                pods.into()
            }
        }
    }

    pub(crate) fn pods_of(&self, namespace: &str) -> &[PodId] {
        self.pods_of_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has_pods(&self) -> bool {
        !self.pods_of_namespace.is_empty()
    }

    /// The first pod of each class: no rule tells the others apart.
    pub(crate) fn one_of_each(&self, pods: &[PodId]) -> Vec<PodId> {
        let mut seen = BTreeSet::new();
        let first = |pod: &PodId| self.program.class_of(*pod).is_some_and(|c| seen.insert(c));
        pods.iter()
            .copied()
            .filter({
                let mut first = first;
                move |pod| first(pod)
            })
            .collect()
    }

    pub(crate) fn pod(&self, id: PodId) -> Option<&'p Pod> {
        self.program.pod(id)
    }

    pub(crate) fn is_on_host(&self, id: PodId) -> bool {
        self.pod(id).is_some_and(|pod| pod.host_network)
    }

    pub(crate) fn forks(&self) -> &[Fork<'p>] {
        self.forks.get_or_init(|| forks(self))
    }

    /// Services with the pods that their selectors select.
    pub(crate) fn services(&self) -> &[(&'p Service, Vec<PodId>)] {
        self.service_pods.get_or_init(|| {
            let services = self.program.services().iter();
            services.map(|service| (service, self.program.service_pods(service))).collect()
        })
    }

    pub(crate) fn stop(&self, stopped: Stopped<'p>) {
        self.stopped.borrow_mut().push(stopped);
    }

    /// The searches that gave up so far.
    pub(crate) fn stopped(&self) -> Vec<Stopped<'p>> {
        self.stopped.borrow().clone()
    }

    /// Every rule of every policy, in the order of policies.
    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleAt<'p>> + use<'p> {
        self.program.policies().flat_map(rules_of)
    }

    /// Whether the labels of all namespaces are in the input.
    pub(crate) fn declares_all_namespaces(&self) -> bool {
        self.program.namespaces().all(|namespace| namespace.span.is_some())
    }
}

/// The rules of one policy, ingress first.
pub(crate) fn rules_of(policy: &Policy) -> impl Iterator<Item = RuleAt<'_>> {
    Direction::BOTH.into_iter().flat_map(move |direction| {
        let rules = policy.rules(direction).unwrap_or_default().iter().enumerate();
        rules.map(move |(index, rule)| RuleAt { policy, direction, index, rule })
    })
}

impl RuleAt<'_> {
    /// `ingress[0]`, as rules are named everywhere.
    pub(crate) fn name(&self) -> String {
        format!("{}[{}]", self.direction, self.index)
    }

    /// `NetworkPolicy shop/web ingress[0]`.
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.policy.id, self.name())
    }

    pub(crate) fn span(&self) -> Option<finding_model::SourceSpan> {
        self.rule.span.or(self.policy.span)
    }
}
