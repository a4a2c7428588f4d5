//! What a peer is open to: by name on small worlds, and on random ones by making the pods that were
//! said to be possible and asking about them.

#[cfg(test)]
mod tests {
    use kube_import::import_text;
    use net_types::Protocol;
    use policy_engine::{
        Assumptions, End, Exposure, Granularity, MapPeer, PairTraffic, PodId, PossibleNamespace,
        PossiblePeer, Program, Semantics, Verdict,
    };
    use policy_model::{
        Direction, NAMESPACE_NAME_LABEL, Namespace, Pod, PodOrigin, Snapshot, WorkloadKind,
        WorkloadRef,
    };
    use policy_oracle::worlds::{Contents, snapshots};
    use proptest::prelude::*;

    fn program(snapshot: Snapshot) -> Program {
        Program::compile(snapshot, Assumptions::new(Semantics::Upstream))
    }

    fn exposures(yaml: &str) -> Vec<(String, Exposure)> {
        let imported = import_text("world.yaml", yaml);
        assert!(!imported.has_errors(), "{:?}", imported.findings);
        let program = program(imported.snapshot);
        let map = program.map(Granularity::Workload);
        let names: Vec<String> = map
            .peers()
            .map(|peer| match peer {
                MapPeer::Workload(workload) => workload.to_string(),
                MapPeer::Namespace(_) | MapPeer::Pod { .. } | MapPeer::Outside(_) => String::new(),
            })
            .collect();
        map.exposures()
            .into_iter()
            .map(|exposure| (names[exposure.peer].clone(), exposure))
            .collect()
    }

    fn of<'e>(exposures: &'e [(String, Exposure)], name: &str) -> &'e Exposure {
        exposures.iter().find(|(of, _)| of == name).map(|(_, exposure)| exposure).unwrap()
    }

    /// `app=x in any: 80/tcp`, by the example.
    fn shown(possible: &[PossiblePeer]) -> Vec<String> {
        let namespace = |namespace: &PossibleNamespace| match namespace {
            PossibleNamespace::Existing(name) => name.clone(),
            PossibleNamespace::New { name: Some(name), labels } => {
                format!("new {name} with {labels}")
            }
            PossibleNamespace::New { name: None, labels } => format!("new with {labels}"),
        };
        possible
            .iter()
            .map(|p| format!("{} in {}: {}", p.labels, namespace(&p.namespace), p.traffic.allowed))
            .collect()
    }

    const WORLD: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: free, namespace: other, labels: {app: free}}
spec: {containers: []}
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site, namespace: shop}
spec:
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: front, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 8080}]
  - from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: probe}}}]
    ports: [{port: http}]
  - from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}, {key: app, operator: Exists}, {key: app, operator: NotIn, values: [web, any]}]}}]
    ports: [{port: 9090}]
