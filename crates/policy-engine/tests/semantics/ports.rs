//! Ports: protocols, ranges, names, and Services in front of them.

use crate::fixture::*;
use policy_engine::ServiceProblem;
use policy_engine::Verdict::{self, Allow, Deny, Undefined};

/// `shop/web`, and `pay/db` with these ports under an ingress rule with these `ports`.
fn to_db(container_ports: &str, ports: &str) -> World {
    let rule = format!("ingress: [{{ports: [{ports}]}}]");
    World::of(&[pod("shop/web"), serving("pay/db", container_ports), policy("pay/p", &rule)])
}

#[track_caller]
fn check_ports(world: &World, rows: &[(&str, Verdict)]) {
    let found: Vec<(&str, Verdict)> = rows
        .iter()
        .map(|(port, _)| (*port, world.decide("shop/web", "pay/db", port).verdict))
        .collect();
    assert_eq!(found, rows);
}

/// A port without a protocol is TCP.
#[test]
fn protocol_missing_is_tcp() {
    let world = to_db("", "{port: 53}");
    check_ports(&world, &[("53/tcp", Allow), ("53/udp", Deny), ("53/sctp", Deny)]);
}

/// A protocol without a port is all its ports, and nothing of another protocol.
#[test]
fn a_protocol_without_a_port_is_all_its_ports_and_nothing_else() {
    let world = to_db("", "{protocol: UDP}");
    check_ports(
        &world,
        &[
            ("1/udp", Allow),
            ("65535/udp", Allow),
            ("80/tcp", Deny),
            ("53/tcp", Deny),
            ("80/sctp", Deny),
        ],
    );
    assert_eq!(world.map()[0], "pay/db → shop/web: all");
    assert_eq!(world.map()[1], "shop/web → pay/db: all/udp");
}

/// `endPort` is the last port of the range, needs a number in `port`, and is not below it.
#[test]
fn end_port_is_inclusive_and_needs_a_number_not_above_it() {
    let world = to_db("", "{port: 80, endPort: 82}, {port: 90, endPort: 90}");
    check_ports(
        &world,
        &[
            ("79/tcp", Deny),
            ("80/tcp", Allow),
            ("82/tcp", Allow),
            ("83/tcp", Deny),
            ("90/tcp", Allow),
            ("81/udp", Deny),
        ],
    );
    let refused = |port: &str| refused(broken_policy(&format!("ingress: [{{ports: [{port}]}}]")));
    assert_eq!(refused("{port: 81, endPort: 80}"), ["4:47 end-port-below-port `80`"]);
    assert_eq!(refused("{port: web, endPort: 80}"), ["4:48 end-port-without-port `80`"]);
    assert_eq!(refused("{endPort: 80}"), ["4:37 end-port-without-port `80`"]);
}

/// A range of a ClusterNetworkPolicy ends strictly above its start.
#[test]
fn a_range_of_a_cluster_policy_ends_above_its_start() {
    let policy = |start: u16, end: u16| {
        let ports =
            format!("{{tcp: {{destinationPort: {{range: {{start: {start}, end: {end}}}}}}}}}");
        cluster_policy(
            "p",
            &format!(
                "tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, \
                 ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{ports}]}}]"
            ),
        )
    };
    let world = World::of(&[pod("shop/web"), pod("pay/db"), policy(80, 81)]);
    check_ports(
        &world,
        &[("79/tcp", Allow), ("80/tcp", Deny), ("81/tcp", Deny), ("82/tcp", Allow)],
    );
    for end in [80, 79] {
        let found = refused(policy(80, end));
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with(&format!("end-port-below-port `{end}`")), "{found:?}");
    }
}

