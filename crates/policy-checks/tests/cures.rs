//! What findings advise, checked on random worlds: with the cause gone, the finding is gone.
#![expect(clippy::unwrap_used, reason = "a constant that does not parse is a broken test")]

use finding_model::Finding;
use net_types::{IpNet, Protocol};
use policy_checks::{Settings, run};
use policy_engine::{Assumptions, Program};
use policy_model::{
    ContainerPort, Direction, LabelSelector, NamespaceScope, Network, Operator, Peer, PeerMatch,
    Peers, Policy, PortMatch, PortSpec, Ports, Requirement, Rule, Service, ServiceKind, Snapshot,
    TargetPort,
};
use policy_oracle::worlds::objects::{network_policy, pod};
use policy_oracle::worlds::{put_pod, put_policy, random};
use std::collections::BTreeMap;

const N_WORLDS: u64 = 400;

/// Whose findings must be gone.
#[derive(Debug)]
enum Gone {
    /// Those about the same object.
    Object,
    /// Those whose message names this.
    Naming(String),
}

#[test]
fn with_the_cause_gone_the_finding_is_gone() {
    let mut cured: BTreeMap<&str, usize> = BTreeMap::new();
    // One example of each code.
    let mut kept: BTreeMap<&str, (u64, Finding, Finding)> = BTreeMap::new();
    for seed in 0..N_WORLDS {
        let snapshot = random(seed).snapshot;
        for finding in findings(&snapshot) {
            let mut changed = snapshot.clone();
            let Some(gone) = cure(&mut changed, &finding) else { continue };
            *cured.entry(finding.code.0).or_default() += 1;
            let stays = |after: &Finding| {
                after.code == finding.code
                    && match &gone {
                        Gone::Object => after.object == finding.object,
                        Gone::Naming(name) => after.message.contains(name.as_str()),
                    }
            };
            let left: Vec<Finding> = findings(&changed).into_iter().filter(stays).collect();
            if let Some(left) = left.first() {
                kept.entry(finding.code.0).or_insert((seed, finding, left.clone()));
            }
        }
    }
    assert_eq!(kept, BTreeMap::new(), "seed, what was found and what is left of it");
    for code in CODES {
        let n = cured.get(code).copied().unwrap_or_default();
        assert!(n >= 5, "{code} was found {n} times only: {cured:?}");
    }
}

const CODES: [&str; 17] = [
    "and-or-peers",
    "block-covers-pods",
    "entry-backend-missing",
    "host-network-subject",
    "internet-egress",
    "missing-dns-egress",
    "named-port-unserved",
    "not-isolated",
    "peer-matches-nothing",
    "policy-in-empty-namespace",
    "port-unserved",
    "profile-dependent",
    "same-priority-order",
    "service-target-port-unserved",
    "service-without-endpoints",
    "unselected-policy",
    "world-open-ingress",
];

fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let program = Program::compile(snapshot.clone(), Assumptions::default());
    run(&program, &Settings::default())
}

/// Takes the cause away as the finding's page advises.
fn cure(snapshot: &mut Snapshot, finding: &Finding) -> Option<Gone> {
    let object = finding.object.clone()?;
    match finding.code.0 {
        "not-isolated" => return isolate(snapshot, finding, &object),
        "missing-dns-egress" => return allow_dns(snapshot, finding),
        "policy-in-empty-namespace" => {
            let namespace = finding.message.split(' ').nth(1)?.to_owned();
            put_pod(snapshot, pod(&namespace, "somebody", &[]));
            return Some(Gone::Naming(format!("namespace {namespace} ")));
        }
        "host-network-subject" => {
            let path = object.strip_prefix("Pod ")?;
            let pod = snapshot.pods.iter_mut().find(|pod| pod.to_string() == path)?;
            pod.host_network = false;
            pod.addresses.clear();
        }
        "named-port-unserved" => serve_every_name(snapshot),
        "service-without-endpoints" | "service-target-port-unserved" | "entry-backend-missing" => {
            cure_service(snapshot, finding, &object)?;
        }
        _ => {
            // Cluster-scoped policies never select host-network pods.
            snapshot.pods.iter_mut().for_each(|pod| pod.host_network = false);
            let policies = snapshot.policies.values_mut();
            let policy = policies.into_iter().find(|policy| policy.id.to_string() == object)?;
            cure_policy(policy, finding)?;
        }
    }
    Some(Gone::Object)
}

fn isolate(snapshot: &mut Snapshot, finding: &Finding, object: &str) -> Option<Gone> {
    let patch = finding.fix.as_ref()?.patch.as_ref()?;
    let namespace = object.strip_prefix("Namespace ")?;
    for direction in Direction::BOTH {
        let name = match direction {
            Direction::Ingress => "Ingress",
            Direction::Egress => "Egress",
        };
        if patch.contains(name) {
            let deny = network_policy(namespace, &format!("deny-{direction}"), direction, vec![]);
            put_policy(snapshot, deny);
        }
    }
    Some(Gone::Object)
}

