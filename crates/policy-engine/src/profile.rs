//! Profiles: the rules of all policies that apply to a pod in one direction, in precedence order.

use crate::atoms::Atoms;
use crate::bits::RuleBits;
use crate::ids::{PolicyIx, TermId};
use crate::policies::{CompiledPolicy, CompiledRule};
use crate::ports::PortTable;
use net_types::{AddressRange, AddressSet, Family};
use policy_model::{Action, Direction, Tier};
use std::net::IpAddr;
use std::ops::Range;

/// Policies of one priority in one tier, whose order the API leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) span: Range<usize>,
    /// The rules of each policy, in order.
    pub(crate) policies: Vec<Range<usize>>,
}

/// Where one rule of a profile comes from, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleSlot {
    pub(crate) policy: PolicyIx,
    /// Its place in the policy's list of this direction.
    pub(crate) rule: usize,
    /// Not the written action where an unknown peer turns a Pass into a Deny.
    pub(crate) action: Action,
}

/// Rules ordered Admin, NetworkPolicy, Baseline; all bits below index into them.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) rules: Vec<RuleSlot>,
    pub(crate) admin: Vec<Group>,
    pub(crate) network_policy: Range<usize>,
    pub(crate) baseline: Vec<Group>,
    /// The NetworkPolicies that cover the direction; those without rules first.
    pub(crate) isolating: Vec<PolicyIx>,
    /// Rules for any peer.
    any: RuleBits,
    /// Sorted by term; pods and nodes terms.
    by_term: Vec<(TermId, RuleBits)>,
    /// `by_term` in words, where every set fits one.
    words: Option<Vec<(TermId, u64)>>,
    networks: Networks,
    domains: Vec<(String, RuleBits)>,
    np_only: RuleBits,
    pub(crate) ports: PortTable,
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
    ) -> Self {
        let mut builder = Builder::new(direction);
        let tiers = [Tier::Admin, Tier::NetworkPolicy, Tier::Baseline];
        let [admin, network_policy, baseline] = tiers.map(|tier| builder.tier(tier, policies));
        builder.finish(admin, &network_policy, baseline, pod_networks)
    }

    pub(crate) fn action(&self, rule: usize) -> Action {
        self.rules.get(rule).map_or(Action::Deny, |slot| slot.action)
    }

    pub(crate) fn is_isolated(&self) -> bool {
        !self.isolating.is_empty()
    }

    /// No rule and no isolation: everything is allowed.
    pub(crate) fn is_open(&self) -> bool {
        self.rules.is_empty() && self.isolating.is_empty()
    }

    pub(crate) fn any(&self) -> &RuleBits {
        &self.any
    }

    /// Rules with a pods or nodes peer among `terms`, which are sorted.
    pub(crate) fn selecting(&self, terms: &[TermId], into: &mut RuleBits) {
        let mut mine = self.by_term.as_slice();
        for term in terms {
            let skip = mine.partition_point(|(other, _)| other < term);
            mine = mine.get(skip..).unwrap_or_default();
            if let Some((found, rules)) = mine.first()
                && found == term
            {
                into.union_with(rules);
            }
        }
    }

    /// The rules by term, sorted, where every set of rules fits one word.
    pub(crate) fn words(&self) -> Option<&[(TermId, u64)]> {
        self.words.as_deref()
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
        let accepts = |rules: &RuleBits| rules.iter().any(|r| self.action(r) == Action::Accept);
        self.by_term.iter().filter(move |(_, rules)| accepts(rules)).map(|(term, _)| *term)
    }

    /// The pods and nodes terms by which some rule refuses, or passes to where it may be refused.
    pub(crate) fn refusing_terms(&self) -> impl Iterator<Item = TermId> {
        let refuses = |rules: &RuleBits| rules.iter().any(|r| self.action(r) != Action::Accept);
        self.by_term.iter().filter(move |(_, rules)| refuses(rules)).map(|(term, _)| *term)
    }

    /// All pods and nodes terms, sorted.
    pub(crate) fn peer_terms(&self) -> impl Iterator<Item = TermId> {
        self.by_term.iter().map(|(term, _)| *term)
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
                self.slots.push(RuleSlot { policy: *ix, rule: index, action: rule.action });
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

    fn finish(
        self,
        admin: Vec<Group>,
        network_policy: &[Group],
        baseline: Vec<Group>,
        pod_networks: &AddressSet,
    ) -> Profile {
        let first = admin.last().map_or(0, |group| group.span.end);
        let last = network_policy.last().map_or(first, |group| group.span.end);
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
        let by_term = merge(by_term);
        let words = by_term.iter().map(|(term, rules)| Some((*term, rules.word()?))).collect();
        Profile {
            words,
            ports: PortTable::new(self.compiled.iter().map(|rule| &rule.ports)),
            rules: self.slots,
            admin,
            network_policy: first..last,
            baseline,
            isolating: self.isolating,
            any,
            by_term,
            networks: Networks::new(networks, pod_networks),
            domains,
            np_only: (first..last).collect(),
        }
    }
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