/// A name is resolved on the destination, on each pod for itself, and never on the source.
#[test]
fn a_named_port_is_resolved_on_each_destination() {
    let rule = "{ports: [{port: http}]}";
    let documents = |policies: &[String]| {
        let pods = [
            serving("shop/web", "{name: http, containerPort: 1111}"),
            serving("pay/a", "{name: http, containerPort: 80}"),
            serving("pay/b", "{name: http, containerPort: 8080}"),
        ];
        World::of(&[&pods[..], policies].concat())
    };
    let ingress = documents(&[policy("pay/p", &format!("ingress: [{rule}]"))]);
    let egress =
        documents(&[policy("shop/p", &format!("policyTypes: [Egress], egress: [{rule}]"))]);
    for world in [ingress, egress] {
        world.check(&[
            ("shop/web", "pay/a", "80/tcp", Allow),
            ("shop/web", "pay/a", "8080/tcp", Deny),
            ("shop/web", "pay/a", "1111/tcp", Deny),
            ("shop/web", "pay/b", "8080/tcp", Allow),
            ("shop/web", "pay/b", "80/tcp", Deny),
        ]);
    }
}

/// A name with another protocol, or that the pod does not serve, matches nothing.
#[test]
fn a_named_port_of_another_protocol_or_not_served_matches_nothing() {
    let served = "{name: dns, containerPort: 53, protocol: UDP}";
    check_ports(&to_db(served, "{port: dns}"), &[("53/tcp", Deny), ("53/udp", Deny)]);
    let udp = to_db(served, "{port: dns, protocol: UDP}");
    check_ports(&udp, &[("53/tcp", Deny), ("53/udp", Allow), ("54/udp", Deny)]);
    let unserved = to_db("{containerPort: 80}", "{port: http}");
    check_ports(&unserved, &[("80/tcp", Deny), ("1/tcp", Deny), ("65535/tcp", Deny)]);
    assert_eq!(unserved.map(), ["pay/db → shop/web: all"]);
}

/// One name on two ports of a pod: each counts, with its own protocol and number.
#[test]
fn a_name_that_stands_twice_in_a_pod_counts_twice() {
    let both = "{name: dns, containerPort: 53, protocol: UDP}]}, {name: d, ports: \
                [{name: dns, containerPort: 5353, protocol: TCP}]}, {name: e, ports: \
                [{name: dns, containerPort: 5454, protocol: TCP}";
    let world = to_db(both, "{port: dns}, {port: dns, protocol: UDP}");
    check_ports(
        &world,
        &[
            ("53/udp", Allow),
            ("5353/tcp", Allow),
            ("5454/tcp", Allow),
            ("53/tcp", Deny),
            ("5353/udp", Deny),
        ],
    );
    check_ports(&to_db(both, "{port: dns}"), &[("53/udp", Deny), ("5454/tcp", Allow)]);
}

/// A name beside an `ipBlock` or without peers is legal: it matches pods that serve it, nothing else.
#[test]
fn a_named_port_with_ip_block_or_no_peer_matches_only_pods_that_serve_it() {
    for to in ["", "to: [], ", "to: [{ipBlock: {cidr: 0.0.0.0/0}}], "] {
        let rule = format!("policyTypes: [Egress], egress: [{{{to}ports: [{{port: http}}]}}]");
        let world = World::of(&[
            pod("shop/web"),
            serving("pay/db", "{name: http, containerPort: 80}"),
            serving("pay/log", "{name: log, containerPort: 80}"),
            policy("shop/p", &rule),
        ]);
        world.check(&[
            ("shop/web", "pay/db", "80/tcp", Allow),
            ("shop/web", "pay/db", "81/tcp", Deny),
            ("shop/web", "pay/log", "80/tcp", Deny),
            ("shop/web", "203.0.113.7", "80/tcp", Deny),
        ]);
    }
}

/// In a ClusterNetworkPolicy a name stands only beside pods.
#[test]
fn a_named_port_of_a_cluster_policy_beside_networks_nodes_or_domain_names_is_refused() {
    for peer in ["networks: [10.0.0.0/8]", "nodes: {}", "domainNames: [a.example.com]"] {
        let spec = format!(
            "tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{{action: Accept, \
             to: [{{{peer}}}], protocols: [{{destinationNamedPort: http}}]}}]"
        );
        let found = refused(cluster_policy("p", &spec));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(" named-port-without-pods `[{destinationNamedPort: http}]`"));
    }
}

