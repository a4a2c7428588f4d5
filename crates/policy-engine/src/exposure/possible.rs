//! Pods that do not exist, and whether rules would let them through.
//!
//! For every selector by which a rule accepts and that selects no pod of the input, an example is made
//! that it would select, and the engine is asked about it as about any other pod. The example has the
//! labels that the selector asks for and no others, unless those are refused by another rule: then
//! labels are changed until they are not. The answer is exact for the example.

use crate::facts::{Addresses, EndKind, Facts};
use crate::ids::{PodId, TermId};
use crate::profile::Profile;
use crate::program::{PolicySet, Program};
use crate::terms::Term;
use crate::traffic::{PairTraffic, TrafficCache};
use policy_model::{
    Direction, LabelSelector, Labels, NAMESPACE_NAME_LABEL, NamespaceScope, Operator, Requirement,
};
use std::collections::{BTreeMap, BTreeSet};

/// A pod that a rule would let through, if there were one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PossiblePeer {
    /// The selectors of the rule; `None`: any pod, whatever its labels and namespace.
    pub selectors: Option<(NamespaceScope, LabelSelector)>,
    pub namespace: PossibleNamespace,
    pub labels: Labels,
    /// What the peer's side lets through; policies of the possible pod itself may allow less.
    pub traffic: PairTraffic,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PossibleNamespace {
    /// One of the input.
    Existing(String),
    /// One with these labels, and with this name if it matters.
    New { name: Option<String>, labels: Labels },
}

/// Stands for a value that no selector names.
const FRESH: &str = "any";
/// Examples that are tried for one selector.
const MOST_TRIES: usize = 64;
/// Namespaces of the input that an example is moved to, out of the way of one selector.
const MOST_MOVES: usize = 8;

/// What was found for one pod.
#[derive(Default)]
pub(super) struct Possible {
    pub(super) found: Vec<PossiblePeer>,
    /// Where an example that was not tried might be let through.
    pub(super) unsettled: Vec<(NamespaceScope, LabelSelector)>,
}

enum Search {
    Found(Box<(Example, PairTraffic)>),
    Nothing,
    /// Nothing among those that were tried.
    Unsettled,
}

/// The selectors of a term.
type Selectors<'s> = (&'s NamespaceScope, &'s LabelSelector);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Example {
    namespace: PossibleNamespace,
    labels: Labels,
}

impl Program {
    pub(super) fn possible_peers_of(
        &self,
        pod: PodId,
        direction: Direction,
        cache: &mut TrafficCache,
    ) -> Possible {
        let mut possible = Possible::default();
        let Some(facts) = self.pod_facts(pod) else { return possible };
        let Some((_, profile)) = self.profile_of(facts.policies, direction) else {
            return possible;
        };
        let mut ask = |example: &Example| {
            let terms = self.terms_of(profile, example);
            let asked = possible_facts(&terms);
            match direction {
                Direction::Ingress => self.traffic_between(&asked, &facts, cache),
                Direction::Egress => self.traffic_between(&facts, &asked, cache),
            }
        };
        let anyone =
            Example { namespace: new_namespace(Labels::default()), labels: Labels::default() };
        let of_anyone = ask(&anyone);
        let refusing: Vec<TermId> = profile.refusing_terms().collect();
        for term in profile.accepting_terms() {
            let Some(Term::Pods { namespaces, pods }) = self.terms.term(term) else { continue };
            if self.terms.members(term).is_some_and(|members| !members.is_empty()) {
                continue;
            }
            let selectors = (namespaces.clone(), pods.clone());
            match self.search((namespaces, pods), &refusing, &mut ask, &of_anyone) {
                Search::Found(found) => {
                    let (Example { namespace, labels }, traffic) = *found;
                    let selectors = Some(selectors);
                    possible.found.push(PossiblePeer { selectors, namespace, labels, traffic });
                }
                Search::Unsettled => possible.unsettled.push(selectors),
                Search::Nothing => {}
            }
        }
        if !of_anyone.is_empty() {
            let Example { namespace, labels } = anyone;
            let anyone = PossiblePeer { selectors: None, namespace, labels, traffic: of_anyone };
            possible.found.push(anyone);
        }
        possible
    }

