//! What a profile means, whatever classes there are: its rules as bits, in the order in which they
//! decide. Rows follow from it and from the members of a class.

use crate::modes::Mode;
use crate::numbers::{AddressClass, FeatureNumber, PortClass};
use crate::port_classes::PortKey;
use crate::profile::{MAX_RULES, Row, RuleOrigin, RuleWord};
use crate::sketch::{NamedPorts, Sketch, SketchRule};
use net_types::PortRange;
use policy_model::Action;
use std::cmp::Ordering;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    pub(crate) origins: Vec<RuleOrigin>,
    pub(crate) words: Vec<RuleWord>,
    pub(crate) admin_end: usize,
    pub(crate) baseline_start: usize,
    /// Which bits name a feature, sorted.
    peers: Vec<(FeatureNumber, usize)>,
    /// Which bits name a range of ports, sorted.
    ports: Vec<(PortKey, usize)>,
    /// Bits for port names, sorted.
    named: Vec<NamedBit>,
    /// Bits of rules with domain names, which match nothing here.
    pub(crate) with_domain_names: Vec<usize>,
}

/// `bit` matches what serves the port and what the rule itself, which is at `base`, admits as peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NamedBit {
    served: FeatureNumber,
    base: usize,
    bit: usize,
}

/// More rules than a profile holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooManyRules(pub(crate) usize);

impl RuleSet {
    /// `named` has what the port names of each rule stand for.
    pub(crate) fn new(sketch: &Sketch, named: &[NamedPorts]) -> Result<Self, TooManyRules> {
        let n_named: usize = named.iter().map(BTreeMap::len).sum();
        let n_rules = sketch.rules.len() + sketch.isolating.len() + n_named;
        if n_rules > MAX_RULES {
            return Err(TooManyRules(n_rules));
        }
        let mut set = Self::default();
        for (index, rule) in sketch.rules.iter().enumerate() {
            set.open_tiers(sketch, index);
            let base = set.add_rule(sketch, rule);
            for (port, features) in named.get(index).into_iter().flatten() {
                set.add_named(sketch, rule, base, (*port, features));
            }
        }
        set.open_tiers(sketch, sketch.rules.len());
        set.peers.sort_unstable();
        set.peers.dedup();
        set.ports.sort_unstable();
        set.ports.dedup();
        set.named.sort_unstable();
        Ok(set)
    }

    /// One rule that denies whatever is asked.
    pub(crate) fn deny_everything() -> Self {
        let mut set = Self::default();
        let bit = set.add(RuleOrigin::DenyEverything, Mode::Enforce, Action::Deny);
        set.mark(bit, |word| &mut word.any_peer);
        set.mark(bit, |word| &mut word.all_ports);
        set.baseline_start = 1;
        set
    }

    /// Notes where tiers end before the rule at `index`.
    fn open_tiers(&mut self, sketch: &Sketch, index: usize) {
        if index == sketch.admin_end {
            self.admin_end = self.origins.len();
        }
        if index == sketch.baseline_start {
            for (mode, policy) in &sketch.isolating {
                let direction = sketch.direction;
                let origin = RuleOrigin::DefaultDeny { policy: policy.clone(), direction };
                let bit = self.add(origin, *mode, Action::Deny);
                self.mark(bit, |word| &mut word.any_peer);
                self.mark(bit, |word| &mut word.all_ports);
            }
            self.baseline_start = self.origins.len();
        }
    }

    fn add_rule(&mut self, sketch: &Sketch, rule: &SketchRule) -> usize {
        let policy = rule.policy.clone();
        let origin = RuleOrigin::Rule { policy, direction: sketch.direction, rule: rule.index };
        let bit = self.add(origin, rule.mode, rule.action);
        if rule.any_peer {
            self.mark(bit, |word| &mut word.any_peer);
        }
        if rule.all_ports {
            self.mark(bit, |word| &mut word.all_ports);
        }
        if rule.has_domain_names {
            self.with_domain_names.push(bit);
        }
        self.peers.extend(rule.features.iter().map(|feature| (*feature, bit)));
        self.ports.extend(rule.ports.iter().map(|port| (*port, bit)));
        bit
    }

    fn add_named(
        &mut self,
        sketch: &Sketch,
        rule: &SketchRule,
        base: usize,
        ((protocol, port), features): ((net_types::Protocol, u16), &Vec<FeatureNumber>),
    ) {
        let origin = RuleOrigin::NamedPort {
            policy: rule.policy.clone(),
            direction: sketch.direction,
            rule: rule.index,
            protocol,
            port,
        };
        let bit = self.add(origin, rule.mode, rule.action);
        let range = PortRange::single(port);
        self.ports.extend(range.map(|range| (PortKey { protocol, range }, bit)));
        self.named.extend(features.iter().map(|served| NamedBit { served: *served, base, bit }));
    }

