//! Who has an address, or a number, in an epoch.

use crate::epoch::Known;
use flow_model::{Decider, Identity, PodIdentity, Sighting};
use policy_engine::{End, PodId};
use policy_model::{Direction, WorkloadRef};
use std::net::IpAddr;
use std::sync::Arc;

impl Known {
    pub(crate) fn pod(&self, number: u32) -> Option<PodId> {
        self.epoch.pods.get(&number).copied()
    }

    pub(crate) fn identity(&mut self, id: PodId) -> Option<Arc<PodIdentity>> {
        if let Some(identity) = self.identities.get(&id) {
            return Some(Arc::clone(identity));
        }
        let pod = self.epoch.program.pod(id)?;
        let identity = Arc::new(PodIdentity {
            name: pod.name.clone(),
            workload: WorkloadRef { namespace: pod.namespace.clone(), ..pod.workload.clone() },
            labels: pod.labels.clone(),
            node: pod.node.clone(),
        });
        self.identities.insert(id, Arc::clone(&identity));
        Some(identity)
    }

    /// A node before the pods on its network. An address that several pods claim is nobody's.
    pub(crate) fn at(&mut self, address: IpAddr) -> Identity {
        if let Some(node) = self.epoch.program.node_at(address) {
            return Identity::Node(node.name.as_str().into());
        }
        if let Some((namespace, name)) = self.services.get(&address) {
            return Identity::Service { namespace: Arc::clone(namespace), name: Arc::clone(name) };
        }
        let pod = match self.epoch.program.end_at(address) {
            Ok(End::Pod(id)) => self.identity(id),
            Ok(End::Address(_) | End::Name(_)) | Err(_) => None,
        };
        pod.map_or(Identity::Outside, Identity::Pod)
    }

    /// `namespace/name` of the Service that has the address.
    pub(crate) fn service_at(&self, address: IpAddr) -> Option<Arc<str>> {
        let (namespace, name) = self.services.get(&address)?;
        Some(format!("{namespace}/{name}").into())
    }

    /// Why no profile was asked about what passes. The kernel asks none about a pod's traffic with itself,
    /// none about what a socket of its node sends to a pod, and none before there is a policy.
    pub(crate) fn exemption(&self, sighting: &Sighting) -> Decider {
        let remote = sighting.backend.map_or(sighting.remote, |backend| backend.ip());
        let pod = self.pod(sighting.pod).and_then(|id| self.epoch.program.pod(id));
        let is_own = |pod: &policy_model::Pod| pod.addresses.contains(&remote);
        if remote == sighting.local || pod.is_some_and(is_own) {
            return Decider::SelfTraffic;
        }
        let node = self.epoch.program.node_at(remote).map(|node| &node.name);
        let of_pod = pod.and_then(|pod| pod.node.as_ref());
        let from_own_node = sighting.side == Direction::Ingress && node.is_some() && node == of_pod;
        match sighting.side {
            _ if sighting.generation == 0 && !from_own_node => Decider::NoPolicyYet,
            Direction::Ingress => Decider::OwnNode,
            Direction::Egress => Decider::SelfTraffic,
        }
    }
}