    /// The first example that the selectors select and that more is let through for than for anyone.
    fn search(
        &self,
        target: Selectors<'_>,
        refusing: &[TermId],
        ask: &mut impl FnMut(&Example) -> PairTraffic,
        of_anyone: &PairTraffic,
    ) -> Search {
        let mut is_cut = false;
        let mut waiting: Vec<Example> = self.first_example(target).into_iter().collect();
        let mut seen: BTreeSet<Example> = waiting.iter().cloned().collect();
        let mut next = 0;
        while let Some(example) = waiting.get(next).cloned() {
            next += 1;
            let traffic = ask(&example);
            if !traffic.is_empty() && traffic.union(of_anyone) != *of_anyone {
                return Search::Found(Box::new((example, traffic)));
            }
            let in_the_way = refusing.iter().filter_map(|term| match self.terms.term(*term)? {
                Term::Pods { namespaces, pods } => Some((namespaces, pods)),
                Term::Network(_) | Term::Nodes(_) => None,
            });
            for (namespaces, pods) in in_the_way.filter(|of| self.selects_example(*of, &example)) {
                let (changed, are_some) = self.changed(&example, (namespaces, pods), target);
                is_cut |= are_some;
                for other in changed {
                    if seen.contains(&other) {
                        continue;
                    }
                    if seen.len() == MOST_TRIES {
                        is_cut = true;
                        break;
                    }
                    seen.insert(other.clone());
                    waiting.push(other);
                }
            }
        }
        if is_cut { Search::Unsettled } else { Search::Nothing }
    }

    /// `None` where the selectors contradict themselves, and so can never select a pod.
    fn first_example(&self, (scope, pods): Selectors<'_>) -> Option<Example> {
        let namespace = match scope {
            NamespaceScope::Own(name) => PossibleNamespace::Existing(name.clone()),
            NamespaceScope::Selected(selector) => {
                let existing =
                    self.objects.namespaces.values().find(|n| selector.matches(&n.labels));
                match existing {
                    Some(namespace) => PossibleNamespace::Existing(namespace.name.clone()),
                    None => new_namespace(labels_for(selector)?),
                }
            }
        };
        Some(Example { namespace, labels: labels_for(pods)? })
    }

    /// Examples of the target that the selectors in the way do not select, each by one change; and
    /// whether there are more.
    fn changed(
        &self,
        example: &Example,
        (scope, pods): Selectors<'_>,
        target: Selectors<'_>,
    ) -> (Vec<Example>, bool) {
        let mut changed: Vec<Example> = pods
            .requirements()
            .flat_map(|requirement| without(&example.labels, requirement))
            .map(|labels| Example { namespace: example.namespace.clone(), labels })
            .collect();
        let moved = |namespace| Example { namespace, labels: example.labels.clone() };
        let others = self.objects.namespaces.values().filter(|namespace| match scope {
            NamespaceScope::Own(name) => *name != namespace.name,
            NamespaceScope::Selected(selector) => !selector.matches(&namespace.labels),
        });
        let others = others.map(|n| moved(PossibleNamespace::Existing(n.name.clone())));
        let mut others = others.filter(|other| self.selects_example(target, other));
        let moves: Vec<Example> = others.by_ref().take(MOST_MOVES).collect();
        let are_some = others.next().is_some();
        if let (PossibleNamespace::New { labels, .. }, NamespaceScope::Selected(selector)) =
            (&example.namespace, scope)
        {
            let requirements = selector.requirements();
            let other = requirements.flat_map(|requirement| without(labels, requirement));
            changed.extend(other.map(|labels| moved(new_namespace(labels))));
        }
        changed.retain(|other| self.selects_example(target, other));
        changed.extend(moves);
        (changed, are_some)
    }