    fn add(&mut self, origin: RuleOrigin, mode: Mode, action: Action) -> usize {
        let bit = self.origins.len();
        self.origins.push(origin);
        if self.words.len() * 64 <= bit {
            self.words.push(RuleWord::default());
        }
        match mode {
            Mode::Enforce => self.mark(bit, |word| &mut word.enforced),
            Mode::Observe => self.mark(bit, |word| &mut word.observed),
            Mode::Staged => self.mark(bit, |word| &mut word.staged),
        }
        match action {
            Action::Accept => {}
            Action::Deny => self.mark(bit, |word| &mut word.denies),
            Action::Pass => self.mark(bit, |word| &mut word.passes),
        }
        bit
    }

    fn mark(&mut self, bit: usize, mask: fn(&mut RuleWord) -> &mut u64) {
        if let Some(word) = self.words.get_mut(bit / 64) {
            *mask(word) |= 1 << (bit % 64);
        }
    }

    pub(crate) fn port_keys(&self) -> impl Iterator<Item = PortKey> {
        self.ports.iter().map(|(key, _)| *key)
    }

    fn admits_any(&self, bit: usize) -> bool {
        self.words.get(bit / 64).is_some_and(|word| word.any_peer >> (bit % 64) & 1 == 1)
    }

    /// The rows of all classes that some rule names.
    pub(crate) fn peer_rows(
        &self,
        by_feature: &BTreeMap<FeatureNumber, Vec<AddressClass>>,
    ) -> BTreeMap<AddressClass, Row> {
        let n_words = self.words.len();
        let mut rows = rows_by_member(&self.peers, by_feature, n_words);
        for NamedBit { served, base, bit } in &self.named {
            for class in by_feature.get(served).into_iter().flatten() {
                let admits = |row: &Vec<u64>| is_set(row, *base);
                if self.admits_any(*base) || rows.get(class).is_some_and(admits) {
                    set(rows.entry(*class).or_insert_with(|| vec![0; n_words]), *bit);
                }
            }
        }
        rows.into_iter().map(|(class, row)| (class, row.into())).collect()
    }

    /// The row of a class with these features, if a rule names it.
    pub(crate) fn peer_row(&self, key: &[FeatureNumber]) -> Option<Row> {
        let mut row = row_of(&self.peers, key, self.words.len());
        for NamedBit { served, base, bit } in &self.named {
            if key.binary_search(served).is_ok() && (self.admits_any(*base) || is_set(&row, *base))
            {
                set(&mut row, *bit);
            }
        }
        row.iter().any(|word| *word != 0).then(|| row.into())
    }

    pub(crate) fn port_rows(
        &self,
        by_port: &BTreeMap<PortKey, Vec<PortClass>>,
    ) -> BTreeMap<PortClass, Row> {
        let rows = rows_by_member(&self.ports, by_port, self.words.len());
        rows.into_iter().map(|(class, row)| (class, row.into())).collect()
    }

    pub(crate) fn port_row(&self, key: &[PortKey]) -> Option<Row> {
        let row = row_of(&self.ports, key, self.words.len());
        row.iter().any(|word| *word != 0).then(|| row.into())
    }
}

fn set(row: &mut [u64], bit: usize) {
    if let Some(word) = row.get_mut(bit / 64) {
        *word |= 1 << (bit % 64);
    }
}

fn is_set(row: &[u64], bit: usize) -> bool {
    row.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

fn rows_by_member<M: Ord, N: Ord + Copy>(
    bits: &[(M, usize)],
    by_member: &BTreeMap<M, Vec<N>>,
    n_words: usize,
) -> BTreeMap<N, Vec<u64>> {
    let mut rows: BTreeMap<N, Vec<u64>> = BTreeMap::new();
    for (member, bit) in bits {
        for class in by_member.get(member).into_iter().flatten() {
            set(rows.entry(*class).or_insert_with(|| vec![0; n_words]), *bit);
        }
    }
    rows
}

fn row_of<M: Ord>(bits: &[(M, usize)], key: &[M], n_words: usize) -> Vec<u64> {
    let mut row = vec![0; n_words];
    for member in key {
        let from = bits.partition_point(|(other, _)| other < member);
        let mine = bits.iter().skip(from).take_while(|(other, _)| other == member);
        mine.for_each(|(_, bit)| set(&mut row, *bit));
    }
    row
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RuleSet {}

impl PartialOrd for RuleSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By content. Sets that were taken over from the build before are the same allocation, which is
/// seen first: a thousand rules need not be compared for that.
impl Ord for RuleSet {
    fn cmp(&self, other: &Self) -> Ordering {
        if std::ptr::eq(self, other) {
            return Ordering::Equal;
        }
        let Self {
            origins,
            words,
            admin_end,
            baseline_start,
            peers,
            ports,
            named,
            with_domain_names,
        } = self;
        (origins, words, admin_end, baseline_start, peers, ports, named, with_domain_names).cmp(&(
            &other.origins,
            &other.words,
            &other.admin_end,
            &other.baseline_start,
            &other.peers,
            &other.ports,
            &other.named,
            &other.with_domain_names,
        ))
    }
}
