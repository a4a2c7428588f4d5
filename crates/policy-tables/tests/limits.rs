//! What does not fit is reported and denied, and nothing of it is written.
#![expect(clippy::unwrap_used, reason = "a table without what it names is a broken test")]

use net_types::{PortRange, Protocol};
use policy_engine::{Assumptions, PodId, Program, Semantics};
use policy_model::{
    Action, ContainerPort, Direction, NamespaceScope, Network, PeerMatch, Peers, Pod, Policy,
    PolicyId, PolicyKind, PortMatch, PortSpec, Ports, Rule, Snapshot, Subject, Tier,
};
use policy_oracle::worlds::{objects, put_pod, put_policy};
use policy_tables::{LocalPod, MAX_RULES, Modes, Problem, ProfileId, RuleOrigin, Tables};
use std::net::IpAddr;

fn pod_at(name: &str, labels: &[(&str, &str)], host: u8) -> Pod {
    Pod { addresses: vec![IpAddr::from([10, 0, 0, host])], ..objects::pod("shop", name, labels) }
}

fn rule(peers: Peers, ports: Ports) -> Rule {
    Rule { name: None, action: Action::Accept, peers, ports, span: None }
}

fn to_port(port: u16) -> Ports {
    let range = PortRange::single(port).unwrap();
    let matches = PortMatch::Numbers { protocol: Protocol::Tcp, range };
    Ports::Listed(vec![PortSpec { matches, span: None }])
}

fn to_name(name: &str) -> Ports {
    let matches = PortMatch::Named { protocol: Some(Protocol::Tcp), name: name.to_owned() };
    Ports::Listed(vec![PortSpec { matches, span: None }])
}

fn policy(ingress: Option<Vec<Rule>>, egress: Option<Vec<Rule>>) -> Policy {
    Policy {
        id: PolicyId {
            kind: PolicyKind::NetworkPolicy,
            namespace: Some("shop".into()),
            name: "web".into(),
        },
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject: Subject {
            namespaces: NamespaceScope::Own("shop".into()),
            pods: objects::selector(&[("app", "web")]),
        },
        ingress,
        egress,
        span: None,
    }
}

fn snapshot(pods: Vec<Pod>, policy: Policy) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.namespaces.insert("shop".into(), objects::namespace("shop", &[]));
    pods.into_iter().for_each(|pod| put_pod(&mut snapshot, pod));
    put_policy(&mut snapshot, policy);
    snapshot
}

fn built(snapshot: Snapshot) -> (PodId, Tables) {
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let (web, _) = program.pods().find(|(_, pod)| pod.name == "web").unwrap();
    let tables = Tables::build(&program, &[LocalPod { pod: web }], &Modes::default(), None);
    (web, tables)
}

fn ingress_rules(n_rules: u16) -> Policy {
    let rules = (1..=n_rules).map(|port| {
        let network = Network { block: "10.0.0.0/8".parse().unwrap(), except: Vec::new() };
        rule(Peers::Listed(vec![objects::peer(PeerMatch::Networks(vec![network]))]), to_port(port))
    });
    policy(Some(rules.collect()), None)
}

#[test]
fn a_thousand_and_twenty_four_rules_fit_and_one_more_denies_that_direction() {
    let pods = || vec![pod_at("web", &[("app", "web")], 1), pod_at("db", &[], 2)];
    // The default deny is a rule too.
    let (web, tables) = built(snapshot(pods(), ingress_rules(1023)));
    assert_eq!(tables.problems(), []);
    let table = &tables.profiles()[&tables.pods()[&web].ingress];
    assert_eq!((table.n_rules(), table.words().len()), (MAX_RULES, 16));
    let db = IpAddr::from([10, 0, 0, 2]);
    let found = tables.evaluate(tables.pods()[&web].ingress, db, Protocol::Tcp, 1023).unwrap();
    assert_eq!(found.enforced.rule, Some(1022));

    let (web, tables) = built(snapshot(pods(), ingress_rules(1024)));
    let [Problem::TooManyRules { side, n_rules: 1025 }] = tables.problems() else {
        panic!("{:?}", tables.problems());
    };
    assert_eq!(
        (side.pods.as_slice(), side.direction),
        (&["shop/web".to_owned()][..], Direction::Ingress)
    );
    assert_eq!(side.policies[0].to_string(), "NetworkPolicy shop/web");
    assert_eq!(tables.pods()[&web].ingress, ProfileId::DENY_EVERYTHING);
    assert_ne!(tables.pods()[&web].egress, ProfileId::DENY_EVERYTHING);
    let found = tables.evaluate(ProfileId::DENY_EVERYTHING, db, Protocol::Tcp, 1).unwrap();
    assert!(!found.enforced.allow && !found.observed.allow && !found.staged.allow);
    assert!(tables.networks().is_empty(), "rules that are not written split no class");
}

