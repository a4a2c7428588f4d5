//! Names, places and epochs, in a world that is read from manifests.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a pod that is not there is a broken test"
)]

use flow_attribution::{Attribution, Epoch};
use flow_model::{
    Cause, Counters, Decider, Flow, FlowVerdict, Identity, PodWord, Report, SightedVerdicts,
    Sighting, TableBit, Timestamp,
};
use net_types::Protocol;
use policy_engine::{Assumptions, PodId, Program, Semantics};
use policy_model::Direction;
use policy_tables::{LocalPod, Mode, Modes, ProfileId, RuleOrigin, Tables};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

const MANIFESTS: &str = "\
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {phase: Running, podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {nodeName: n1, containers: [{name: c, image: i}]}, status: {phase: Running, podIP: 10.0.0.2}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop}, spec: {clusterIP: 10.96.0.2, selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny, namespace: shop}, spec: {podSelector: {}, policyTypes: [Egress]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
    - ports: [{port: 5432}]
";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn epoch(number: u32, manifests: &str) -> Epoch {
    let imported = kube_import::import_text("shop.yaml", manifests);
    assert!(imported.findings.is_empty(), "{:?}", imported.findings);
    let program = Program::compile(imported.snapshot, Assumptions::new(Semantics::Upstream));
    let pods: Vec<PodId> = program.pods().map(|(id, _)| id).collect();
    let locals: Vec<LocalPod> = pods.iter().map(|pod| LocalPod { pod: *pod }).collect();
    let modes = Modes::default();
    let tables = Tables::build(&program, &locals, &modes, None);
    let names = program.pods().map(|(id, pod)| (if pod.name == "web" { 1 } else { 2 }, id));
    let pods: BTreeMap<u32, PodId> = names.collect();
    // Each write makes new numbers, as that of a process that was just started.
    let kernel_number = |id: ProfileId| match id {
        ProfileId::DENY_EVERYTHING => 1,
        ProfileId(other) => number * 1000 + u32::from(other),
    };
    let word = |pod: &PodId| {
        let of_pod = tables.pods()[pod];
        let (ingress, egress) = (kernel_number(of_pod.ingress), kernel_number(of_pod.egress));
        PodWord { generation: number, ingress, egress, keeps_established: false }
    };
    let profiles = tables.profiles().iter();
    Epoch {
        number: number.into(),
        since: Timestamp(u64::from(number) * 100),
        words: pods.iter().map(|(number, pod)| (*number, word(pod))).collect(),
        profiles: profiles.map(|(id, table)| (kernel_number(*id), Arc::clone(table))).collect(),
        pods,
        modes,
        files: Arc::new(imported.files),
        program: Arc::new(program),
    }
}

fn attribution(most: usize) -> (Attribution, Epoch) {
    let first = epoch(1, MANIFESTS);
    let most = NonZeroUsize::new(most).unwrap();
    (Attribution::new("n1".into(), first.clone(), most), first)
}

/// `web` to `remote`, as the kernel sees it: a rule allows port 5432, and no other port.
fn to(epoch: &Epoch, remote: &str, port: u16) -> Sighting {
    let PodWord { egress: profile, generation, .. } = epoch.words[&1];
    let table = &epoch.profiles[&profile];
    let is_rule = |rule: &RuleOrigin| matches!(rule, RuleOrigin::Rule { .. });
    let rule = table.rules().iter().position(|rule| is_rule(rule) == (port == 5432)).unwrap();
    let denied = port != 5432;
    let mut vector = vec![0; table.words().len()];
    vector[rule / 64] |= 1 << (rule % 64);
    let rule = Some(u16::try_from(rule).unwrap());
    Sighting {
        time: epoch.since,
        report: if denied { Report::Denied } else { Report::Opened },
        pod: 1,
        side: Direction::Egress,
        local: ip("10.0.0.1"),
        remote: ip(remote),
        local_port: 40_000,
        remote_port: port,
        protocol: Protocol::Tcp,
        icmp: None,
        backend: None,
        profile,
        vector,
        verdicts: Some(SightedVerdicts {
            denied,
            rule,
            observed_denied: denied,
            observed_rule: rule,
            staged_denied: denied,
            staged_rule: rule,
        }),
        dropped: denied,
        opened: None,
        counters: Counters::default(),
        count: 1,
        generation,
        lost_before: 0,
    }
}

