//! Every form of PEER against one small snapshot.

use super::*;
use net_types::Protocol;
use policy_model::{
    LabelSelector, Labels, Namespace, Node, Pod, Service, ServiceKind, ServicePort, TargetPort,
    WorkloadRef,
};

fn pod(namespace: &str, name: &str, workload: (WorkloadKind, &str), address: Option<&str>) -> Pod {
    let (kind, owner) = workload;
    let is_template = address.is_none();
    Pod {
        namespace: namespace.into(),
        name: name.into(),
        workload: WorkloadRef { namespace: namespace.into(), name: owner.into(), kind },
        origin: if is_template { PodOrigin::Template } else { PodOrigin::Live },
        labels: Labels::default(),
        addresses: address.iter().map(|address| address.parse().unwrap()).collect(),
        host_network: false,
        node: None,
        ports: Vec::new(),
        span: None,
    }
}

fn service(namespace: &str, name: &str, address: &str) -> Service {
    Service {
        namespace: namespace.into(),
        name: name.into(),
        kind: ServiceKind::ClusterIp { addresses: vec![address.parse().unwrap()] },
        external: false,
        selector: Some(LabelSelector::EVERYTHING),
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            port: 80,
            target: TargetPort::Number(8080),
            span: None,
        }],
        span: None,
    }
}

fn snapshot() -> Snapshot {
    use WorkloadKind::{Deployment, Pod as BarePod, StatefulSet};
    let mut node_pod = pod("kube-system", "proxy", (BarePod, "proxy"), Some("192.168.0.1"));
    node_pod.host_network = true;
    let node = Node {
        name: "n1".into(),
        labels: Labels::default(),
        addresses: vec!["192.168.0.1".parse().unwrap(), "1.1.1.1".parse().unwrap()],
        span: None,
    };
    Snapshot {
        namespaces: ["empty", "kube-system", "shop", "store"]
            .map(|name| (name.to_owned(), Namespace::implied(name)))
            .into(),
        nodes: [("n1".to_owned(), node)].into(),
        pods: vec![
            node_pod,
            pod("shop", "db", (Deployment, "db"), None),
            pod("shop", "db", (StatefulSet, "db"), None),
            pod("shop", "debug", (BarePod, "debug"), None),
            pod("shop", "web-1", (Deployment, "web"), Some("10.0.0.1")),
            pod("shop", "web-2", (Deployment, "web"), Some("10.0.0.2")),
            pod("store", "twin-1", (BarePod, "twin-1"), Some("10.9.9.9")),
            pod("store", "twin-2", (BarePod, "twin-2"), Some("10.9.9.9")),
        ],
        services: vec![service("shop", "front", "10.96.0.1"), service("shop", "web", "10.96.0.2")],
        ..Snapshot::default()
    }
}

fn resolve(text: &str) -> Result<Peer, String> {
    let snapshot = snapshot();
    let index = PeerIndex::new(&snapshot);
    index.resolve(&text.parse().unwrap()).map_err(|error| error.to_string())
}

fn outside(set: &str) -> AddressSet {
    set.parse::<net_types::IpNet>().unwrap().into()
}

#[test]
fn a_name_is_a_pod_else_a_workload() {
    assert_eq!(resolve("shop/web-2"), Ok(Peer::Pods(vec![5])));
    assert_eq!(resolve("shop/web"), Ok(Peer::Pods(vec![4, 5])));
    assert_eq!(resolve("shop/debug"), Ok(Peer::Pods(vec![3])));
    assert_eq!(resolve("shop/"), Ok(Peer::Pods(vec![1, 2, 3, 4, 5])));
}

#[test]
fn a_kind_tells_equal_names_apart() {
    assert_eq!(resolve("deployment/shop/db"), Ok(Peer::Pods(vec![1])));
    assert_eq!(resolve("sts/shop/db"), Ok(Peer::Pods(vec![2])));
    assert_eq!(resolve("pod/shop/debug"), Ok(Peer::Pods(vec![3])));
    assert_eq!(resolve("service/shop/web"), Ok(Peer::Service(1)));
    assert_eq!(
        resolve("shop/db").unwrap_err(),
        "`shop/db` is several workloads: write deployment/shop/db or statefulset/shop/db"
    );
}

#[test]
fn an_address_is_what_has_it() {
    assert_eq!(resolve("10.0.0.2"), Ok(Peer::Pods(vec![5])));
    assert_eq!(resolve("192.168.0.1"), Ok(Peer::Node("n1".into())));
    assert_eq!(resolve("10.96.0.1"), Ok(Peer::Service(0)));
    let other = AddressedPeers { outside: outside("10.0.0.9/32"), ..AddressedPeers::default() };
    assert_eq!(resolve("10.0.0.9"), Ok(Peer::Addresses(other)));
    assert_eq!(
        resolve("10.9.9.9").unwrap_err(),
        "two pods of the input have the address 10.9.9.9: store/twin-1 and store/twin-2"
    );
}

#[test]
fn a_block_is_cut_around_what_the_cluster_has() {
    let block = AddressedPeers {
        outside: ["10.0.0.0/32", "10.0.0.3/32"]
            .map(outside)
            .iter()
            .flat_map(AddressSet::ranges)
            .copied()
            .collect(),
        pods: vec![4, 5],
        ..AddressedPeers::default()
    };
    assert_eq!(resolve("10.0.0.0/30"), Ok(Peer::Addresses(block)));
    assert!(resolve("10.0.0.0/8").unwrap_err().contains("10.9.9.9"));
    let Ok(Peer::Addresses(node)) = resolve("192.168.0.0/24") else { panic!() };
    assert_eq!(node.nodes, ["n1"]);
}

#[test]
fn the_internet_is_outside() {
    let Ok(Peer::Addresses(internet)) = resolve("internet") else { panic!() };
    assert!(internet.outside.contains("8.8.8.8".parse().unwrap()));
    assert!(!internet.outside.contains("1.1.1.1".parse().unwrap()), "a node has it");
    assert!(internet.nodes.is_empty());
}

#[test]
fn what_is_unknown_names_what_is_near() {
    let error = |text| resolve(text).unwrap_err();
    assert_eq!(error("shpo/web"), "the input has no namespace `shpo`: did you mean shop?");
    assert_eq!(
        error("shop/wbe"),
        "the input has no pod or workload `shop/wbe`: did you mean shop/web or service/shop/web?"
    );
    assert_eq!(
        error("shop/front"),
        "the input has no pod or workload `shop/front`: did you mean service/shop/front?"
    );
    assert_eq!(
        error("store/web-1"),
        "the input has no pod or workload `store/web-1`: did you mean shop/web-1?"
    );
    assert_eq!(
        error("service/shop/db"),
        "the input has no service `shop/db`: did you mean deployment/shop/db or statefulset/shop/db?"
    );
    assert_eq!(error("shop/zzzzz"), "the input has no pod or workload `shop/zzzzz`");
    assert_eq!(error("empty/"), "the namespace `empty` has no pods or workloads in the input");
}
