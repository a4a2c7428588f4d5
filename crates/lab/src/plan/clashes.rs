//! Addresses that two things of a plan would have: no network can be made of it.

use super::Plan;
use super::addresses::cluster_addresses;
use std::collections::HashMap;
use std::net::IpAddr;

impl Plan {
    /// The first address that two things have, and what to do about it.
    pub(crate) fn clash(&self) -> Option<String> {
        let mut owners: HashMap<IpAddr, String> = HashMap::new();
        let nodes = self.nodes.iter().flat_map(|node| {
            node.addresses.iter().map(move |address| (*address, format!("the node {}", node.name)))
        });
        let services = self.snapshot.services.iter().flat_map(|service| {
            let addresses = cluster_addresses(service).iter();
            addresses.map(move |address| (*address, format!("the Service {service}")))
        });
        // A host-network pod has its node's addresses.
        let own = self.snapshot.pods.iter().filter(|pod| !pod.host_network);
        let pods = own.flat_map(|pod| {
            pod.addresses.iter().map(move |address| (*address, format!("the pod {pod}")))
        });
        for (address, owner) in nodes.chain(services).chain(pods) {
            if let Some(other) = owners.insert(address, owner.clone()) {
                return Some(format!(
                    "{other} and {owner} both have {address}: give one of them another address in its \
                     manifest, or leave it out there so that the lab chooses one"
                ));
            }
        }
        for peer in &self.external {
            let address = peer.address;
            if let Some(other) = owners.get(&address) {
                return Some(format!(
                    "the peer outside {address} has the address of {other}: give --external another one"
                ));
            }
        }
        self.passed_over.map(|address| {
            format!(
                "the peer outside {address} has an address that the lab gives to its own nodes, pods and \
                 Services: give --external one that is outside of the cluster, as 203.0.113.9"
            )
        })
    }
}