fn line(flow: &Flow) -> String {
    let trace = flow.decision.as_ref().map(|trace| {
        let Decider::Rule(mention) = &trace.decider else {
            return format!("{:?}", trace.decider);
        };
        format!("{} at {}", mention.rule, mention.place.as_ref().unwrap())
    });
    let service = flow.service.as_ref().and_then(|service| service.name.as_deref());
    let port = flow.destination.port;
    format!("{} → {} {port:?} via {service:?}: {trace:?}", flow.source, flow.destination)
}

#[test]
fn a_rule_has_its_place_and_a_service_its_backend() {
    let (mut attribution, first) = attribution(2);
    let mut sighting = to(&first, "10.0.0.2", 5432);
    sighting.remote = ip("10.96.0.2");
    sighting.remote_port = 80;
    sighting.backend = Some("10.0.0.2:5432".parse().unwrap());
    assert_eq!(
        line(&attribution.attribute(&sighting)),
        "shop/web → shop/db Some(5432) via Some(\"shop/db\"): \
         Some(\"NetworkPolicy shop/web egress[0] at shop.yaml:18:7\")"
    );
}

#[test]
fn a_default_deny_names_all_that_isolate_without_rules_first() {
    let (mut attribution, first) = attribution(2);
    let flow = attribution.attribute(&to(&first, "10.0.0.2", 80));
    let Some(Decider::DefaultDeny(policies)) = flow.decision.map(|trace| trace.decider) else {
        panic!("no default deny");
    };
    let told: Vec<String> = policies
        .iter()
        .map(|mention| {
            let place = mention.place.as_ref().map(ToString::to_string);
            format!("{} {}", mention.policy.name, place.unwrap_or_default())
        })
        .collect();
    assert_eq!(told, ["deny shop.yaml:9:1", "web shop.yaml:11:1"]);
    assert_eq!((flow.observed, flow.staged), (None, None));
}

#[test]
fn what_no_profile_was_asked_about_is_exempt_or_refused() {
    let (mut attribution, first) = attribution(2);
    let mut sighting = to(&first, "192.168.0.1", 5432);
    sighting.side = Direction::Ingress;
    sighting.profile = 0;
    sighting.verdicts = None;
    let mut decider = |generation, remote: &str, report| {
        sighting.generation = generation;
        sighting.remote = ip(remote);
        sighting.report = report;
        attribution.attribute(&sighting).decision.map(|trace| trace.decider)
    };
    assert_eq!(decider(1, "192.168.0.1", Report::Opened), Some(Decider::OwnNode));
    assert_eq!(decider(1, "10.0.0.1", Report::Opened), Some(Decider::SelfTraffic));
    // A socket of the node, by an address that the node does not tell.
    assert_eq!(decider(1, "10.0.0.254", Report::Opened), Some(Decider::OwnNode));
    assert_eq!(decider(0, "192.168.0.1", Report::Opened), Some(Decider::OwnNode));
    assert_eq!(decider(0, "10.0.0.2", Report::Opened), Some(Decider::NoPolicyYet));
    assert_eq!(decider(1, "10.0.0.2", Report::Refused(Cause::Vlan)), None);
    assert_eq!(decider(1, "10.0.0.2", Report::Denied), Some(Decider::Unknown(None)));
}

#[test]
fn a_service_that_leads_back_to_its_client_is_the_pods_own_traffic() {
    let (mut attribution, first) = attribution(2);
    let mut sighting = to(&first, "10.96.0.2", 80);
    sighting.backend = Some("10.0.0.1:5432".parse().unwrap());
    sighting.profile = 0;
    sighting.verdicts = None;
    sighting.report = Report::Opened;
    let flow = attribution.attribute(&sighting);
    assert_eq!(flow.decision.map(|trace| trace.decider), Some(Decider::SelfTraffic));
}

