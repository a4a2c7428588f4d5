//! Small worlds for tests, one object, rule, peer or port a line:
//!
//! ```text
//! namespace shop team=a            node n1 10.0.0.1
//! pod shop/web app=web :http=8080/tcp @10.1.0.3 !host !on=n1    deployment shop/web app=web
//! service shop/web app=web :80->8080/tcp !external               ingress-entry shop/web backend=web:80 class=nginx
//! policy shop/web app=web          admin guard 10 ns:team=a      baseline floor 10 ns:*
//! egress                           ingress                       (the direction that follows)
//! rule                             rule deny
//! pods app=web                     pods ns:team=a app=web        pods ns:*       block 10.0.0.0/8 -10.1.0.0/16
//! port 80-90/tcp                   port http/tcp                 port */udp
//! ```
//!
//! `## code, code` at the end of a line says which findings start there.

use finding_model::{SourceFiles, SourceSpan};
use net_types::{PortRange, Protocol};
use policy_model::{
    Action, Backend, BackendPort, ContainerPort, Direction, Entry, EntryKind, LabelSelector,
    Labels, Namespace, NamespaceScope, Network, Node, Operator, Peer, PeerMatch, Peers, Pod,
    PodOrigin, Policy, PolicyId, PolicyKind, PortMatch, PortSpec, Ports, Requirement, Rule,
    Service, ServiceKind, ServicePort, Snapshot, Subject, TargetPort, Tier, WorkloadKind,
    WorkloadRef,
};

pub(crate) struct Fixture {
    pub(crate) snapshot: Snapshot,
    /// (line, code), sorted.
    pub(crate) expected: Vec<(u32, String)>,
}

struct Reader {
    snapshot: Snapshot,
    policy: Option<Policy>,
    direction: Direction,
}

pub(crate) fn read(text: &str) -> Fixture {
    let file = SourceFiles::default().add("fixture".to_owned());
    let mut reader =
        Reader { snapshot: Snapshot::default(), policy: None, direction: Direction::Ingress };
    let mut expected = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = u32::try_from(index).unwrap() + 1;
        let (content, codes) = line.split_once("##").unwrap_or((line, ""));
        let codes = codes.split(',').map(str::trim).filter(|code| !code.is_empty());
        expected.extend(codes.map(|code| (number, code.to_owned())));
        let words: Vec<&str> = content.split_whitespace().collect();
        let span = SourceSpan { file, line: number, column: 1, length: 1 };
        if let [keyword, words @ ..] = words.as_slice() {
            reader.line(keyword, words, span);
        }
    }
    reader.finish_policy();
    let mut snapshot = reader.snapshot;
    let named: Vec<String> = snapshot.pods.iter().map(|pod| pod.namespace.clone()).collect();
    let policies = snapshot.policies.keys().filter_map(|id| id.namespace.clone());
    for name in named.into_iter().chain(policies).collect::<Vec<_>>() {
        snapshot.namespaces.entry(name.clone()).or_insert_with(|| Namespace::implied(&name));
    }
    snapshot.pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    expected.sort();
    Fixture { snapshot, expected }
}

fn path(text: &str) -> (String, String) {
    let (namespace, name) = text.split_once('/').unwrap();
    (namespace.to_owned(), name.to_owned())
}

fn labels(words: &[&str]) -> Labels {
    words
        .iter()
        .filter(|w| !w.starts_with([':', '@', '!']))
        .filter_map(|w| w.split_once('='))
        .collect()
}

fn requirement(word: &str) -> Requirement {
    if let Some((key, value)) = word.split_once("!=") {
        let operator = Operator::NotIn([value.to_owned()].into());
        return Requirement { key: key.to_owned(), operator };
    }
    match word.split_once('=') {
        Some((key, value)) => Requirement::equals(key, value),
        None => Requirement { key: word.to_owned(), operator: Operator::Exists },
    }
}

fn selection(words: &[&str], own: Option<&str>) -> (NamespaceScope, LabelSelector) {
    let scoped: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("ns:")).collect();
    let scope = match (scoped.as_slice(), own) {
        ([], Some(own)) => NamespaceScope::Own(own.to_owned()),
        ([] | ["*"], _) => NamespaceScope::Selected(LabelSelector::EVERYTHING),
        (list, _) => NamespaceScope::Selected(list.iter().map(|word| requirement(word)).collect()),
    };
    let pods = words.iter().filter(|word| !word.starts_with("ns:"));
    (scope, pods.map(|word| requirement(word)).collect())
}

