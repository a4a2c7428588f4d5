//! What held from one change of policies or pods to the next.

use finding_model::SourceFiles;
use flow_model::{PodIdentity, PodWord, RuleMention, Sighting, Timestamp};
use policy_engine::{PodId, Program};
use policy_model::{RuleRef, ServiceKind};
use policy_tables::{Modes, ProfileTable, RuleOrigin};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The policies and pods of a node for a while, and what the kernel's numbers mean in it.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Grows with each epoch.
    pub number: u64,
    /// When it came into force: taken before its tables are written.
    pub since: Timestamp,
    pub program: Arc<Program>,
    pub modes: Modes,
    /// What the places of rules refer to.
    pub files: Arc<SourceFiles>,
    /// The node's own pods by their numbers in the data plane.
    pub pods: BTreeMap<u32, PodId>,
    /// Which profiles the kernel asks for each of these pods, as it was when the tables had been written,
    /// or could not be. A pod whose policies are not written yet has none.
    pub words: BTreeMap<u32, PodWord>,
    /// What the kernel's profile numbers mean. What is not here is unknown.
    pub profiles: BTreeMap<u32, Arc<ProfileTable>>,
}

/// An epoch, and what was named in it already.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) epoch: Epoch,
    /// Namespace and name by a Service's own addresses.
    pub(crate) services: BTreeMap<IpAddr, (Arc<str>, Arc<str>)>,
    pub(crate) identities: BTreeMap<PodId, Arc<PodIdentity>>,
    pub(crate) mentions: BTreeMap<RuleRef, Arc<RuleMention>>,
}

impl Known {
    pub(crate) fn new(epoch: Epoch) -> Self {
        let services = epoch.program.services().iter().filter_map(|service| match &service.kind {
            ServiceKind::ClusterIp { addresses } => Some((service, addresses)),
            ServiceKind::Headless | ServiceKind::ExternalName(_) => None,
        });
        let services = services.flat_map(|(service, addresses)| {
            let namespace: Arc<str> = service.namespace.as_str().into();
            let name: Arc<str> = service.name.as_str().into();
            addresses
                .iter()
                .map(move |address| (*address, (Arc::clone(&namespace), Arc::clone(&name))))
        });
        Self {
            services: services.collect(),
            identities: BTreeMap::new(),
            mentions: BTreeMap::new(),
            epoch,
        }
    }

    pub(crate) fn table(&self, profile: u32) -> Option<Arc<ProfileTable>> {
        self.epoch.profiles.get(&profile).cloned()
    }

    /// The pod's word led to the sighting's profile.
    pub(crate) fn asks(&self, sighting: &Sighting) -> bool {
        let word = self.epoch.words.get(&sighting.pod);
        word.is_some_and(|word| word.profile(sighting.side) == sighting.profile)
    }

    /// And it is the very word of that decision, or of a later change through which a connection was kept.
    pub(crate) fn has_word(&self, sighting: &Sighting) -> bool {
        self.asks(sighting) && self.generation(sighting) == Some(sighting.generation)
    }

    pub(crate) fn generation(&self, sighting: &Sighting) -> Option<u32> {
        self.epoch.words.get(&sighting.pod).map(|word| word.generation)
    }

    pub(crate) fn keeps(&self, sighting: &Sighting) -> bool {
        self.epoch.words.get(&sighting.pod).is_some_and(|word| word.keeps_established)
    }

    /// The profile's number is that of `deny everything`, which never means anything else.
    pub(crate) fn denies_everything(&self, sighting: &Sighting) -> bool {
        let table = self.epoch.profiles.get(&sighting.profile);
        table.is_some_and(|table| table.rules() == [RuleOrigin::DenyEverything])
    }
}
