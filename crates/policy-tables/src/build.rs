//! How tables are built: groups of local pods, classes of what their rules tell apart, then rows.

use crate::address_classes::AddressClasses;
use crate::features::Features;
use crate::groups::{Group, GroupKey, Groups};
use crate::modes::Modes;
use crate::numbers::{Numbers, ProfileId};
use crate::port_classes::PortClasses;
use crate::problem::Problem;
use crate::profile::{MAX_RULES, ProfileTable, RowChanges, RowSources};
use crate::rule_set::{RuleSet, TooManyRules};
use crate::sketch::{Servers, Sketch};
use crate::tables::{LocalPod, PodTables, Tables};
use policy_engine::{PodId, Program};
use policy_model::{Direction, PolicyId, RuleRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What every step reads.
struct Builder<'a> {
    program: &'a Program,
    modes: &'a Modes,
    previous: Option<&'a Tables>,
    /// Policies whose mode is another than in `previous`.
    changed_modes: Vec<&'a PolicyId>,
}

pub(crate) fn build(
    program: &Program,
    locals: &[LocalPod],
    modes: &Modes,
    previous: Option<&Tables>,
) -> Tables {
    let changed_modes = previous.map(|previous| modes.changes(&previous.modes)).unwrap_or_default();
    let builder = Builder { program, modes, previous, changed_modes };
    let mut problems = Vec::new();
    let previous_groups = previous.map(|previous| &previous.groups);
    let mut groups = Groups::collect(program, locals, previous_groups, &mut problems);
    builder.deny_long_lists(&mut groups, &mut problems);
    let (features, classes) = builder.classify(&mut groups, &mut problems);
    builder.write_rules(&mut groups, &features, &classes, &mut problems);
    let ports = builder.cut_ports(&mut groups, &mut problems);
    let ids = builder.number_profiles(&mut groups, &mut problems);
    report_domain_names(&groups, &mut problems);
    let profiles = builder.profiles(&ids, &classes, &ports);
    let pods = pods(&groups, &ids, &problems);
    Tables { features, classes, ports, groups, modes: modes.clone(), ids, profiles, pods, problems }
}

