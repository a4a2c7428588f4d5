//! Services as rules of the packet filter: the same on every node.
//!
//! One look-up for each new connection, whatever the number of Services, then a random endpoint.

use crate::plan::{Endpoint, Plan, ServicePortPlan};
use net_types::Protocol;
use policy_model::ServiceKind;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Replaces the rules of Services.
pub(crate) fn script(plan: &Plan) -> String {
    let mut rules = Rules::default();
    for (service, planned) in plan.snapshot.services.iter().zip(&plan.services) {
        let ServiceKind::ClusterIp { addresses } = &service.kind else { continue };
        for port in &planned.ports {
            for address in addresses {
                rules.add_port(plan, *address, port);
            }
        }
    }
    rules.script()
}

#[derive(Default)]
struct Rules {
    /// One for each port of a Service that leads somewhere.
    chains: Vec<String>,
    v4: Vec<String>,
    v6: Vec<String>,
    /// Pods behind Services, which may reach themselves through one.
    backends: BTreeSet<IpAddr>,
}

impl Rules {
    fn add_port(&mut self, plan: &Plan, address: IpAddr, port: &ServicePortPlan) {
        let Some(protocol) = protocol_name(port.protocol) else { return };
        let targets: Vec<(IpAddr, u16)> = (port.endpoints.iter())
            .filter_map(|endpoint| Some((of_family(plan, *endpoint, address)?, endpoint.port)))
            .collect();
        if targets.is_empty() {
            return;
        }
        self.backends.extend(targets.iter().map(|(backend, _)| *backend));
        let family = if address.is_ipv4() { "ip" } else { "ip6" };
        let n = targets.len();
        let targets: Vec<String> = (targets.iter().enumerate())
            .map(|(place, (backend, port))| format!("{place} : {backend} . {port}"))
            .collect();
        let (chain, targets) = (self.chains.len(), targets.join(", "));
        self.chains.push(format!(
            "  chain port-{chain} {{\n    meta l4proto {protocol} \
             dnat {family} to numgen random mod {n} map {{ {targets} }}\n  }}\n"
        ));
        let entry = format!("{address} . {protocol} . {} : goto port-{chain}", port.port);
        if address.is_ipv4() { self.v4.push(entry) } else { self.v6.push(entry) }
    }

    fn script(&self) -> String {
        let translate = [translation("ip", &self.v4), translation("ip6", &self.v6)].concat();
        let hairpin = [self.hairpin("ip", true), self.hairpin("ip6", false)].concat();
        format!(
            "table inet services\ndelete table inet services\ntable inet services {{\n{}\
             \x20 chain translate {{\n{translate}  }}\n\
             \x20 chain arriving {{\n    type nat hook prerouting priority -100\n    jump translate\n  }}\n\
             \x20 chain local {{\n    type nat hook output priority -100\n    jump translate\n  }}\n\
             \x20 chain leaving {{\n    type nat hook postrouting priority 100\n{hairpin}  }}\n}}\n",
            self.chains.concat()
        )
    }

    /// A pod that reaches itself through a Service must see another's address, or it would answer itself
    /// past the node.
    fn hairpin(&self, family: &str, is_v4: bool) -> String {
        let of_family = self.backends.iter().filter(|backend| backend.is_ipv4() == is_v4);
        let pairs: Vec<String> = of_family.map(|pod| format!("{pod} . {pod}")).collect();
        if pairs.is_empty() {
            return String::new();
        }
        let pairs = pairs.join(", ");
        format!("    ct status dnat {family} saddr . {family} daddr {{ {pairs} }} masquerade\n")
    }
}

fn translation(family: &str, entries: &[String]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let entries = entries.join(",\n      ");
    format!("    {family} daddr . meta l4proto . th dport vmap {{\n      {entries}\n    }}\n")
}

fn of_family(plan: &Plan, endpoint: Endpoint, like: IpAddr) -> Option<IpAddr> {
    let mut addresses = plan.snapshot.pods.get(endpoint.pod)?.addresses.iter();
    addresses.find(|address| address.is_ipv4() == like.is_ipv4()).copied()
}

fn protocol_name(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Tcp => Some("tcp"),
        Protocol::Udp => Some("udp"),
        Protocol::Sctp => Some("sctp"),
        Protocol::Other(_) => None,
    }
}
