//! Namespaces, nodes and pods.

use super::Contents;
use super::alphabet::{
    NAMESPACES, NODES, SLOTS, WORKLOADS, name_of, node_v4, node_v6, pod_v4, pod_v6,
};
use super::parts::{labels, port_name, port_number, protocol};
use policy_model::{
    ContainerPort, NAMESPACE_NAME_LABEL, Namespace, Node, Pod, PodOrigin, WorkloadKind, WorkloadRef,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;

pub(super) fn namespace_name() -> impl Strategy<Value = String> {
    name_of(&NAMESPACES)
}

pub(super) fn node_name() -> impl Strategy<Value = String> {
    name_of(&NODES)
}

pub(super) fn namespace() -> impl Strategy<Value = Namespace> {
    (namespace_name(), labels()).prop_map(|(name, mut labels)| {
        labels.0.insert(NAMESPACE_NAME_LABEL.to_owned(), name.clone());
        Namespace { name, labels, span: None }
    })
}

/// Which addresses of its slot an object has.
#[derive(Clone, Copy, Debug)]
enum Families {
    Unknown,
    V4,
    V6,
    Both,
}

impl Families {
    fn of(self, v4: IpAddr, v6: IpAddr) -> Vec<IpAddr> {
        match self {
            Self::Unknown => vec![],
            Self::V4 => vec![v4],
            Self::V6 => vec![v6],
            Self::Both => vec![v4, v6],
        }
    }
}

fn families_of_addresses() -> impl Strategy<Value = Families> {
    prop_oneof![
        4 => Just(Families::V4),
        2 => Just(Families::Unknown),
        4 => Just(Families::Both),
        1 => Just(Families::V6),
    ]
}

/// A node's addresses follow from its name, so that no two nodes share one.
pub(super) fn node() -> impl Strategy<Value = Node> {
    (1_u8..=3, labels(), families_of_addresses()).prop_map(|(slot, labels, families)| Node {
        name: format!("n{slot}"),
        labels,
        addresses: families.of(node_v4(slot), node_v6(slot)),
        span: None,
    })
}

fn container_port() -> impl Strategy<Value = ContainerPort> {
    (option::weighted(0.8, port_name()), protocol(), port_number())
        .prop_map(|(name, protocol, port)| ContainerPort { name, protocol, port })
}

/// A pod's name follows from its workload and its slot.
#[derive(Clone, Copy, Debug)]
enum Form {
    Bare,
    BareTemplate,
    Owned(WorkloadKind),
    Template(WorkloadKind),
}

/// The first three are also owners of live pods.
const OWNER_KINDS: [WorkloadKind; 7] = [
    WorkloadKind::StatefulSet,
    WorkloadKind::DaemonSet,
    WorkloadKind::Job,
    WorkloadKind::Deployment,
    WorkloadKind::ReplicaSet,
    WorkloadKind::ReplicationController,
    WorkloadKind::CronJob,
];

fn form(contents: Contents) -> impl Strategy<Value = Form> {
    let bare_template_weight = match contents {
        Contents::Manifest => 0,
        Contents::Everything => 1,
    };
    prop_oneof![
        6 => Just(Form::Bare),
        bare_template_weight => Just(Form::BareTemplate),
        3 => select(&OWNER_KINDS[..3]).prop_map(Form::Owned),
        3 => select(&OWNER_KINDS[..]).prop_map(Form::Template),
    ]
}

pub(super) fn pod(contents: Contents) -> impl Strategy<Value = Pod> {
    let identity = (namespace_name(), name_of(&WORKLOADS), 1..=SLOTS, form(contents));
    let network = (
        families_of_addresses(),
        prop_oneof![3 => Just(false), 1 => Just(true)],
        option::weighted(0.6, node_name()),
    );
    (identity, network, labels(), vec(container_port(), 0..=3)).prop_map(
        |((namespace, workload, slot, form), (families, host_network, node), labels, ports)| {
            let (origin, name, owner, kind) = match form {
                Form::Bare => bare(PodOrigin::Live, slot),
                Form::BareTemplate => bare(PodOrigin::Template, slot),
                Form::Owned(kind) => {
                    (PodOrigin::Live, format!("{workload}-{slot}"), workload, kind)
                }
                Form::Template(kind) => (PodOrigin::Template, workload.clone(), workload, kind),
            };
            let addresses = match origin {
                PodOrigin::Template => vec![],
                PodOrigin::Live if host_network => families.of(node_v4(slot), node_v6(slot)),
                PodOrigin::Live => families.of(pod_v4(slot), pod_v6(slot)),
            };
            Pod {
                workload: WorkloadRef { namespace: namespace.clone(), name: owner, kind },
                namespace,
                name,
                origin,
                labels,
                addresses,
                host_network,
                node,
                ports,
                span: None,
            }
        },
    )
}

fn bare(origin: PodOrigin, slot: u8) -> (PodOrigin, String, String, WorkloadKind) {
    let name = format!("p{slot}");
    (origin, name.clone(), name, WorkloadKind::Pod)
}
