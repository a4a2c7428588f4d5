//! Profiles: the rules of all policies that apply to a pod in one direction, in precedence order.

use crate::atoms::Atoms;
use crate::bits::RuleBits;
use crate::ids::{Interner, PolicyIx, ShapeId, TermId};
use crate::policies::{CompiledPolicy, CompiledRule};
use crate::ports::PortTable;
use crate::shape::{Group, Shape};
use net_types::{AddressRange, AddressSet, Family};
use policy_model::{Action, Direction, Tier};
use std::net::IpAddr;
use std::sync::Arc;

/// Where one rule of a profile comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleSlot {
    pub(crate) policy: PolicyIx,
    /// Its place in the policy's list of this direction.
    pub(crate) rule: usize,
}

/// All bits below index into the rules, which are ordered as the shape says.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) rules: Vec<RuleSlot>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) shape_id: ShapeId,
    /// The NetworkPolicies that cover the direction; those without rules first.
    pub(crate) isolating: Vec<PolicyIx>,
    /// Rules for any peer.
    any: RuleBits,
    /// Pods and nodes terms, sorted.
    terms: Vec<TermId>,
    of_terms: RulesOfTerms,
    networks: Networks,
    domains: Vec<(String, RuleBits)>,
    np_only: RuleBits,
}

/// By term of the profile: the rules that have it as a peer.
#[derive(Clone, Debug)]
enum RulesOfTerms {
    /// Where every set fits a word. A question then reads few places in memory, which is what it costs.
    Words(Vec<u64>),
    Sets(Vec<RuleBits>),
}

/// [`RulesOfTerms::Words`] with their terms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Words<'p> {
    terms: &'p [TermId],
    rules: &'p [u64],
}

impl Words<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TermId, u64)> + use<'_> {
        self.terms.iter().copied().zip(self.rules.iter().copied())
    }
}

/// The address space as this profile's networks cut it.
#[derive(Clone, Debug, Default)]
struct Networks {
    atoms: Atoms,
    rules: Vec<RuleBits>,
    /// The distinct rule sets that an address of the assumed pod networks may have.
    unknown_v4: Vec<RuleBits>,
    unknown_v6: Vec<RuleBits>,
    terms: Vec<TermId>,
}

impl Profile {
    /// `policies` must all select the pod and speak of the direction.
    pub(crate) fn new(
        policies: &[(PolicyIx, &CompiledPolicy)],
        direction: Direction,
        pod_networks: &AddressSet,
        shapes: &mut Interner<Shape>,
    ) -> Self {
        let mut builder = Builder::new(direction);
        let tiers = [Tier::Admin, Tier::NetworkPolicy, Tier::Baseline];
        let tiers = tiers.map(|tier| builder.tier(tier, policies));
        let (id, shape) = shapes.intern_shared(builder.shape(tiers));
        builder.finish(ShapeId::from_index(id), shape, pod_networks)
    }

    pub(crate) fn action(&self, rule: usize) -> Action {
        self.shape.action(rule)
    }

    pub(crate) fn is_isolated(&self) -> bool {
        self.shape.is_isolated
    }

    /// No rule and no isolation: everything is allowed.
    pub(crate) fn is_open(&self) -> bool {
        self.shape.is_open()
    }

    pub(crate) fn any(&self) -> &RuleBits {
        &self.any
    }

    /// Rules with a pods or nodes peer among `terms`, which are sorted.
    pub(crate) fn selecting(&self, terms: &[TermId], into: &mut RuleBits) {
        let places = shared(&self.terms, terms);
        match &self.of_terms {
            RulesOfTerms::Words(words) => {
                let word = places.filter_map(|place| words.get(place)).fold(0, |all, of| all | of);
                into.union_with(&RuleBits::of_word(word));
            }
            RulesOfTerms::Sets(sets) => {
                places.filter_map(|place| sets.get(place)).for_each(|rules| into.union_with(rules));
            }
        }
    }