#[test]
fn a_port_name_is_a_rule_for_each_number_that_some_admitted_pod_gives_it() {
    let serving = |name: &str, labels: &[(&str, &str)], host: u8, port: u16| Pod {
        ports: vec![ContainerPort { name: Some("http".into()), protocol: Protocol::Tcp, port }],
        ..pod_at(name, labels, host)
    };
    let peers = Peers::Listed(vec![objects::peer(objects::pods(&[("app", "api")]))]);
    let pods = vec![
        pod_at("web", &[("app", "web")], 1),
        serving("a", &[("app", "api")], 2, 80),
        serving("b", &[("app", "api")], 3, 8080),
        serving("c", &[("app", "other")], 4, 9090),
    ];
    let (web, tables) =
        built(snapshot(pods, policy(None, Some(vec![rule(peers, to_name("http"))]))));
    let id = tables.pods()[&web].egress;
    let origins: Vec<String> =
        tables.profiles()[&id].rules().iter().map(ToString::to_string).collect();
    assert_eq!(
        origins,
        [
            "NetworkPolicy shop/web egress[0]",
            "NetworkPolicy shop/web egress[0] (80/TCP)",
            "NetworkPolicy shop/web egress[0] (8080/TCP)",
            "NetworkPolicy shop/web, of which no egress rule matches",
        ]
    );
    let allowed = |host, port| {
        let peer = IpAddr::from([10, 0, 0, host]);
        tables.evaluate(id, peer, Protocol::Tcp, port).unwrap().enforced.allow
    };
    assert!(allowed(2, 80) && allowed(3, 8080));
    assert!(!allowed(2, 8080) && !allowed(3, 80) && !allowed(4, 9090));
}

#[test]
fn a_block_of_ipv6_says_nothing_of_ipv4_though_the_kernel_keeps_both_in_one_table() {
    let network = |block: &str| Network { block: block.parse().unwrap(), except: Vec::new() };
    let blocks = ["::/0", "::ffff:10.0.0.0/104"]
        .map(|block| objects::peer(PeerMatch::Networks(vec![network(block)])));
    let rules = vec![rule(Peers::Listed(blocks.into()), Ports::All)];
    let (_, tables) =
        built(snapshot(vec![pod_at("web", &[("app", "web")], 1)], policy(None, Some(rules))));
    let networks: Vec<String> =
        tables.networks().iter().map(|(net, class)| format!("{net} {}", class.0)).collect();
    assert_eq!(networks, ["0.0.0.0/0 0", "::/0 1"]);
}

#[test]
fn pods_without_an_interface_of_their_own_are_reported() {
    let on_host = Pod { host_network: true, ..pod_at("web", &[("app", "web")], 1) };
    let (_, tables) = built(snapshot(vec![on_host], policy(None, Some(Vec::new()))));
    assert_eq!(tables.problems(), [Problem::OnHostNetwork { pod: "shop/web".into() }]);
    assert!(tables.pods().is_empty());

    let program = Program::compile(Snapshot::default(), Assumptions::new(Semantics::Upstream));
    let nobody = PodId::from_index(7);
    let tables = Tables::build(&program, &[LocalPod { pod: nobody }], &Modes::default(), None);
    assert_eq!(tables.problems(), [Problem::UnknownPod { pod: nobody }]);
    let denied = tables.pods()[&nobody];
    assert_eq!([denied.ingress, denied.egress], [ProfileId::DENY_EVERYTHING; 2]);
    let rules = tables.profiles()[&ProfileId::DENY_EVERYTHING].rules();
    assert_eq!(rules, [RuleOrigin::DenyEverything]);
}
