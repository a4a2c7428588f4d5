//! Who is a subject of policies, and who a peer.

use crate::fixture::*;
use net_types::Protocol;
use policy_engine::Verdict::{Allow, Deny, Undefined};
use policy_engine::{Cause, EndSet, Granularity, MapPeer};

/// `shop/web` on n1, and `ops/agent` on the host network of n2.
fn hosts(policies: &[String]) -> Vec<String> {
    let mut documents = vec![
        node("n1", "", "172.18.0.1"),
        node("n2", "zone: b", "172.18.0.2"),
        pod_on("shop/web", "n1", "10.0.0.1"),
        host_pod("ops/agent", "n2", "172.18.0.2"),
    ];
    documents.extend_from_slice(policies);
    documents
}

/// How NetworkPolicy treats a host-network pod as subject is left open.
#[test]
fn a_host_network_pod_as_subject_of_a_network_policy_is_undefined() {
    let documents = hosts(&[policy("ops/p", "ingress: [], egress: []")]);
    let world = World::of(&documents);
    world.check_undefined("shop/web", "ops/agent", "80/tcp", "host-network");
    world.check_undefined("ops/agent", "203.0.113.7", "80/tcp", "host-network");
    World::cilium(&documents).check(&[
        ("shop/web", "ops/agent", "80/tcp", Allow),
        ("ops/agent", "203.0.113.7", "80/tcp", Allow),
    ]);
}

/// How NetworkPolicy treats a host-network pod as peer is left open, unless an `ipBlock` has it.
#[test]
fn a_host_network_pod_as_peer_of_a_network_policy_is_undefined() {
    let pods = hosts(&[policy("shop/p", "ingress: [{from: [{namespaceSelector: {}}]}]")]);
    World::of(&pods).check_undefined("ops/agent", "shop/web", "80/tcp", "host-network");
    World::cilium(&pods).check(&[("ops/agent", "shop/web", "80/tcp", Deny)]);
    let block = hosts(&[policy("shop/p", "ingress: [{from: [{ipBlock: {cidr: 172.18.0.0/16}}]}]")]);
    World::of(&block).check(&[("ops/agent", "shop/web", "80/tcp", Allow)]);
}

fn admin(rules: &str) -> String {
    cluster_policy(
        "p",
        &format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {rules}"),
    )
}

/// Cluster-scoped policies never select a host-network pod, as subject or as pods peer.
#[test]
fn cluster_scoped_policies_never_select_host_network_pods() {
    let everything = "egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}], \
                      ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let documents = hosts(&[admin(everything)]);
    World::of(&documents).check(&[
        ("ops/agent", "203.0.113.7", "80/tcp", Allow),
        ("ops/agent", "shop/web", "80/tcp", Allow),
        ("shop/web", "203.0.113.7", "80/tcp", Deny),
    ]);
    let to_pods = "egress: [{action: Deny, to: [{namespaces: {}}, {pods: {podSelector: {}}}]}]";
    World::of(&hosts(&[admin(to_pods)])).check(&[("shop/web", "ops/agent", "80/tcp", Allow)]);
    let v1alpha1 = "priority: 1, subject: {namespaces: {}}, egress: \
                    [{action: Deny, to: [{namespaces: {}}]}]";
    let world = World::of(&hosts(&[admin_policy("p", v1alpha1)]));
    world.check(&[("shop/web", "ops/agent", "80/tcp", Allow)]);
}

/// Only `nodes` and `networks` reach a host-network pod.
#[test]
fn nodes_and_networks_match_host_network_pods() {
    let rule = |peer: &str| format!("egress: [{{action: Deny, to: [{{{peer}}}]}}]");
    let to_agent = |verdict| [("shop/web", "ops/agent", "80/tcp", verdict)];
    let nodes = hosts(&[admin(&rule("nodes: {matchLabels: {zone: b}}"))]);
    World::of(&nodes).check(&to_agent(Deny));
    World::cilium(&nodes).check(&to_agent(Deny));
    let others = hosts(&[admin(&rule("nodes: {matchLabels: {zone: c}}"))]);
    World::of(&others).check(&to_agent(Allow));
    let networks = hosts(&[admin(&rule("networks: [172.18.0.2/32]"))]);
    World::of(&networks).check(&to_agent(Deny));
    World::cilium(&networks).check(&to_agent(Allow));
}