    /// The rules by term, where every set of rules fits one word.
    pub(crate) fn words(&self) -> Option<Words<'_>> {
        match &self.of_terms {
            RulesOfTerms::Words(rules) => Some(Words { terms: &self.terms, rules }),
            RulesOfTerms::Sets(_) => None,
        }
    }

    /// The terms that have a rule for which `is_wanted` holds.
    fn terms_with(&self, is_wanted: impl Fn(&Self, usize) -> bool) -> impl Iterator<Item = TermId> {
        let any_of = move |rules: &RuleBits| rules.iter().any(|rule| is_wanted(self, rule));
        let terms = self.terms.iter().enumerate().filter(move |(place, _)| match &self.of_terms {
            RulesOfTerms::Words(words) => {
                words.get(*place).is_some_and(|word| any_of(&RuleBits::of_word(*word)))
            }
            RulesOfTerms::Sets(sets) => sets.get(*place).is_some_and(&any_of),
        });
        terms.map(|(_, term)| *term)
    }

    /// Drops rules that are not of the NetworkPolicy tier.
    pub(crate) fn only_network_policy(&self, rules: &RuleBits) -> RuleBits {
        rules.intersection(&self.np_only)
    }

    pub(crate) fn containing(&self, address: IpAddr) -> Option<&RuleBits> {
        self.networks.rules.get(self.networks.atoms.set_of(address))
    }

    /// The distinct sets of rules whose networks contain an address of the assumed pod networks.
    pub(crate) fn containing_unknown(&self, family: Family) -> &[RuleBits] {
        match family {
            Family::V4 => &self.networks.unknown_v4,
            Family::V6 => &self.networks.unknown_v6,
        }
    }

    /// All addresses of a family, cut where the rules whose networks contain them change.
    pub(crate) fn network_ranges(
        &self,
        family: Family,
    ) -> impl Iterator<Item = (AddressRange, &RuleBits)> {
        self.networks
            .atoms
            .ranges(family)
            .filter_map(|(range, set)| Some((range, self.networks.rules.get(set)?)))
    }

    pub(crate) fn domains(&self) -> &[(String, RuleBits)] {
        &self.domains
    }

    /// Whether a peer that no term selects may be allowed all the same.
    pub(crate) fn may_allow_anyone(&self) -> bool {
        !self.is_isolated() || self.any.iter().any(|rule| self.action(rule) == Action::Accept)
    }

    /// The pods and nodes terms by which some rule accepts.
    pub(crate) fn accepting_terms(&self) -> impl Iterator<Item = TermId> {
        self.terms_with(|profile, rule| profile.action(rule) == Action::Accept)
    }

    /// The pods and nodes terms by which some rule refuses, or passes to where it may be refused.
    pub(crate) fn refusing_terms(&self) -> impl Iterator<Item = TermId> {
        self.terms_with(|profile, rule| profile.action(rule) != Action::Accept)
    }

    /// All pods and nodes terms, sorted.
    pub(crate) fn peer_terms(&self) -> impl Iterator<Item = TermId> {
        self.terms.iter().copied()
    }

    pub(crate) fn network_terms(&self) -> &[TermId] {
        &self.networks.terms
    }

    /// Whether a rule looks at more of its peer than which pods terms select it.
    pub(crate) fn looks_at_addresses(&self) -> bool {
        !self.networks.terms.is_empty()
    }
}

struct Builder<'a> {
    direction: Direction,
    slots: Vec<RuleSlot>,
    compiled: Vec<&'a CompiledRule>,
    isolating: Vec<PolicyIx>,
    /// How many of `isolating` have no rules; they come first.
    n_without_rules: usize,
}

impl<'a> Builder<'a> {
    fn new(direction: Direction) -> Self {
        Self {
            direction,
            slots: Vec::new(),
            compiled: Vec::new(),
            isolating: Vec::new(),
            n_without_rules: 0,
        }
    }

