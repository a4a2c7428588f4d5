//! The class of every address: of pods and nodes by the address itself, of all others by network.

use crate::features::Features;
use crate::networks::prefixes;
use crate::numbers::{AddressClass, Classes, FeatureNumber};
use crate::problem::Problem;
use net_types::{Family, IpNet};
use policy_engine::{ClassId, ObjectsVersion, Program, Semantics, TermId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct AddressClasses {
    pub(crate) numbers: Classes<FeatureNumber, AddressClass>,
    pub(crate) addresses: Arc<BTreeMap<IpAddr, AddressClass>>,
    pub(crate) networks: Arc<BTreeMap<IpNet, AddressClass>>,
    /// Addresses that several pods have.
    pub(crate) shared: Vec<Problem>,
    /// What else but features they were made of.
    objects: ObjectsVersion,
}

/// Sets of features, each once.
#[derive(Default)]
struct Keys {
    keys: Vec<Vec<FeatureNumber>>,
    of: FxHashMap<Vec<FeatureNumber>, usize>,
}

impl Keys {
    fn index(&mut self, mut key: Vec<FeatureNumber>) -> usize {
        key.sort_unstable();
        key.dedup();
        if let Some(index) = self.of.get(&key) {
            return *index;
        }
        self.keys.push(key.clone());
        self.of.insert(key, self.keys.len() - 1);
        self.keys.len() - 1
    }
}

/// A pod's address, or a node's; the lowest of one address counts, so pods come before nodes.
type Entry = (IpAddr, u32, usize);
const NODE: u32 = u32::MAX;

impl AddressClasses {
    /// Of the same pods and nodes, told apart by the same features: `features` are those that these
    /// classes were made with.
    pub(crate) fn hold(&self, program: &Program, features: &Features, now: &Features) -> bool {
        self.objects == *program.objects_version() && features.mean_the_same(now)
    }

    /// `Err` holds how many classes there would be.
    pub(crate) fn new(
        program: &Program,
        features: &Features,
        previous: Option<&Self>,
    ) -> Result<Self, usize> {
        let mut keys = Keys::default();
        let mut entries = pods(program, features, &mut keys);
        entries.extend(nodes(program, features, &mut keys));
        entries.sort_unstable();
        let shared = shared(program, &entries);
        entries.dedup_by_key(|(address, _, _)| *address);
        let networks: Vec<(IpNet, usize)> =
            prefixes(features).into_iter().map(|(prefix, key)| (prefix, keys.index(key))).collect();
        let wanted = keys.keys.iter().filter(|key| !key.is_empty()).cloned().collect();
        let previous = previous.map(|previous| &previous.numbers);
        let n_classes = keys.keys.len();
        let numbers = Classes::anew(previous, wanted).ok_or(n_classes)?;
        let of_key: Vec<AddressClass> = keys
            .keys
            .iter()
            .map(|key| numbers.number(key.as_slice()).unwrap_or_default())
            .collect();
        let class = |key: usize| of_key.get(key).copied().unwrap_or_default();
        let addresses =
            entries.into_iter().map(|(address, _, key)| (address, class(key))).collect();
        let networks = networks.into_iter().map(|(prefix, key)| (prefix, class(key))).collect();
        let objects = program.objects_version().clone();
        Ok(Self {
            addresses: Arc::new(addresses),
            networks: Arc::new(networks),
            numbers,
            shared,
            objects,
        })
    }
}

/// Whether networks also match pods and nodes of the cluster.
fn networks_match_cluster(program: &Program) -> bool {
    match program.assumptions().semantics {
        Semantics::Upstream => true,
        Semantics::Cilium => false,
    }
}

fn pods(program: &Program, features: &Features, keys: &mut Keys) -> Vec<Entry> {
    let mut of_class: FxHashMap<ClassId, Option<[usize; 2]>> = FxHashMap::default();
    let mut entries = Vec::new();
    for (pod, object) in program.pods().filter(|(_, pod)| !pod.addresses.is_empty()) {
        let Some(class) = program.class_of(pod) else { continue };
        let of_class = of_class.entry(class).or_insert_with(|| {
            let of = |family| pod_key(program, features, class, family);
            Some([keys.index(of(Family::V4)?), keys.index(of(Family::V6)?)])
        });
        let Some([v4, v6]) = of_class else { continue };
        for address in &object.addresses {
            let key = if address.is_ipv4() { *v4 } else { *v6 };
            entries.push((*address, u32::try_from(pod.index()).unwrap_or(NODE - 1), key));
        }
    }
    entries
}

/// `None` for host-network pods, which are nodes here.
fn pod_key(
    program: &Program,
    features: &Features,
    class: ClassId,
    family: Family,
) -> Option<Vec<FeatureNumber>> {
    let terms = program.pod_terms(class)?;
    let [v4, v6] = terms.networks;
    let networks = match family {
        Family::V4 => v4,
        Family::V6 => v6,
    };
    let networks = if networks_match_cluster(program) { networks } else { &[] };
    let mut key = numbers(features, terms.pods.iter().chain(networks));
    key.extend(terms.served.iter().filter_map(|port| features.of_served(port)));
    Some(key)
}

fn nodes(program: &Program, features: &Features, keys: &mut Keys) -> Vec<Entry> {
    let with_networks = networks_match_cluster(program);
    let addresses = program.node_addresses().into_iter();
    addresses
        .map(|(address, terms)| {
            let networks =
                if with_networks { program.network_terms_at(address) } else { Vec::new() };
            let key = numbers(features, terms.iter().chain(&networks));
            (address, NODE, keys.index(key))
        })
        .collect()
}

fn numbers<'a>(features: &Features, terms: impl Iterator<Item = &'a TermId>) -> Vec<FeatureNumber> {
    terms.filter_map(|term| features.of_term(*term)).collect()
}

fn shared(program: &Program, entries: &[Entry]) -> Vec<Problem> {
    let shared = entries.chunk_by(|a, b| a.0 == b.0).filter(|entries| entries.len() > 1);
    let addresses = shared.filter_map(|entries| entries.first()).map(|(address, _, _)| *address);
    addresses
        .filter_map(|address| {
            let pods = program.end_at(address).err()?.pods;
            Some(Problem::SharedAddress { address, pods })
        })
        .collect()
}
