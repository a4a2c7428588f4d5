//! Pods by label, namespace and address, so that nobody has to look at all of them for each rule.

use crate::members::{ids, number};
use crate::world::World;
use net_types::AddressSet;
use policy_engine::{PodId, Program};
use policy_model::{LabelSelector, NamespaceScope, Operator, Snapshot};
use roaring::RoaringBitmap;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A selector of so few namespaces is worth asking namespace by namespace.
const FEW_NAMESPACES: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct Lookup<'a> {
    by_namespace: BTreeMap<&'a str, RoaringBitmap>,
    by_label: BTreeMap<(&'a str, &'a str), RoaringBitmap>,
    by_address: BTreeMap<IpAddr, Vec<PodId>>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        let mut lookup = Self::default();
        for (id, pod) in program.pods() {
            lookup.by_namespace.entry(&pod.namespace).or_default().insert(number(id));
            for (key, value) in &pod.labels.0 {
                lookup.by_label.entry((key, value)).or_default().insert(number(id));
            }
            for address in &pod.addresses {
                lookup.by_address.entry(*address).or_default().push(id);
            }
        }
        lookup
    }

    /// Those of some pods that a peer selects, ascending, looked up while they are asked for.
    pub(crate) fn selected<'l>(
        &'l self,
        world: &'l World<'_>,
        (namespaces, selector): (&'l NamespaceScope, &'l LabelSelector),
        among: &RoaringBitmap,
    ) -> impl Iterator<Item = PodId> + 'l {
        let names = in_scope(world.snapshot, namespaces);
        let mut pool = self.labelled(selector).map_or_else(|| among.clone(), |pool| pool & among);
        if names.len() <= FEW_NAMESPACES {
            let of_names = names.iter().filter_map(|name| self.by_namespace.get(name));
            pool &= of_names.fold(RoaringBitmap::new(), |all, one| all | one);
        }
        let is_selected = move |pod: &PodId| {
            world.program.pod(*pod).is_some_and(|pod| {
                selector.matches(&pod.labels)
                    && names.binary_search(&pod.namespace.as_str()).is_ok()
            })
        };
        let pods: Vec<PodId> = ids(&pool).collect();
        pods.into_iter().filter(is_selected)
    }

    /// The pods that one requirement of a selector leaves, if one names values.
    fn labelled(&self, selector: &LabelSelector) -> Option<RoaringBitmap> {
        selector.requirements().find_map(|requirement| match &requirement.operator {
            Operator::In(values) => {
                let pods = values
                    .iter()
                    .filter_map(|value| self.by_label.get(&(requirement.key.as_str(), value)));
                Some(pods.fold(RoaringBitmap::new(), |all, one| all | one))
            }
            Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
        })
    }

    /// The pods with a known address in a set.
    pub(crate) fn within(&self, addresses: &AddressSet) -> impl Iterator<Item = PodId> + '_ {
        let ranges: Vec<_> = addresses.ranges().to_vec();
        ranges
            .into_iter()
            .flat_map(|range| self.by_address.range(range.first()..=range.last()))
            .flat_map(|(_, pods)| pods.iter().copied())
    }
}

/// The names of the namespaces in scope, ascending.
fn in_scope<'s>(snapshot: &'s Snapshot, scope: &'s NamespaceScope) -> Vec<&'s str> {
    match scope {
        NamespaceScope::Own(name) => vec![name],
        NamespaceScope::Selected(selector) => {
            let selected = snapshot.namespaces.values();
            let selected = selected.filter(|namespace| selector.matches(&namespace.labels));
            selected.map(|namespace| namespace.name.as_str()).collect()
        }
    }
}