/// A name in a cluster-scoped policy has the pod's protocol, whatever its suffix says.
#[test]
fn a_named_port_of_a_cluster_scoped_policy_has_the_pods_protocol() {
    let subject = "subject: {namespaces: {}}";
    let deny = "action: Deny, from: [{namespaces: {}}]";
    let v1alpha2 = cluster_policy(
        "p",
        &format!(
            "tier: Admin, priority: 1, {subject}, \
             ingress: [{{{deny}, protocols: [{{destinationNamedPort: dns-tcp}}]}}]"
        ),
    );
    let v1alpha1 = admin_policy(
        "p",
        &format!("priority: 1, {subject}, ingress: [{{{deny}, ports: [{{namedPort: dns-tcp}}]}}]"),
    );
    for policy in [v1alpha2, v1alpha1] {
        let served = "{name: dns-tcp, containerPort: 53, protocol: UDP}";
        let world = World::of(&[pod("shop/web"), serving("pay/db", served), policy]);
        check_ports(&world, &[("53/udp", Deny), ("53/tcp", Allow), ("54/udp", Allow)]);
    }
}

/// SCTP is a protocol of its own: a rule for it opens no TCP, and its policy still isolates.
#[test]
fn sctp_opens_no_tcp_and_still_isolates() {
    let world = to_db("", "{port: 80, protocol: SCTP}");
    check_ports(
        &world,
        &[("80/sctp", Allow), ("80/tcp", Deny), ("80/udp", Deny), ("81/sctp", Deny)],
    );
}

fn with_service(egress: &str) -> [String; 4] {
    let database = "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: pay, \
                    labels: {app: db}}, status: {podIP: 10.0.0.2}}";
    let ports = "clusterIP: 10.96.0.9, ports: [{port: 80, targetPort: 8080}]";
    [
        pod_at("shop/web", "10.0.0.1"),
        database.to_owned(),
        service("pay/db", &format!("selector: {{app: db}}, {ports}")),
        policy("shop/p", &format!("policyTypes: [Egress], egress: [{egress}]")),
    ]
}

/// Egress ports are the pod's, after the Service's address was translated.
#[test]
fn the_egress_port_is_the_pods_and_not_the_services() {
    let by_port = |port: u16| World::of(&with_service(&format!("{{ports: [{{port: {port}}}]}}")));
    let of_pod = by_port(8080);
    of_pod.check_through("shop/web", "pay/db", "80/tcp", Allow);
    of_pod.check(&[("shop/web", "pay/db", "8080/tcp", Allow)]);
    by_port(80).check_through("shop/web", "pay/db", "80/tcp", Deny);
    let of_pods = World::of(&with_service("{to: [{namespaceSelector: {}}], ports: [{port: 80}]}"));
    of_pods.check_through("shop/web", "pay/db", "80/tcp", Deny);
}

/// Who the backend is does not depend on the Service in front of it.
#[test]
fn a_denied_backend_is_denied_through_its_service() {
    let deny = cluster_policy(
        "p",
        "tier: Admin, priority: 1, subject: {namespaces: {}}, \
         egress: [{action: Deny, to: [{pods: {podSelector: {matchLabels: {app: db}}}}]}]",
    );
    let world = World::of(&[&with_service("{}")[..], &[deny]].concat());
    world.check(&[("shop/web", "pay/db", "8080/tcp", Deny)]);
    world.check_through("shop/web", "pay/db", "80/tcp", Deny);
}

/// Whether an `ipBlock` sees a Service's address or the backend's is not defined.
#[test]
fn an_ip_block_that_only_the_services_address_is_in_is_undefined() {
    let documents = with_service("{to: [{ipBlock: {cidr: 10.96.0.0/16}}]}");
    let decision = World::of(&documents).through("shop/web", "pay/db", "80/tcp").unwrap();
    let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
    assert_eq!((decision.verdict, reasons), (Undefined, vec!["service-address"]));
    World::cilium(&documents).check_through("shop/web", "pay/db", "80/tcp", Deny);
}

