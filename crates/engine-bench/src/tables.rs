//! Tables of a node with 100 pods in a world of 10,000 workloads: from nothing, and after one policy.

use crate::Setting;
use crate::spent::{self, Spent};
use crate::worlds::{self, Size};
use anyhow::{Context, Result, ensure};
use kube_import::import_text;
use net_types::{PortRange, Protocol};
use policy_engine::{Assumptions, Change, Program, Semantics};
use policy_model::{
    Action, Direction, LabelSelector, NamespaceScope, Peer, PeerMatch, Peers, Policy, PolicyId,
    PolicyKind, PortMatch, PortSpec, Ports, Requirement, Rule, Snapshot, Subject, Tier,
};
use policy_tables::{LocalPod, Modes, Tables};
use std::net::{IpAddr, Ipv4Addr};

const SIZE: Size = Size { workloads: 10_000, pods_per_workload: 0 };
const LOCAL: usize = 100;
const CHANGES: usize = 101;
/// A profile that is nearly full.
const RULES: u16 = 1_000;

pub(crate) fn measure(setting: &Setting) -> Result<()> {
    let snapshot = with_addresses(import_text("world", &worlds::text(setting, SIZE)?).snapshot);
    let mut program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let pods: Vec<LocalPod> = program.pods().map(|(pod, _)| LocalPod { pod }).collect();
    let step = (pods.len() / LOCAL).max(1);
    let locals: Vec<LocalPod> = pods.into_iter().step_by(step).take(LOCAL).collect();
    let modes = Modes::default();
    let mut anew = Vec::new();
    for _ in 0..setting.runs.max(1) {
        anew.push(spent::on(|| Tables::build(&program, &locals, &modes, None))?.0);
    }
    let mut tables = Tables::build(&program, &locals, &modes, None);
    println!("from nothing {}", Spent::median(&anew));
    print_sizes(&tables);
    let (first, rest) = locals.split_first().context("the world has no pods")?;
    let mut one = Vec::new();
    let mut engine = Vec::new();
    let of_locals: Vec<Policy> = rest
        .iter()
        .flat_map(|local| program.policies_of(local.pod, Direction::Ingress))
        .filter(|policy| policy.tier == Tier::NetworkPolicy)
        .cloned()
        .collect();
    for policy in of_locals.iter().cycle().take(CHANGES) {
        let mut changed = program.policy(&policy.id).cloned().unwrap_or_else(|| policy.clone());
        changed.ingress.get_or_insert_default().push(rule(u16::try_from(one.len())?));
        let changed = Change::SetPolicy(Box::new(changed));
        engine.push(spent::on(|| program.apply(changed))?.0);
        let (spent, built) = spent::on(|| Tables::build(&program, &locals, &modes, Some(&tables)))?;
        tables = built;
        one.push(spent);
    }
    print("one policy", &one, &engine);
    let (mut one, mut engine) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        let changed = Change::SetPolicy(Box::new(many_rules(&program, *first, number)?));
        engine.push(spent::on(|| program.apply(changed))?.0);
        let (spent, built) = spent::on(|| Tables::build(&program, &locals, &modes, Some(&tables)))?;
        tables = built;
        one.push(spent);
    }
    print("1,000 rules", &one, &engine);
    print_sizes(&tables);
    compare(&program, &locals, &tables)
}

/// A node's pods have addresses.
fn with_addresses(mut snapshot: Snapshot) -> Snapshot {
    let base = u32::from_be_bytes([10, 0, 0, 1]);
    for (pod, number) in snapshot.pods.iter_mut().filter(|pod| !pod.host_network).zip(base..) {
        pod.addresses = vec![IpAddr::V4(Ipv4Addr::from_bits(number))];
    }
    snapshot
}

/// From pods with one of 50 labels, so that rules share terms as written ones do.
fn rule(number: u16) -> Rule {
    let app = Requirement::equals("app", format!("w{:02}", number % 50));
    let range = PortRange::single(1 + number).unwrap_or(PortRange::ALL);
    let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
    let peer = PeerMatch::Pods {
        namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
        pods: [app].into_iter().collect(),
    };
    Rule {
        name: None,
        action: Action::Accept,
        peers: Peers::Listed(vec![Peer { matches: peer, span: None }]),
        ports: Ports::Listed(vec![PortSpec { matches, span: None }]),
        span: None,
    }
}

/// A policy for one pod, another with each number.
fn many_rules(program: &Program, local: LocalPod, number: usize) -> Result<Policy> {
    let pod = program.pod(local.pod).context("the pod is gone")?;
    let own = pod.labels.0.iter().map(|(key, value)| Requirement::equals(key, value.as_str()));
    let first = u16::try_from(number)?;
    Ok(Policy {
        id: PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: Some(pod.namespace.clone()),
            name: "many-rules".into(),
        },
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject: Subject {
            namespaces: NamespaceScope::Own(pod.namespace.clone()),
            pods: own.collect(),
        },
        ingress: Some((first..first + RULES).map(rule).collect()),
        egress: None,
        span: None,
    })
}

fn print(what: &str, tables: &[Spent], engine: &[Spent]) {
    let slowest = tables.iter().map(|spent| spent.cpu_seconds).fold(0.0, f64::max);
    println!("{what:<12} {}, slowest {:.1} ms CPU", Spent::median(tables), slowest * 1e3);
    println!("             {} before that, in the engine", Spent::median(engine));
}

fn print_sizes(tables: &Tables) {
    let rows = |of: fn(&policy_tables::ProfileTable) -> usize| -> usize {
        tables.profiles().values().map(|table| of(table)).sum()
    };
    let mut classes: Vec<_> =
        tables.addresses().values().chain(tables.networks().values()).collect();
    classes.sort_unstable();
    classes.dedup();
    println!(
        "             {} addresses and {} networks in {} classes, {} profiles with {} peer rows and {} port rows",
        tables.addresses().len(),
        tables.networks().len(),
        classes.len(),
        tables.profiles().len(),
        rows(|table| table.peer_rows.len()),
        rows(|table| table.port_rows.len()),
    );
}

/// The tables that took all changes answer as fresh ones.
fn compare(program: &Program, locals: &[LocalPod], tables: &Tables) -> Result<()> {
    let fresh = Tables::build(program, locals, &Modes::default(), None);
    let mut n_packets = 0;
    for (pod, ids) in tables.pods() {
        let others = fresh.pods().get(pod).context("fresh tables lack a pod")?;
        for peer in tables.addresses().keys().step_by(97) {
            for port in [80, 443, 500, 5353, 8000, 9090] {
                for (id, other) in [(ids.ingress, others.ingress), (ids.egress, others.egress)] {
                    let found = tables.evaluate(id, *peer, Protocol::Tcp, port);
                    let other = fresh.evaluate(other, *peer, Protocol::Tcp, port);
                    ensure!(
                        found == other,
                        "{pod} and {peer} at {port}: {found:?} is not {other:?}"
                    );
                    n_packets += 1;
                }
            }
        }
    }
    println!("             fresh tables answer {n_packets} packets alike");
    ensure!(tables.problems().is_empty(), "{:?}", tables.problems());
    Ok(())
}