    /// Appends the rules of one tier and returns its groups of equal priority.
    fn tier(&mut self, tier: Tier, policies: &[(PolicyIx, &'a CompiledPolicy)]) -> Vec<Group> {
        let mut members: Vec<_> =
            policies.iter().filter(|(_, policy)| policy.policy.tier == tier).collect();
        members.sort_by(|(_, a), (_, b)| {
            (a.policy.priority, &a.policy.id).cmp(&(b.policy.priority, &b.policy.id))
        });
        let groups = members.chunk_by(|(_, a), (_, b)| a.policy.priority == b.policy.priority);
        groups.map(|group| self.group(group)).collect()
    }

    fn group(&mut self, members: &[&(PolicyIx, &'a CompiledPolicy)]) -> Group {
        let start = self.slots.len();
        let mut policies = Vec::with_capacity(members.len());
        for (ix, policy) in members {
            let first = self.slots.len();
            let rules = policy.rules(self.direction).unwrap_or_default();
            for (index, rule) in rules.iter().enumerate() {
                self.slots.push(RuleSlot { policy: *ix, rule: index });
                self.compiled.push(rule);
            }
            policies.push(first..self.slots.len());
            if policy.policy.tier == Tier::NetworkPolicy && rules.is_empty() {
                // What people call the default deny is what they look for as the cause of a denial.
                self.isolating.insert(self.n_without_rules, *ix);
                self.n_without_rules += 1;
            } else if policy.policy.tier == Tier::NetworkPolicy {
                self.isolating.push(*ix);
            }
        }
        Group { span: start..self.slots.len(), policies }
    }

    fn shape(&self, [admin, network_policy, baseline]: [Vec<Group>; 3]) -> Shape {
        let first = admin.last().map_or(0, |group| group.span.end);
        let last = network_policy.last().map_or(first, |group| group.span.end);
        Shape {
            actions: self.compiled.iter().map(|rule| rule.action).collect(),
            admin,
            network_policy: first..last,
            baseline,
            is_isolated: !self.isolating.is_empty(),
            ports: PortTable::new(self.compiled.iter().map(|rule| &rule.ports)),
        }
    }

    fn finish(self, shape_id: ShapeId, shape: Arc<Shape>, pod_networks: &AddressSet) -> Profile {
        let mut any = RuleBits::default();
        let mut by_term: Vec<(TermId, usize)> = Vec::new();
        let mut networks: Vec<(TermId, &AddressSet, usize)> = Vec::new();
        let mut domains: Vec<(String, RuleBits)> = Vec::new();
        for (index, rule) in self.compiled.iter().enumerate() {
            if rule.any {
                any.insert(index);
            }
            by_term.extend(rule.terms.iter().map(|term| (*term, index)));
            networks.extend(rule.networks.iter().map(|(term, set)| (*term, set, index)));
            for name in &rule.domains {
                domains.push((name.clone(), std::iter::once(index).collect()));
            }
        }
        let (terms, sets): (Vec<TermId>, Vec<RuleBits>) = merge(by_term).into_iter().unzip();
        let words: Option<Vec<u64>> = sets.iter().map(RuleBits::word).collect();
        Profile {
            of_terms: words.map_or(RulesOfTerms::Sets(sets), RulesOfTerms::Words),
            terms,
            rules: self.slots,
            np_only: shape.network_policy.clone().collect(),
            shape,
            shape_id,
            isolating: self.isolating,
            any,
            networks: Networks::new(networks, pod_networks),
            domains,
        }
    }
}

/// The places in a sorted list of what is in another sorted list as well.
fn shared(mine: &[TermId], others: &[TermId]) -> impl Iterator<Item = usize> {
    let mut start = 0;
    others.iter().filter_map(move |term| {
        let rest = mine.get(start..)?;
        start += rest.partition_point(|other| other < term);
        (mine.get(start) == Some(term)).then_some(start)
    })
}

fn merge(mut pairs: Vec<(TermId, usize)>) -> Vec<(TermId, RuleBits)> {
    pairs.sort_unstable();
    let chunks = pairs.chunk_by(|a, b| a.0 == b.0);
    chunks
        .filter_map(|chunk| Some((chunk.first()?.0, chunk.iter().map(|(_, rule)| *rule).collect())))
        .collect()
}

impl Networks {
    fn new(mut blocks: Vec<(TermId, &AddressSet, usize)>, pod_networks: &AddressSet) -> Self {
        blocks.sort_unstable_by_key(|(term, _, rule)| (*term, *rule));
        let by_block: Vec<&[(TermId, &AddressSet, usize)]> =
            blocks.chunk_by(|a, b| a.0 == b.0).collect();
        let sets: Vec<AddressSet> = by_block
            .iter()
            .filter_map(|chunk| chunk.first().map(|(_, set, _)| (*set).clone()))
            .collect();
        let atoms = Atoms::cut(&sets);
        let rules: Vec<RuleBits> = atoms
            .sets()
            .iter()
            .map(|set| {
                let inside = set.iter().filter_map(|block| by_block.get(*block)).copied();
                inside.flatten().map(|(_, _, rule)| *rule).collect()
            })
            .collect();
        let unknown = |family| distinct_within(&atoms, &rules, family, pod_networks);
        Self {
            unknown_v4: unknown(Family::V4),
            unknown_v6: unknown(Family::V6),
            terms: by_block.iter().filter_map(|chunk| Some(chunk.first()?.0)).collect(),
            atoms,
            rules,
        }
    }
}

fn distinct_within(
    atoms: &Atoms,
    rules: &[RuleBits],
    family: Family,
    within: &AddressSet,
) -> Vec<RuleBits> {
    let mut distinct: Vec<RuleBits> = Vec::new();
    for (range, set) in atoms.ranges(family) {
        let overlaps = !within.intersection(&std::iter::once(range).collect()).is_empty();
        let rules = rules.get(set).filter(|rules| overlaps && !distinct.contains(rules));
        distinct.extend(rules.cloned());
    }
    distinct
}