/// The doubt is the same where a block refuses the Service's address, or admits only the backend's.
#[test]
fn a_block_that_only_one_of_both_addresses_is_in_is_undefined_whatever_it_does() {
    let deny = |block: &str| {
        let rule = format!("egress: [{{action: Deny, to: [{{networks: [{block}]}}]}}]");
        let spec =
            |tier| format!("tier: {tier}, priority: 1, subject: {{namespaces: {{}}}}, {rule}");
        ["Admin", "Baseline"].map(|tier| cluster_policy("p", &spec(tier)))
    };
    let [client, backend, service, _] = with_service("{}");
    let behind = |policy: String| [client.clone(), backend.clone(), service.clone(), policy];
    let of_service = deny("10.96.0.0/16").map(behind);
    let of_backend = deny("10.0.0.2/32").map(behind);
    let check = |documents: &[String], under_cilium| {
        let decision = World::of(documents).through("shop/web", "pay/db", "80/tcp").unwrap();
        let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
        assert_eq!((decision.verdict, reasons), (Undefined, vec!["service-address"]));
        World::cilium(documents).check_through("shop/web", "pay/db", "80/tcp", under_cilium);
    };
    of_service.iter().chain(&of_backend).for_each(|documents| check(documents, Allow));
    check(&with_service("{to: [{ipBlock: {cidr: 10.0.0.0/16}}]}"), Deny);
    let both = with_service("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}");
    World::of(&both).check_through("shop/web", "pay/db", "80/tcp", Allow);
}

/// Beside a block, the port is the Service's before DNAT and the pod's after.
#[test]
fn a_block_and_its_port_are_compared_at_the_same_time() {
    let by = |block: &str, port: u16| {
        let rule = format!("{{to: [{{ipBlock: {{cidr: {block}}}}}], ports: [{{port: {port}}}]}}");
        let world = World::of(&with_service(&rule));
        world.through("shop/web", "pay/db", "80/tcp").unwrap().verdict
    };
    assert_eq!(by("10.96.0.0/16", 80), Undefined);
    assert_eq!(by("10.96.0.0/16", 8080), Deny);
    assert_eq!(by("10.0.0.2/32", 8080), Undefined);
    assert_eq!(by("10.0.0.2/32", 80), Deny);
}

/// Ports of all containers count, and of native sidecars among the init containers; `hostPort` opens
/// nothing and names nothing.
#[test]
fn ports_of_sidecars_count_and_of_other_init_containers_do_not() {
    let spec = "spec: {containers: [{name: a, ports: [{name: one, containerPort: 1}]}, \
                {name: b, ports: [{name: two, containerPort: 2, hostPort: 22}]}], \
                initContainers: [{name: side, restartPolicy: Always, \
                ports: [{name: mesh, containerPort: 3}]}, \
                {name: once, ports: [{name: setup, containerPort: 4}]}]}";
    let rule = "ingress: [{ports: [{port: one}, {port: two}, {port: mesh}, {port: setup}]}]";
    let world =
        World::of(&[pod("shop/web"), object("v1", "Pod", "pay/db", spec), policy("pay/p", rule)]);
    check_ports(
        &world,
        &[("1/tcp", Allow), ("2/tcp", Allow), ("22/tcp", Deny), ("3/tcp", Allow), ("4/tcp", Deny)],
    );
}

/// A backend's UDP port is not a TCP port, neither of its Service nor of its pods.
#[test]
fn udp_ports_of_a_backend_are_not_tcp() {
    let backend = "{apiVersion: v1, kind: Pod, metadata: {name: dns, namespace: ops, \
                   labels: {app: dns}}, spec: {containers: [{name: c, ports: \
                   [{name: dns, containerPort: 53, protocol: UDP}]}]}}";
    let ports = "ports: [{name: dns, port: 53, targetPort: dns, protocol: UDP}]";
    let world = World::of(&[
        backend.to_owned(),
        service("ops/dns", &format!("selector: {{app: dns}}, {ports}")),
        policy("ops/p", "ingress: [{ports: [{port: dns, protocol: UDP}]}]"),
    ]);
    world.check_through("203.0.113.7", "ops/dns", "53/udp", Allow);
    assert_eq!(world.through("203.0.113.7", "ops/dns", "53/tcp"), Err(ServiceProblem::NoSuchPort));
    world.check(&[
        ("203.0.113.7", "ops/dns", "53/udp", Allow),
        ("203.0.113.7", "ops/dns", "53/tcp", Deny),
    ]);
}
