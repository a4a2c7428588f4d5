//! A cluster of many pods, and one of them on this node with nearly as many rules as fit.

use anyhow::{Context, Result};
use net_types::{PortRange, Protocol};
use policy_engine::{Assumptions, Change, PodId, Program, Semantics};
use policy_model::{
    Direction, LabelSelector, NamespaceScope, Peer, PeerMatch, Peers, Pod, Policy, PortMatch,
    PortSpec, Ports, Requirement, Rule, Snapshot,
};
use policy_oracle::worlds::{objects, put_policy};
use policy_tables::{LocalPod, Modes, Tables};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) const RULES: u16 = 1_000;
/// Pods with one of so many labels, so that rules share peers as written ones do.
const LABELS: usize = 50;
/// The port of a rule that admits [`PEER`], and one of none.
pub(crate) const ALLOWED_PORT: u16 = 1 + 7;
pub(crate) const DENIED_PORT: u16 = 5_000;

/// The pod on this node.
pub(crate) const LOCAL: usize = 0;
/// Another pod, on which the eighth rule speaks.
pub(crate) const PEER: usize = LABELS + 7;

pub(crate) struct World {
    pub(crate) program: Program,
    pub(crate) local: PodId,
}

/// Of a pod by its number.
pub(crate) fn address(pod: usize) -> IpAddr {
    let first = u32::from_be_bytes([10, 0, 0, 1]);
    IpAddr::V4(Ipv4Addr::from_bits(first + u32::try_from(pod).unwrap_or_default()))
}

impl World {
    pub(crate) fn new(n_pods: usize) -> Result<Self> {
        let mut snapshot = Snapshot::default();
        snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
        for pod in 0..n_pods {
            let app = format!("w{:02}", pod % LABELS);
            let labels: &[(&str, &str)] =
                if pod == LOCAL { &[("role", "local")] } else { &[("app", &app)] };
            let named = objects::pod("shop", &format!("pod-{pod:06}"), labels);
            snapshot.pods.push(Pod { addresses: vec![address(pod)], ..named });
        }
        put_policy(&mut snapshot, policy(Direction::Ingress, rules(0)));
        put_policy(&mut snapshot, policy(Direction::Egress, rules(0)));
        let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
        let named = program.pods().find(|(_, pod)| pod.name == "pod-000000");
        let local = named.map(|(pod, _)| pod).context("the world has no pods")?;
        Ok(Self { program, local })
    }

    pub(crate) fn tables(&self, previous: Option<&Tables>) -> Tables {
        Tables::build(&self.program, &[LocalPod { pod: self.local }], &Modes::default(), previous)
    }

    /// Takes the rule that admits [`PEER`] away, or gives it back.
    pub(crate) fn admit_peer(&mut self, admit: bool) {
        let mut rules = rules(0);
        if !admit {
            rules.remove(usize::from(ALLOWED_PORT - 1));
        }
        let policy = policy(Direction::Ingress, rules);
        self.program.make(Change::SetPolicy(Box::new(policy)));
    }
}

fn policy(direction: Direction, rules: Vec<Rule>) -> Policy {
    let name = format!("many-{direction}");
    let mut policy = objects::network_policy("shop", &name, direction, rules);
    policy.subject.pods = objects::selector(&[("role", "local")]);
    policy
}

fn rules(first: u16) -> Vec<Rule> {
    (first..first + RULES).map(rule).collect()
}

fn rule(number: u16) -> Rule {
    let app = Requirement::equals("app", format!("w{:02}", usize::from(number) % LABELS));
    let range = PortRange::single(1 + number).unwrap_or(PortRange::ALL);
    let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
    let pods = PeerMatch::Pods {
        namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
        pods: [app].into_iter().collect(),
    };
    Rule {
        peers: Peers::Listed(vec![Peer { matches: pods, span: None }]),
        ports: Ports::Listed(vec![PortSpec { matches, span: None }]),
        ..objects::accept(Vec::new())
    }
}