fn option<'a>(words: &[&'a str], prefix: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(prefix))
}

fn protocol(text: &str) -> Protocol {
    text.parse().unwrap()
}

impl Reader {
    fn line(&mut self, keyword: &str, words: &[&str], span: SourceSpan) {
        match keyword {
            "namespace" => {
                let mut namespace = Namespace::implied(words[0]);
                namespace.labels.0.extend(labels(&words[1..]).0);
                namespace.span = Some(span);
                self.snapshot.namespaces.insert(words[0].to_owned(), namespace);
            }
            "node" => {
                let node = Node {
                    name: words[0].to_owned(),
                    labels: labels(&words[2..]),
                    addresses: vec![words[1].parse().unwrap()],
                    span: Some(span),
                };
                self.snapshot.nodes.insert(node.name.clone(), node);
            }
            "pod" => self.pod(WorkloadKind::Pod, words, span),
            "deployment" => self.pod(WorkloadKind::Deployment, words, span),
            "service" => self.service(words, span),
            "ingress-entry" => self.entry(EntryKind::Ingress, words, span),
            "route" => self.entry(EntryKind::HttpRoute, words, span),
            "policy" => {
                let (namespace, name) = path(words[0]);
                let (namespaces, pods) = selection(&words[1..], Some(&namespace));
                let id =
                    PolicyId { kind: PolicyKind::NetworkPolicy, namespace: Some(namespace), name };
                self.start_policy(id, (Tier::NetworkPolicy, 0), Subject { namespaces, pods }, span);
            }
            "admin" | "baseline" => {
                let tier = if keyword == "admin" { Tier::Admin } else { Tier::Baseline };
                let (namespaces, pods) = selection(&words[2..], None);
                let kind = PolicyKind::ClusterNetworkPolicy;
                let id = PolicyId { kind, namespace: None, name: words[0].to_owned() };
                let place = (tier, words[1].parse().unwrap());
                self.start_policy(id, place, Subject { namespaces, pods }, span);
            }
            "ingress" => {
                self.direction = Direction::Ingress;
                self.policy.as_mut().unwrap().ingress.get_or_insert_default();
            }
            "egress" => {
                self.direction = Direction::Egress;
                self.policy.as_mut().unwrap().egress.get_or_insert_default();
            }
            "rule" => {
                let action = match words.first().copied() {
                    None | Some("accept") => Action::Accept,
                    Some("deny") => Action::Deny,
                    Some("pass") => Action::Pass,
                    Some(other) => panic!("no action {other}"),
                };
                let rule = Rule {
                    name: None,
                    action,
                    peers: Peers::Any,
                    ports: Ports::All,
                    span: Some(span),
                };
                self.rules().push(rule);
            }
            "pods" => {
                let own = self.policy.as_ref().unwrap().id.namespace.clone();
                let (namespaces, pods) = selection(words, own.as_deref());
                self.peer(PeerMatch::Pods { namespaces, pods }, span);
            }
            "block" => {
                let except = words[1..]
                    .iter()
                    .map(|word| word.trim_start_matches('-').parse().unwrap())
                    .collect();
                let network = Network { block: words[0].parse().unwrap(), except };
                self.peer(PeerMatch::Networks(vec![network]), span);
            }
            "port" => self.port(words[0], span),
            other => panic!("no such line: {other}"),
        }
    }

    fn pod(&mut self, kind: WorkloadKind, words: &[&str], span: SourceSpan) {
        let (namespace, name) = path(words[0]);
        let ports = words.iter().filter_map(|word| word.strip_prefix(':')).map(|word| {
            let (port, protocol_name) = word.split_once('/').unwrap();
            let (name, number) = match port.split_once('=') {
                Some((name, number)) => (Some(name.to_owned()), number),
                None => (None, port),
            };
            ContainerPort { name, protocol: protocol(protocol_name), port: number.parse().unwrap() }
        });
        let workload = WorkloadRef { namespace: namespace.clone(), name: name.clone(), kind };
        self.snapshot.pods.push(Pod {
            namespace,
            name,
            workload,
            origin: if kind == WorkloadKind::Pod { PodOrigin::Live } else { PodOrigin::Template },
            labels: labels(&words[1..]),
            addresses: option(words, "@").map(|a| a.parse().unwrap()).into_iter().collect(),
            host_network: words.contains(&"!host"),
            node: option(words, "!on=").map(str::to_owned),
            ports: ports.collect(),
            span: Some(span),
        });
    }