    fn selects_example(&self, (scope, pods): Selectors<'_>, example: &Example) -> bool {
        let in_scope = match (scope, &example.namespace) {
            (NamespaceScope::Own(name), PossibleNamespace::Existing(of)) => name == of,
            (NamespaceScope::Own(name), PossibleNamespace::New { name: of, .. }) => {
                Some(name) == of.as_ref()
            }
            (NamespaceScope::Selected(selector), PossibleNamespace::Existing(of)) => {
                let namespace = self.objects.namespaces.get(of);
                namespace.is_some_and(|namespace| selector.matches(&namespace.labels))
            }
            (NamespaceScope::Selected(selector), PossibleNamespace::New { name, labels }) => {
                let mut labels = labels.clone();
                let name = name.clone().unwrap_or_else(|| format!("{FRESH} namespace"));
                labels.0.insert(NAMESPACE_NAME_LABEL.to_owned(), name);
                selector.matches(&labels)
            }
        };
        in_scope && pods.matches(&example.labels)
    }

    /// The profile's terms that select the example, sorted.
    fn terms_of(&self, profile: &Profile, example: &Example) -> Vec<TermId> {
        let selects = |term: &TermId| match self.terms.term(*term) {
            Some(Term::Pods { namespaces, pods }) => {
                self.selects_example((namespaces, pods), example)
            }
            Some(Term::Network(_) | Term::Nodes(_)) | None => false,
        };
        profile.peer_terms().filter(selects).collect()
    }
}

/// A pod of unknown address that no policy applies to and that serves no named port.
fn possible_facts(terms: &[TermId]) -> Facts<'_> {
    Facts {
        kind: EndKind::Pod,
        terms,
        addresses: Addresses::Unknown(None),
        node: None,
        unknown_node: &[],
        via: None,
        policies: PolicySet::NONE,
        served: &[],
        served_id: 0,
    }
}

fn new_namespace(mut labels: Labels) -> PossibleNamespace {
    let name = labels.0.remove(NAMESPACE_NAME_LABEL);
    PossibleNamespace::New { name, labels }
}

/// The fewest labels that a selector selects; `None` where it contradicts itself.
fn labels_for(selector: &LabelSelector) -> Option<Labels> {
    let mut by_key: BTreeMap<&str, Vec<&Operator>> = BTreeMap::new();
    for Requirement { key, operator } in selector.requirements() {
        by_key.entry(key).or_default().push(operator);
    }
    let mut labels = Labels::default();
    for (key, operators) in by_key {
        let mut listed = operators.iter().filter_map(|operator| match operator {
            Operator::In(values) => Some(values.iter().cloned().collect()),
            Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
        });
        let must_exist = operators.iter().any(|operator| matches!(operator, Operator::Exists));
        let candidates: Vec<String> = match (listed.next(), must_exist) {
            (Some(values), _) => values,
            (None, true) => vec![fresh(&operators)],
            (None, false) => continue,
        };
        let fits = |value: &String| {
            let label: Labels = [(key, value.as_str())].into_iter().collect();
            operators.iter().all(|operator| {
                Requirement { key: key.to_owned(), operator: (*operator).clone() }.matches(&label)
            })
        };
        labels.0.insert(key.to_owned(), candidates.into_iter().find(fits)?);
    }
    selector.matches(&labels).then_some(labels)
}

/// A value that none of the operators names.
fn fresh(operators: &[&Operator]) -> String {
    let is_named = |value: &str| {
        operators.iter().any(|operator| match operator {
            Operator::In(values) | Operator::NotIn(values) => values.contains(value),
            Operator::Exists | Operator::DoesNotExist => false,
        })
    };
    let mut value = FRESH.to_owned();
    while is_named(&value) {
        value.push('-');
    }
    value
}

/// Labels with one change that makes the requirement fail.
fn without(labels: &Labels, Requirement { key, operator }: &Requirement) -> Vec<Labels> {
    let with = |value: Option<String>| {
        let mut changed = labels.clone();
        match value {
            Some(value) => changed.0.insert(key.clone(), value),
            None => changed.0.remove(key),
        };
        changed
    };
    match operator {
        Operator::In(_) => vec![with(None), with(Some(fresh(&[operator])))],
        Operator::NotIn(values) => values.iter().map(|value| with(Some(value.clone()))).collect(),
        Operator::Exists => vec![with(None)],
        Operator::DoesNotExist => vec![with(Some(fresh(&[operator])))],
    }
}