";

    #[test]
    fn names_what_reaches_a_pod_and_what_may() {
        let all = exposures(WORLD);
        let web = of(&all, "shop/web");
        assert_eq!((web.ingress.n_isolated, web.egress.n_isolated), (1, 0));
        let outside: Vec<String> =
            web.ingress.outside.iter().map(|(set, t)| format!("{set} {}", t.allowed)).collect();
        assert_eq!(outside, ["203.0.113.0-203.0.113.255 8080/tcp"]);
        assert!(web.ingress.namespaces.is_empty());
        assert_eq!(
            shown(&web.ingress.possible),
            ["app=any- in shop: 9090/tcp", "app=probe in new with team=ops: 8080/tcp"]
        );
        assert_eq!(shown(&web.egress.possible), ["no labels in new with no labels: all"]);
        let entrances: Vec<String> = web
            .entrances
            .iter()
            .map(|e| {
                format!("{} {}/{} {} {}", e.kind.name(), e.namespace, e.name, e.service, e.port)
            })
            .collect();
        assert_eq!(entrances, ["Service shop/front front 8080", "Ingress shop/site front 8080"]);
        let free = of(&all, "other/free");
        let namespaces: Vec<String> = free
            .ingress
            .namespaces
            .iter()
            .map(|(name, t)| format!("{name} {}", t.allowed))
            .collect();
        assert_eq!(namespaces, ["shop all"]);
    }

    #[test]
    fn a_label_that_is_refused_is_left_away() {
        let all = exposures(
        "
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: pci, labels: {app: db}}
spec: {containers: []}
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: only-trusted}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  ingress:
  - action: Deny
    from: [{pods: {namespaceSelector: {}, podSelector: {matchExpressions: [{key: trusted, operator: DoesNotExist}]}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: pci}
spec:
  podSelector: {}
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]
",
    );
        let possible = shown(&of(&all, "pci/db").ingress.possible);
        assert_eq!(possible, ["app=api,trusted=any in pci: 5432/tcp"]);
    }

    /// The world with the possible pod in it, and the id of that pod.
    fn with_pod(snapshot: &Snapshot, possible: &PossiblePeer) -> (Program, PodId) {
        let mut snapshot = snapshot.clone();
        let namespace = match &possible.namespace {
            PossibleNamespace::Existing(name) => name.clone(),
            PossibleNamespace::New { name, labels } => {
                let name =
                    name.clone().unwrap_or_else(|| "a namespace of no other name".to_owned());
                let mut labels = labels.clone();
                labels.0.insert(NAMESPACE_NAME_LABEL.to_owned(), name.clone());
                snapshot
                    .namespaces
                    .insert(name.clone(), Namespace { name: name.clone(), labels, span: None });
                name
            }
        };
        snapshot.pods.push(Pod {
            namespace: namespace.clone(),
            name: "possible".into(),
            workload: WorkloadRef { namespace, name: "possible".into(), kind: WorkloadKind::Pod },
            origin: PodOrigin::Live,
            labels: possible.labels.clone(),
            addresses: Vec::new(),
            host_network: false,
            node: None,
            ports: Vec::new(),
            span: None,
        });
        let id = PodId::from_index(snapshot.pods.len() - 1);
        (program(snapshot), id)
    }

    fn said(traffic: &PairTraffic, protocol: Protocol, port: u16) -> Verdict {
        if traffic.allowed.contains(protocol, port) {
            Verdict::Allow
        } else if traffic.undefined.contains(protocol, port) {
            Verdict::Undefined
        } else {
            Verdict::Deny
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

        /// The pod's side of the verdict is what was said, on each side of every port that matters.
        #[test]
        fn a_possible_pod_gets_what_was_said(snapshot in snapshots(Contents::Everything)) {
            let before = program(snapshot.clone());
            let map = before.map(Granularity::Pod);
            for exposure in map.exposures() {
                let Some(pod) = map.pods(exposure.peer).next() else { continue };
                for (direction, side) in
                    [(Direction::Ingress, &exposure.ingress), (Direction::Egress, &exposure.egress)]
                {
                    for possible in side.possible.iter().take(4) {
                        prop_assert!(!possible.traffic.is_empty());
                        let (after, new) = with_pod(&snapshot, possible);
                        let (pod, new) = (End::Pod(pod), End::Pod(new));
                        let (from, to) = match direction {
                            Direction::Ingress => (&new, &pod),
                            Direction::Egress => (&pod, &new),
                        };
                        for protocol in Protocol::WITH_PORTS {
                            let of = [&possible.traffic.allowed, &possible.traffic.undefined];
                            let edges = of.into_iter().filter_map(|t| t.ports(protocol)).flat_map(|ports| {
                                ports.ranges().iter().flat_map(|range| {
                                    [range.first().saturating_sub(1), range.first(), range.last(), range.last().saturating_add(1)]
                                })
                            });
                            for port in edges.filter(|port| *port > 0) {
                                let decision = after.decide(from, to, protocol, port);
                                prop_assert_eq!(
                                    decision.side(direction).verdict,
                                    said(&possible.traffic, protocol, port),
                                    "{:?} {} {}", possible, protocol, port
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