/// A node that is not in the input may have any labels, but only one value of each.
#[test]
fn a_node_that_is_not_in_the_input_may_have_any_labels() {
    let world = |rules: &str| {
        let documents = [
            pod_on("shop/web", "n1", "10.0.0.1"),
            host_pod("ops/agent", "n9", "172.18.0.9"),
            admin(&format!("egress: [{rules}]")),
        ];
        [World::of(&documents), World::cilium(&documents)]
    };
    let check = |rules: &str, verdict| {
        for world in world(rules) {
            world.check(&[("shop/web", "ops/agent", "80/tcp", verdict)]);
        }
    };
    let deny = |zones: &str| {
        let zone =
            |operator: &str| format!("{{matchExpressions: [{{key: zone, operator: {operator}}}]}}");
        format!("{{action: Deny, to: [{{nodes: {}}}]}}", zone(zones))
    };
    let of_a = deny("In, values: [a]");
    for world in world(&of_a) {
        world.check_undefined("shop/web", "ops/agent", "80/tcp", "node-labels");
    }
    let not_of_a = deny("NotIn, values: [a]");
    check(&format!("{of_a}, {not_of_a}"), Deny);
    check("{action: Deny, to: [{nodes: {}}]}", Deny);
    let of_b = of_a.replace("[a]", "[b]").replace("Deny", "Accept");
    check(&format!("{of_b}, {not_of_a}, {of_a}"), Undefined);
    check(&of_a.replace("Deny", "Accept"), Allow);
}

/// A node always reaches its own pods, before any tier; another node is ordinary traffic.
#[test]
fn a_node_reaches_its_own_pods_and_other_nodes_are_ordinary_traffic() {
    let world = World::of(&hosts(&[policy("shop/p", "ingress: []")]));
    world.check(&[
        ("172.18.0.1", "shop/web", "80/tcp", Allow),
        ("172.18.0.2", "shop/web", "80/tcp", Deny),
        ("203.0.113.7", "shop/web", "80/tcp", Deny),
    ]);
    assert_eq!(world.causes("172.18.0.1", "shop/web", "80/tcp").1, Cause::OwnNode);
    let nowhere = World::of(&[
        node("n1", "", "172.18.0.1"),
        pod_at("shop/web", "10.0.0.1"),
        policy("shop/p", "ingress: []"),
    ]);
    nowhere.check_undefined("172.18.0.1", "shop/web", "80/tcp", "node-locality");
    let local_agent = World::of(&[
        node("n1", "", "172.18.0.1"),
        pod_on("shop/web", "n1", "10.0.0.1"),
        host_pod("ops/agent", "n1", "172.18.0.1"),
        policy("shop/p", "ingress: []"),
    ]);
    local_agent.check(&[("ops/agent", "shop/web", "80/tcp", Allow)]);
}

const DENY_ALL_OF_SHOP: &str = "ingress: [], egress: []";

/// A pod's traffic to its own address is never filtered, and not a row of a map. The template of a
/// workload stands for several pods.
#[test]
fn a_pod_always_reaches_its_own_address() {
    let deny = "egress: [{action: Deny, to: [{namespaces: {}}]}], \
                ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let world = World::of(&[
        pod_at("shop/web", "10.0.0.1"),
        deployment("shop/api", "app: api"),
        policy("shop/p", DENY_ALL_OF_SHOP),
        admin(deny),
    ]);
    world.check(&[
        ("shop/web", "shop/web", "80/tcp", Allow),
        ("shop/web", "10.0.0.1", "80/tcp", Allow),
        ("shop/api", "shop/api", "80/tcp", Deny),
    ]);
    let causes = world.causes("shop/web", "shop/web", "80/tcp");
    assert_eq!(causes, (Cause::SelfTraffic, Cause::SelfTraffic));
    assert!(world.map().is_empty());
}

