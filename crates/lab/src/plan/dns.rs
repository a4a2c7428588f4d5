//! The cluster's DNS: that of the input, else one that is added, so that policies decide about DNS as
//! they would in a cluster.

use super::{Endpoint, ServicePlan};
use net_types::Protocol;
use policy_model::{
    ContainerPort, LabelSelector, Namespace, Pod, PodOrigin, Requirement, Service, ServiceKind,
    ServicePort, Snapshot, TargetPort, WorkloadKind, WorkloadRef,
};
use std::net::{IpAddr, Ipv4Addr};

const NAMESPACE: &str = "kube-system";
const SERVICE: &str = "kube-dns";
const PORT: u16 = 53;
/// Where kubeadm and kind put it.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 10));

/// Empty where names are not resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsPlan {
    /// What a pod's `resolv.conf` names.
    pub addresses: Vec<IpAddr>,
    /// Where the server listens.
    pub endpoints: Vec<(Protocol, Endpoint)>,
}

impl DnsPlan {
    pub(super) fn new(
        snapshot: &Snapshot,
        services: &[ServicePlan],
        notes: &mut Vec<String>,
    ) -> Self {
        let Some(place) = place_of_service(snapshot) else { return Self::default() };
        let (Some(service), Some(plan)) = (snapshot.services.get(place), services.get(place))
        else {
            return Self::default();
        };
        let ports = plan.ports.iter().filter(|port| port.port == PORT);
        let endpoints: Vec<(Protocol, Endpoint)> = ports
            .flat_map(|port| port.endpoints.iter().map(|endpoint| (port.protocol, *endpoint)))
            .collect();
        if endpoints.is_empty() {
            notes.push(format!("no pod is behind Service {service}: names are not resolved"));
        }
        match &service.kind {
            ServiceKind::ClusterIp { addresses } => {
                Self { addresses: addresses.clone(), endpoints }
            }
            ServiceKind::Headless | ServiceKind::ExternalName(_) => Self::default(),
        }
    }
}

fn place_of_service(snapshot: &Snapshot) -> Option<usize> {
    let serves_names = |service: &Service| {
        service.namespace == NAMESPACE
            && matches!(service.kind, ServiceKind::ClusterIp { .. })
            && service.ports.iter().any(|port| port.port == PORT && port.protocol == Protocol::Udp)
    };
    let mut services = snapshot.services.iter();
    services
        .position(|service| service.name == SERVICE && serves_names(service))
        .or_else(|| snapshot.services.iter().position(serves_names))
}

pub(super) fn add_where_missing(snapshot: &mut Snapshot, notes: &mut Vec<String>) {
    if place_of_service(snapshot).is_some() {
        return;
    }
    let is_taken =
        |service: &Service| (&*service.namespace, &*service.name) == (NAMESPACE, SERVICE);
    if let Some(taken) = snapshot.services.iter().find(|service| is_taken(service)) {
        notes.push(format!("Service {taken} is not on port {PORT}/UDP: names are not resolved"));
        return;
    }
    let namespace = NAMESPACE.to_owned();
    snapshot.namespaces.entry(namespace).or_insert_with(|| Namespace::implied(NAMESPACE));
    let is_ours = |pod: &Pod| pod.namespace == NAMESPACE && label(pod) == Some(SERVICE);
    if !snapshot.pods.iter().any(is_ours) {
        snapshot.pods.push(server());
    }
    snapshot.services.push(service());
    snapshot.services.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    notes.push(format!("added DNS: Service {NAMESPACE}/{SERVICE} at {ADDRESS}"));
}

fn label(pod: &Pod) -> Option<&str> {
    pod.labels.value("k8s-app")
}

fn server() -> Pod {
    let workload = WorkloadRef {
        namespace: NAMESPACE.to_owned(),
        name: "coredns".to_owned(),
        kind: WorkloadKind::Deployment,
    };
    let port =
        |name: &str, protocol| ContainerPort { name: Some(name.to_owned()), protocol, port: PORT };
    Pod {
        namespace: NAMESPACE.to_owned(),
        name: workload.name.clone(),
        workload,
        origin: PodOrigin::Template,
        labels: [("k8s-app", SERVICE)].into_iter().collect(),
        addresses: Vec::new(),
        host_network: false,
        node: None,
        ports: vec![port("dns", Protocol::Udp), port("dns-tcp", Protocol::Tcp)],
        span: None,
    }
}

fn service() -> Service {
    let port = |name: &str, protocol| ServicePort {
        name: Some(name.to_owned()),
        protocol,
        port: PORT,
        target: TargetPort::Number(PORT),
        span: None,
    };
    Service {
        namespace: NAMESPACE.to_owned(),
        name: SERVICE.to_owned(),
        kind: ServiceKind::ClusterIp { addresses: vec![ADDRESS] },
        external: false,
        selector: Some(
            [Requirement::equals("k8s-app", SERVICE)].into_iter().collect::<LabelSelector>(),
        ),
        ports: vec![port("dns", Protocol::Udp), port("dns-tcp", Protocol::Tcp)],
        span: None,
    }
}
