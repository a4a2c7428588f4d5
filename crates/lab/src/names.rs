//! The names of Services, as a cluster's DNS has them.
//!
//! `SERVICE.NAMESPACE.svc.cluster.local` is the Service's address, or those of its pods if it is headless;
//! `POD.SERVICE.…` one of those pods; `_PORT._PROTOCOL.SERVICE.…` the ports (SRV). Names are compared
//! without case. Anything else in `cluster.local` does not exist, and what lies outside is refused: a lab
//! has no way out to ask anybody.

use crate::plan::{Plan, ServicePlan};
use net_types::Protocol;
use policy_model::{Service, ServiceKind};
use std::collections::HashMap;
use std::net::IpAddr;

const ZONE: &str = "cluster.local";

/// What a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub addresses: Vec<IpAddr>,
    /// Ports and the names that have them.
    pub servers: Vec<(u16, String)>,
    pub alias: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Entry(&'a Entry),
    /// The name is ours and nothing has it.
    Nothing,
    NotOurs,
}

#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By name in lower case, without the final dot.
    entries: HashMap<String, Entry>,
}

impl Names {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut names = Self { entries: HashMap::new() };
        for (service, planned) in plan.snapshot.services.iter().zip(&plan.services) {
            let name = format!("{}.{}.svc.{ZONE}", service.name, service.namespace);
            match &service.kind {
                ServiceKind::ClusterIp { addresses } => {
                    names.entry(&name).addresses.clone_from(addresses);
                    for port in &service.ports {
                        let server = (port.port, name.clone());
                        names.add_server((&name, port.name.as_deref(), port.protocol), server);
                    }
                }
                ServiceKind::Headless => names.add_headless(plan, service, planned, &name),
                ServiceKind::ExternalName(alias) => names.entry(&name).alias = Some(alias.clone()),
            }
        }
        names
    }

    /// Ports of a headless Service are those of its pods.
    fn add_headless(&mut self, plan: &Plan, service: &Service, planned: &ServicePlan, name: &str) {
        self.entry(name);
        for (place, pod) in
            planned.pods.iter().filter_map(|place| Some((*place, plan.snapshot.pods.get(*place)?)))
        {
            let own = format!("{}.{name}", pod.name);
            self.entry(name).addresses.extend(&pod.addresses);
            self.entry(&own).addresses.clone_from(&pod.addresses);
            for (port, planned) in service.ports.iter().zip(&planned.ports) {
                let endpoint = planned.endpoints.iter().find(|endpoint| endpoint.pod == place);
                if let Some(endpoint) = endpoint {
                    let server = (endpoint.port, own.clone());
                    self.add_server((name, port.name.as_deref(), port.protocol), server);
                }
            }
        }
    }

    fn add_server(
        &mut self,
        (service, port, protocol): (&str, Option<&str>, Protocol),
        server: (u16, String),
    ) {
        if let Some(port) = port {
            let protocol = protocol.to_string();
            self.entry(&format!("_{port}._{protocol}.{service}")).servers.push(server);
        }
    }

    fn entry(&mut self, name: &str) -> &mut Entry {
        self.entries.entry(name.to_ascii_lowercase()).or_default()
    }

    /// `name` with or without its final dot.
    pub(crate) fn find(&self, name: &str) -> Found<'_> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        match self.entries.get(&name) {
            Some(entry) => Found::Entry(entry),
            None if name == ZONE || name.ends_with(&format!(".{ZONE}")) => Found::Nothing,
            None => Found::NotOurs,
        }
    }
}