/// A pod to itself through a Service: undefined where NetworkPolicy denies, denied where a
/// ClusterNetworkPolicy does.
#[test]
fn a_pod_to_itself_through_a_service() {
    let world = |policy: String| {
        World::of(&[
            labelled_pod("shop/web", "app: web"),
            service("shop/web", "selector: {app: web}, ports: [{port: 80}]"),
            policy,
        ])
    };
    let open = world(pod("pay/db"));
    open.check_through("shop/web", "shop/web", "80/tcp", Allow);
    let by_v1 = world(policy("shop/p", DENY_ALL_OF_SHOP));
    let decision = by_v1.through("shop/web", "shop/web", "80/tcp").unwrap();
    let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
    assert_eq!((decision.verdict, reasons), (Undefined, vec!["hairpin"]));
    let by_admin = world(admin("ingress: [{action: Deny, from: [{namespaces: {}}]}]"));
    by_admin.check_through("shop/web", "shop/web", "80/tcp", Deny);
}

/// Admin speaks first: only what it passes on does NetworkPolicy filter, or not.
#[test]
fn a_pod_to_itself_through_a_service_that_admin_may_pass_on() {
    let ranked = |name: &str, action: &str| {
        let rule = format!("ingress: [{{action: {action}, from: [{{namespaces: {{}}}}]}}]");
        cluster_policy(
            name,
            &format!("tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, {rule}"),
        )
    };
    let world = World::of(&[
        labelled_pod("shop/web", "app: web"),
        service("shop/web", "selector: {app: web}, ports: [{port: 80}]"),
        policy("shop/p", "ingress: []"),
        ranked("a", "Deny"),
        ranked("b", "Pass"),
    ]);
    let decision = world.through("shop/web", "shop/web", "80/tcp").unwrap();
    assert_eq!(decision.verdict, Undefined);
}

/// A client of a headless Service connects to the pod itself, so there it is the pod's own traffic.
#[test]
fn a_pod_to_itself_through_a_headless_service_is_self_traffic() {
    let documents = |pod: String| {
        [
            pod,
            service(
                "shop/web",
                "clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: http}]",
            ),
            policy("shop/p", DENY_ALL_OF_SHOP),
        ]
    };
    let live = World::of(&documents(labelled_pod("shop/web", "app: web")));
    live.check_through("shop/web", "shop/web", "80/tcp", Allow);
    let replicas = World::of(&documents(deployment("shop/web", "app: web")));
    replicas.check_through("shop/web", "shop/web", "80/tcp", Deny);
}

/// Whoever of a class asks, only an endpoint of the Service may be led to itself.
#[test]
fn clients_that_no_rule_tells_apart_differ_in_whether_the_service_selects_them() {
    let world = World::of(&[
        labelled_pod("shop/web", "app: web"),
        labelled_pod("shop/other", "app: other"),
        service("shop/web", "selector: {app: web}, ports: [{port: 80}]"),
        policy("shop/p", "ingress: []"),
    ]);
    let pods = world.program.pods().map(|(id, _)| id).collect();
    let from = EndSet { pods, ..EndSet::default() };
    let service = world.program.service("shop", "web").unwrap();
    let answers = world.program.service_answers(&from, service, Protocol::Tcp, 80).unwrap();
    let verdicts: Vec<_> = answers.iter().map(|one| (one.decision.verdict, one.n_pairs)).collect();
    assert_eq!(verdicts, [(Deny, 1), (Undefined, 1)]);
}