/// Repeated denials are told as a sum, without what was not enforced.
#[test]
fn a_sum_of_denials_says_nothing_of_other_modes() {
    let manifests = MANIFESTS.replace("name: deny,", "name: observed,");
    let mut first = epoch(1, &manifests);
    let observed = first.program.policies().find(|policy| policy.id.name == "observed").unwrap();
    let modes: Modes = [(observed.id.clone(), Mode::Observe)].into_iter().collect();
    let locals: Vec<LocalPod> = first.pods.values().map(|pod| LocalPod { pod: *pod }).collect();
    let tables = Tables::build(&first.program, &locals, &modes, None);
    let egress = tables.pods()[&first.pods[&1]].egress;
    first.profiles.insert(first.words[&1].egress, Arc::clone(&tables.profiles()[&egress]));
    first.modes = modes;
    let mut attribution = Attribution::new("n1".into(), first.clone(), NonZeroUsize::MIN);
    let mut sighting = to(&first, "10.0.0.2", 80);
    let flow = attribution.attribute(&sighting);
    assert_eq!(flow.observed.map(|trace| trace.verdict), Some(FlowVerdict::Deny));
    let verdicts = sighting.verdicts.unwrap();
    sighting.vector = Vec::new();
    sighting.verdicts =
        Some(SightedVerdicts { observed_denied: false, observed_rule: None, ..verdicts });
    let flow = attribution.attribute(&sighting);
    assert_eq!((flow.observed, flow.staged), (None, None));
    assert_eq!(flow.decision.map(|trace| trace.verdict), Some(FlowVerdict::Deny));
}

#[test]
fn late_reports_have_the_names_of_their_time_until_it_is_forgotten() {
    let (mut attribution, first) = attribution(2);
    let sighting = to(&first, "10.0.0.2", 5432);
    // The address of `db` goes to another pod, and the rule moves to another line.
    let moved = MANIFESTS
        .replace("name: db, namespace: shop, labels", "name: cache, namespace: shop, labels");
    let second = epoch(2, &format!("# A comment.\n{moved}"));
    attribution.install(second.clone());
    let at_first = attribution.attribute(&sighting);
    assert_eq!((at_first.destination.to_string().as_str(), at_first.epoch), ("shop/db", Some(1)));
    assert!(line(&at_first).contains("shop.yaml:18:7"));
    let at_second = attribution.attribute(&to(&second, "10.0.0.2", 5432));
    assert_eq!(
        (at_second.destination.to_string().as_str(), at_second.epoch),
        ("shop/cache", Some(2))
    );
    assert!(line(&at_second).contains("shop.yaml:19:7"));

    // A connection that the first tables decided closes when they are forgotten.
    attribution.install(epoch(3, MANIFESTS));
    let closed = Sighting { time: Timestamp(310), report: Report::Closed, ..sighting.clone() };
    let flow = attribution.attribute(&closed);
    let trace = flow.decision.unwrap();
    let bit = sighting.verdicts.unwrap().rule.unwrap();
    let gone = TableBit { profile: sighting.profile, bit };
    assert_eq!(trace.decider, Decider::Unknown(Some(gone)));
    assert_eq!((trace.verdict, flow.epoch), (FlowVerdict::Allow, None));
    assert!(flow.matched.is_empty());
}

#[test]
fn what_denies_everything_says_so() {
    let (mut attribution, first) = attribution(1);
    let mut sighting = to(&first, "10.0.0.2", 80);
    // A write failed, and nobody installed what became of it.
    sighting.profile = 1;
    sighting.generation += 1;
    let denied = SightedVerdicts { rule: Some(0), ..sighting.verdicts.unwrap() };
    sighting.verdicts = Some(denied);
    let flow = attribution.attribute(&sighting);
    assert_eq!(flow.decision.unwrap().decider, Decider::DenyEverything);
}

#[test]
fn ends_are_nodes_services_and_the_outside() {
    let (mut attribution, first) = attribution(1);
    let mut destination =
        |remote: &str| attribution.attribute(&to(&first, remote, 5432)).destination.to_string();
    assert_eq!(destination("192.168.0.1"), "node/n1");
    assert_eq!(destination("10.96.0.2"), "service/shop/db");
    assert_eq!(destination("203.0.113.9"), "203.0.113.9");
    let mut sighting = to(&first, "203.0.113.9", 5432);
    sighting.pod = 9;
    sighting.local = ip("10.0.0.77");
    assert_eq!(attribution.attribute(&sighting).source.identity, Identity::Outside);
}