fn allow_dns(snapshot: &mut Snapshot, finding: &Finding) -> Option<Gone> {
    let (_, rest) = finding.message.split_once("of namespace ")?;
    let namespace = rest.split(' ').next()?.to_owned();
    let is = |key: &str, value: &str| -> LabelSelector {
        std::iter::once(Requirement::equals(key, value)).collect()
    };
    let dns = PeerMatch::Pods {
        namespaces: NamespaceScope::Selected(is("kubernetes.io/metadata.name", "kube-system")),
        pods: is("k8s-app", "kube-dns"),
    };
    let port = |protocol| PortSpec {
        matches: PortMatch::Numbers { protocol, range: net_types::PortRange::single(53).unwrap() },
        span: None,
    };
    let rule = Rule {
        ports: Ports::Listed(vec![port(Protocol::Udp), port(Protocol::Tcp)]),
        ..policy_oracle::worlds::objects::accept(vec![dns])
    };
    put_policy(snapshot, network_policy(&namespace, "dns", Direction::Egress, vec![rule]));
    Some(Gone::Naming(format!("of namespace {namespace} ")))
}

fn serve_every_name(snapshot: &mut Snapshot) {
    let port =
        |protocol, name: &str| ContainerPort { name: Some(name.to_owned()), protocol, port: 4000 };
    for pod in &mut snapshot.pods {
        for name in ["http", "dns"] {
            pod.ports.extend(Protocol::WITH_PORTS.map(|protocol| port(protocol, name)));
        }
    }
}

fn cure_service(snapshot: &mut Snapshot, finding: &Finding, object: &str) -> Option<()> {
    if finding.code.0 == "entry-backend-missing" {
        let (_, rest) = finding.message.split_once("to Service ")?;
        let (path, _) = rest.split_once(", which does not exist")?;
        let (namespace, name) = path.split_once('/')?;
        snapshot.services.push(Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: ServiceKind::Headless,
            external: false,
            selector: None,
            ports: Vec::new(),
            span: None,
        });
        return Some(());
    }
    let path = object.strip_prefix("Service ")?;
    let service = snapshot.services.iter_mut().find(|service| service.to_string() == path)?;
    if finding.code.0 == "service-target-port-unserved" {
        service.ports.iter_mut().for_each(|port| port.target = TargetPort::Number(80));
        return Some(());
    }
    let requirements = service.selector.iter().flat_map(LabelSelector::requirements);
    let labels = requirements.filter_map(|requirement| match &requirement.operator {
        Operator::In(values) => Some((requirement.key.as_str(), values.first()?.as_str())),
        Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    });
    let endpoint = pod(&service.namespace, "endpoint", &labels.collect::<Vec<_>>());
    put_pod(snapshot, endpoint);
    Some(())
}

fn cure_policy(policy: &mut Policy, finding: &Finding) -> Option<()> {
    let everybody = || PeerMatch::Pods {
        namespaces: NamespaceScope::Selected(LabelSelector::EVERYTHING),
        pods: LabelSelector::EVERYTHING,
    };
    let rules = policy.ingress.iter_mut().chain(policy.egress.iter_mut()).flatten();
    match finding.code.0 {
        "unselected-policy" => {
            policy.subject.pods = LabelSelector::EVERYTHING;
            if policy.id.namespace.is_none() {
                policy.subject.namespaces = NamespaceScope::Selected(LabelSelector::EVERYTHING);
            }
        }
        "same-priority-order" => policy.priority = 1000,
        "port-unserved" => rules.for_each(|rule| rule.ports = Ports::All),
        "and-or-peers" => rules.for_each(|rule| {
            if let Peers::Listed(peers) = &mut rule.peers {
                peers.truncate(1);
            }
        }),
        "block-covers-pods" | "profile-dependent" => rules.for_each(|rule| {
            let block: IpNet = "203.0.113.0/24".parse().unwrap();
            let outside = PeerMatch::Networks(vec![Network { block, except: Vec::new() }]);
            replace(rule, &outside, |peer| matches!(peer, PeerMatch::Networks(_)));
        }),
        "peer-matches-nothing" => rules.for_each(|rule| {
            replace(rule, &everybody(), |peer| {
                matches!(peer, PeerMatch::Pods { .. } | PeerMatch::Nodes(_))
            });
        }),
        "internet-egress" | "world-open-ingress" => rules.for_each(|rule| {
            rule.peers = Peers::Listed(vec![Peer { matches: everybody(), span: None }]);
        }),
        _ => return None,
    }
    Some(())
}

fn replace(rule: &mut Rule, by: &PeerMatch, wanted: impl Fn(&PeerMatch) -> bool) {
    if let Peers::Listed(peers) = &mut rule.peers {
        for peer in peers.iter_mut().filter(|peer| wanted(&peer.matches)) {
            peer.matches = by.clone();
        }
    }
}