/// A pod that has come to its end keeps its address in the status while another pod has it.
#[test]
fn terminated_pods_are_dropped_and_their_addresses_are_anothers() {
    let ended = |path: &str, phase: &str| {
        object("v1", "Pod", path, &format!("status: {{phase: {phase}, podIP: 10.0.0.1}}"))
    };
    let documents = [
        ended("shop/job", "Succeeded"),
        ended("shop/crash", "Failed"),
        object("v1", "Pod", "pay/db", "status: {phase: Running, podIP: 10.0.0.1}"),
        object("v1", "Pod", "pay/next", "status: {phase: Pending}"),
        policy("pay/p", "ingress: []"),
    ];
    assert_eq!(read(&documents).n_terminated, 2);
    let world = World::of(&documents);
    let names: Vec<String> = world.program.pods().map(|(_, pod)| pod.to_string()).collect();
    assert_eq!(names, ["pay/db", "pay/next"]);
    assert_eq!(world.end("10.0.0.1"), world.end("pay/db"));
    world.check(&[("pay/next", "10.0.0.1", "80/tcp", Deny)]);
}

/// A map has one line for all replicas of an owner, and one for a pod without an owner.
#[test]
fn replicas_are_one_workload_and_a_bare_pod_is_its_own() {
    let replica = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web-7d4f-{name}, namespace: shop, \
             labels: {{pod-template-hash: 7d4f}}, ownerReferences: [{{apiVersion: apps/v1, \
             kind: ReplicaSet, name: web-7d4f, controller: true}}]}}}}"
        )
    };
    let world = World::of(&[replica("a"), replica("b"), pod("shop/bare")]);
    assert_eq!(world.map(), ["shop/bare → shop/web: all", "shop/web → shop/bare: all"]);
    let map = world.program.map(Granularity::Workload);
    let kinds: Vec<&str> = map
        .peers()
        .map(|peer| match peer {
            MapPeer::Workload(workload) => workload.kind.as_str(),
            MapPeer::Namespace(_) | MapPeer::Pod { .. } | MapPeer::Outside(_) => "?",
        })
        .collect();
    assert_eq!(kinds, ["Pod", "Deployment"]);
}

/// The pod that a virtual machine runs in is a pod like any other, its own workload.
#[test]
fn a_pod_of_a_virtual_machine_is_a_subject_and_a_peer() {
    let launcher = "{apiVersion: v1, kind: Pod, metadata: {name: virt-launcher-vm-x, \
                    namespace: shop, labels: {vm: a}, ownerReferences: \
                    [{apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, name: vm, \
                    controller: true}]}}";
    let world = World::of(&[
        launcher.to_owned(),
        pod("pay/db"),
        policy("shop/p", "podSelector: {matchLabels: {vm: a}}, ingress: []"),
    ]);
    world.check(&[
        ("pay/db", "shop/virt-launcher-vm-x", "80/tcp", Deny),
        ("shop/virt-launcher-vm-x", "pay/db", "80/tcp", Allow),
    ]);
    assert_eq!(world.map(), ["shop/virt-launcher-vm-x → pay/db: all"]);
}

/// What is outside the cluster has no policies, and a direction that no policy covers allows.
#[test]
fn outside_peers_are_no_subjects_and_an_uncovered_direction_allows() {
    let world = World::of(&[
        pod("shop/web"),
        policy("shop/p", "policyTypes: [Egress], egress: []"),
        admin("egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]"),
    ]);
    world.check(&[
        ("203.0.113.7", "shop/web", "80/tcp", Allow),
        ("shop/web", "203.0.113.7", "80/tcp", Deny),
    ]);
    let inward = world.causes("203.0.113.7", "shop/web", "80/tcp");
    assert_eq!(inward, (Cause::NotAPod, Cause::NoPolicy));
    assert_eq!(world.causes("shop/web", "203.0.113.7", "80/tcp").1, Cause::NotAPod);
}