impl Builder<'_> {
    /// Before their terms split any class.
    fn deny_long_lists(&self, groups: &mut Groups, problems: &mut Vec<Problem>) {
        for group in groups.of.values_mut() {
            let n_rules = group.n_rules(self.program, self.modes);
            if n_rules > MAX_RULES {
                group.is_denied = true;
                problems.push(Problem::TooManyRules { side: group.side(self.program), n_rules });
            }
        }
    }

    fn classify(
        &self,
        groups: &mut Groups,
        problems: &mut Vec<Problem>,
    ) -> (Features, Arc<AddressClasses>) {
        loop {
            let features = Features::new(
                self.program,
                &groups.terms(),
                groups.served(self.program),
                self.previous.map(|previous| &previous.features),
            );
            let classified = features.and_then(|features| {
                let classes = self.address_classes(&features)?;
                Ok((features, classes))
            });
            match classified {
                Ok((features, classes)) => {
                    problems.extend(classes.shared.iter().cloned());
                    return (features, classes);
                }
                Err(n_classes) => {
                    // Without these groups no rule tells any addresses apart, so the next turn ends.
                    let sides = groups.deny(self.program, Group::looks_at_peers);
                    problems.push(Problem::TooManyClasses { sides, n_classes });
                }
            }
        }
    }

    /// Those of before, or new ones: what takes longest of all where the cluster is large.
    fn address_classes(&self, features: &Features) -> Result<Arc<AddressClasses>, usize> {
        if let Some(previous) = self.previous
            && previous.classes.hold(self.program, &previous.features, features)
        {
            return Ok(Arc::clone(&previous.classes));
        }
        let previous = self.previous.map(|previous| previous.classes.as_ref());
        AddressClasses::new(self.program, features, previous).map(Arc::new)
    }

    /// Writes the rules of each group, or takes them over.
    fn write_rules(
        &self,
        groups: &mut Groups,
        features: &Features,
        classes: &AddressClasses,
        problems: &mut Vec<Problem>,
    ) {
        let servers = Servers::new(features, &classes.numbers);
        for (key, group) in groups.of.iter_mut().filter(|(_, group)| !group.is_denied) {
            let known = self.known(key, group);
            if let Some(known) = known.filter(|known| known.names.is_empty()) {
                group.rules.clone_from(&known.rules);
            }
            if group.rules.is_some() {
                continue;
            }
            let sketch = known.and_then(|known| known.sketch.clone()).unwrap_or_else(|| {
                Arc::new(Sketch::new(self.program, &group.list, &key.1, features, self.modes))
            });
            let named = sketch.named_ports(&servers);
            match RuleSet::new(&sketch, &named) {
                Ok(rules) => group.rules = Some(Arc::new(rules)),
                Err(TooManyRules(n_rules)) => {
                    group.is_denied = true;
                    let side = group.side(self.program);
                    problems.push(Problem::TooManyRules { side, n_rules });
                }
            }
            group.sketch = (!group.names.is_empty()).then_some(sketch);
        }
    }

    /// The same group in the previous tables, if the modes of its policies are the same too.
    fn known(&self, key: &GroupKey, group: &Group) -> Option<&Group> {
        let known = self.previous?.groups.same(key, &group.list)?;
        (!group.has_one_of(self.program, &self.changed_modes)).then_some(known)
    }

    fn cut_ports(&self, groups: &mut Groups, problems: &mut Vec<Problem>) -> PortClasses {
        let previous = self.previous.map(|previous| &previous.ports);
        loop {
            let rules = groups.live().filter_map(|(_, group)| group.rules.as_ref());
            let ranges = rules.flat_map(|rules| rules.port_keys()).collect();
            match PortClasses::new(&ranges, previous) {
                Ok(ports) => return ports,
                Err(n_classes) => {
                    let names_ports = |group: &Group| {
                        let rules = group.rules.as_ref();
                        rules.is_some_and(|rules| rules.port_keys().next().is_some())
                    };
                    let sides = groups.deny(self.program, names_ports);
                    problems.push(Problem::TooManyPortClasses { sides, n_classes });
                }
            }
        }
    }

    fn number_profiles(
        &self,
        groups: &mut Groups,
        problems: &mut Vec<Problem>,
    ) -> Numbers<Arc<RuleSet>, ProfileId> {
        let previous = self.previous.map(|previous| &previous.ids);
        loop {
            let rules = groups.live().filter_map(|(_, group)| group.rules.clone());
            let rules: BTreeSet<Arc<RuleSet>> = rules.collect();
            let n_profiles = rules.len() + previous.map_or(0, Numbers::len);
            if let Some(ids) = Numbers::anew(previous, rules) {
                return ids;
            }
            let sides = groups.deny(self.program, |_| true);
            problems.push(Problem::TooManyProfiles { sides, n_profiles });
        }
    }

    fn profiles(
        &self,
        ids: &Numbers<Arc<RuleSet>, ProfileId>,
        classes: &AddressClasses,
        ports: &PortClasses,
    ) -> BTreeMap<ProfileId, Arc<ProfileTable>> {
        let sources = RowSources {
            by_feature: classes.numbers.by_member(),
            by_port: ports.numbers.by_member(),
        };
        let changes = self.previous.map(|previous| RowChanges {
            peers: classes.numbers.changes(&previous.classes.numbers),
            ports: ports.numbers.changes(&previous.ports.numbers),
        });
        let known = |id: ProfileId| {
            let table = self.previous?.profiles.get(&id)?;
            Some(table.updated(changes.as_ref()?))
        };
        let deny = known(ProfileId::DENY_EVERYTHING).unwrap_or_else(|| {
            Arc::new(ProfileTable::new(Arc::new(RuleSet::deny_everything()), &sources))
        });
        let mut profiles = BTreeMap::from([(ProfileId::DENY_EVERYTHING, deny)]);
        for (rules, id) in ids.iter() {
            let table = known(id)
                .unwrap_or_else(|| Arc::new(ProfileTable::new(Arc::clone(rules), &sources)));
            profiles.insert(id, table);
        }
        profiles
    }
}

fn pods(
    groups: &Groups,
    ids: &Numbers<Arc<RuleSet>, ProfileId>,
    problems: &[Problem],
) -> BTreeMap<PodId, PodTables> {
    let mut pods: BTreeMap<PodId, PodTables> = BTreeMap::new();
    let denied =
        PodTables { ingress: ProfileId::DENY_EVERYTHING, egress: ProfileId::DENY_EVERYTHING };
    for problem in problems {
        if let Problem::UnknownPod { pod } = problem {
            pods.insert(*pod, denied);
        }
    }
    for group in groups.of.values() {
        let id = group.rules.as_ref().and_then(|rules| ids.number(rules));
        let id = id.unwrap_or(ProfileId::DENY_EVERYTHING);
        for pod in &group.pods {
            let tables = pods.entry(*pod).or_insert(denied);
            match group.list.direction() {
                Direction::Ingress => tables.ingress = id,
                Direction::Egress => tables.egress = id,
            }
        }
    }
    pods
}

fn report_domain_names(groups: &Groups, problems: &mut Vec<Problem>) {
    let mut rules: BTreeSet<RuleRef> = BTreeSet::new();
    for set in groups.live().filter_map(|(_, group)| group.rules.as_ref()) {
        let bits = set.with_domain_names.iter();
        rules.extend(bits.filter_map(|bit| set.origins.get(*bit)?.rule()));
    }
    if !rules.is_empty() {
        problems.push(Problem::DomainNames { rules: rules.into_iter().collect() });
    }
}