    fn service(&mut self, words: &[&str], span: SourceSpan) {
        let (namespace, name) = path(words[0]);
        let selector: Vec<&str> =
            words[1..].iter().copied().filter(|w| !w.starts_with([':', '!', '@'])).collect();
        let ports = words.iter().filter_map(|word| word.strip_prefix(':')).map(|word| {
            let (port, rest) = word.split_once("->").unwrap();
            let (target, protocol_name) = rest.split_once('/').unwrap();
            ServicePort {
                name: None,
                protocol: protocol(protocol_name),
                port: port.parse().unwrap(),
                target: match target.parse() {
                    Ok(number) => TargetPort::Number(number),
                    Err(_) => TargetPort::Name(target.to_owned()),
                },
                span: Some(span),
            }
        });
        let kind = if words.contains(&"!headless") {
            ServiceKind::Headless
        } else {
            ServiceKind::ClusterIp { addresses: Vec::new() }
        };
        self.snapshot.services.push(Service {
            namespace,
            name,
            kind,
            external: words.contains(&"!external"),
            selector: (!selector.is_empty()).then(|| selection(&selector, Some("")).1),
            ports: ports.collect(),
            span: Some(span),
        });
    }

    fn entry(&mut self, kind: EntryKind, words: &[&str], span: SourceSpan) {
        let (namespace, name) = path(words[0]);
        let (service, port) = option(words, "backend=").unwrap().split_once(':').unwrap();
        let backend = Backend {
            namespace: namespace.clone(),
            service: service.to_owned(),
            port: Some(BackendPort::Number(port.parse().unwrap())),
            span: Some(span),
        };
        self.snapshot.entries.push(Entry {
            kind,
            namespace,
            name,
            controllers: option(words, "class=").map(str::to_owned).into_iter().collect(),
            hosts: Vec::new(),
            backends: vec![backend],
            span: Some(span),
        });
    }

    fn start_policy(
        &mut self,
        id: PolicyId,
        (tier, priority): (Tier, u16),
        subject: Subject,
        span: SourceSpan,
    ) {
        self.finish_policy();
        let (ingress, egress) = (None, None);
        self.policy =
            Some(Policy { id, tier, priority, subject, ingress, egress, span: Some(span) });
    }

    fn finish_policy(&mut self) {
        if let Some(policy) = self.policy.take() {
            self.snapshot.policies.insert(policy.id.clone(), policy);
        }
    }

    fn rules(&mut self) -> &mut Vec<Rule> {
        let policy = self.policy.as_mut().unwrap();
        match self.direction {
            Direction::Ingress => policy.ingress.as_mut().unwrap(),
            Direction::Egress => policy.egress.as_mut().unwrap(),
        }
    }

    fn peer(&mut self, matches: PeerMatch, span: SourceSpan) {
        let peer = Peer { matches, span: Some(span) };
        let rule = self.rules().last_mut().unwrap();
        match &mut rule.peers {
            Peers::Any => rule.peers = Peers::Listed(vec![peer]),
            Peers::Listed(peers) => peers.push(peer),
        }
    }

    fn port(&mut self, word: &str, span: SourceSpan) {
        let (port, protocol_name) = word.split_once('/').unwrap();
        let protocol = protocol(protocol_name);
        let number = |text: &str| text.parse::<u16>().ok();
        let (first, last) = port.split_once('-').unwrap_or((port, port));
        let matches = match (number(first), number(last)) {
            (Some(first), Some(last)) => {
                PortMatch::Numbers { protocol, range: PortRange::new(first, last).unwrap() }
            }
            _ if port == "*" => PortMatch::Numbers { protocol, range: PortRange::ALL },
            _ => PortMatch::Named { protocol: Some(protocol), name: port.to_owned() },
        };
        let spec = PortSpec { matches, span: Some(span) };
        let rule = self.rules().last_mut().unwrap();
        match &mut rule.ports {
            Ports::All => rule.ports = Ports::Listed(vec![spec]),
            Ports::Listed(specs) => specs.push(spec),
        }
    }
}
