//! Our flows come back whole, others' as far as a flow can hold them.

use super::*;
use crate::{arbitrary, fixtures};
use proptest::prelude::*;

fn written(flow: &Flow) -> String {
    let mut lines = Vec::new();
    write(&mut lines, flow).unwrap();
    String::from_utf8(lines).unwrap()
}

fn read(mut input: &[u8]) -> Vec<Result<Reading, ReadError>> {
    Reader::new(&mut input).collect()
}

#[test]
fn a_denial_looks_as_hubble_writes_it() {
    let denied = fixtures::all().swap_remove(2);
    let value: serde_json::Value = serde_json::from_str(&written(&denied)).unwrap();
    let fields = value["flow"].as_object().unwrap().iter();
    let shown = fields.filter(|(name, _)| *name != "extensions");
    let shown: Vec<String> = shown.map(|(name, value)| format!("{name}: {value}")).collect();
    expect_test::expect![[r#"
        IP: {"destination":"10.0.2.9","ipVersion":"IPv4","source":"10.0.1.5"}
        Summary: "TCP Flags: SYN"
        Type: "L3_L4"
        destination: {"identity":9388197,"labels":["k8s:app=db","k8s:tier=front","k8s:io.kubernetes.pod.namespace=pay"],"namespace":"pay","pod_name":"db-0","workloads":[{"kind":"Deployment","name":"db"}]}
        drop_reason: 133
        drop_reason_desc: "POLICY_DENIED"
        emitter: {"name":"weir","version":"0.1.0"}
        event_type: {"sub_type":133,"type":1}
        ingress_denied_by: [{"kind":"NetworkPolicy","name":"default-deny","namespace":"pay","revision":"3"},{"kind":"NetworkPolicy","name":"db","namespace":"pay","revision":"3"}]
        is_reply: false
        l4: {"TCP":{"destination_port":5432,"flags":{"SYN":true},"source_port":41000}}
        node_name: "node-2"
        policy_log: ["denied by default, isolated by NetworkPolicy pay/default-deny, NetworkPolicy pay/db"]
        source: {"identity":3730680,"labels":["k8s:app=web","k8s:tier=front","k8s:io.kubernetes.pod.namespace=shop"],"namespace":"shop","pod_name":"web-5d9c","workloads":[{"kind":"Deployment","name":"web"}]}
        time: "2026-11-21T15:10:31.123456789Z"
        traffic_direction: "INGRESS"
        uuid: "610ad9b4-f0ed-82c4-a0cd-12aff67ff2ef"
        verdict: "DROPPED""#]].assert_eq(&shown.join("\n"));
}

#[test]
fn what_was_written_first_is_still_read() {
    let first = include_str!("../../tests/flow-hubble-first.jsonl");
    let read: Vec<Reading> = read(first.as_bytes()).into_iter().map(Result::unwrap).collect();
    let ours: Vec<Reading> =
        fixtures::all().into_iter().map(|flow| Reading::Flow(Box::new(flow))).collect();
    assert_eq!(read, ours);
}

#[test]
fn decisions_without_a_rule_come_back() {
    let written: Vec<String> = fixtures::without_a_rule().iter().map(written).collect();
    let flow = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let told = written.iter().map(|line| {
        let value = flow(line);
        format!("{} {}", value["flow"]["verdict"], value["flow"]["policy_log"])
    });
    expect_test::expect![[r#"
        "FORWARDED" ["allow, a pod to itself"]
        "FORWARDED" ["allow, the pod is open until its policies are in the kernel"]
        "DROPPED" ["deny, the pod's policies did not get into the kernel"]"#]]
    .assert_eq(&told.collect::<Vec<String>>().join("\n"));
    let read = read(written.concat().as_bytes()).into_iter().map(Result::unwrap);
    let ours = fixtures::without_a_rule().into_iter().map(|flow| Reading::Flow(Box::new(flow)));
    assert_eq!(read.collect::<Vec<_>>(), ours.collect::<Vec<_>>());
}

#[test]
fn others_flows_are_read_as_far_as_they_go() {
    let others = include_str!("../../tests/flow-hubble-others.jsonl");
    let told = read(others.as_bytes()).into_iter().map(|result| match result {
        Ok(Reading::Flow(flow)) => {
            let mut line = Vec::new();
            crate::text::write(&mut line, &flow, safe_output::Palette::Plain).unwrap();
            String::from_utf8(line).unwrap().trim_end().to_owned()
        }
        Ok(Reading::Skipped { line, what }) => format!("line {line}: {what}"),
        Err(error) => format!("{error}: {}", error.problem),
    });
    expect_test::expect![[r#"
        2026-11-21T15:10:31.500Z opened     shop/web-5d9c → pay/db-0:5432/tcp  ingress: allow by NetworkPolicy pay/db
        2026-11-21T15:10:32.000Z active     shop/web-5d9c → pay/db-0:5432/tcp  ingress: allow, the rule is not known
        2026-11-21T15:10:33.000Z denied     203.0.113.9 → pay/db-0:53/udp  ingress: deny, the rule is not known  (12 reports lost before this)
        2026-11-21T15:10:33.000Z denied     node/node-1 → pay/db-0 icmp echo request  ingress: deny by ClusterNetworkPolicy db
        2026-11-21T15:10:33.000Z refused    shop/web-5d9c → node/192.168.0.3:2/tcp  egress: the frame has a VLAN tag (vlan)
        line 7: a flow without a verdict of a known cause
        2026-11-21T15:10:34.000Z would-deny shop/web-5d9c → service/pay/db:2/sctp  egress: deny, the rule is not known, not dropped
        line 9: a flow of another layer than 3 and 4
        line 10: a flow without a direction
        line 11: the status of a node
        line 12: `somewhere` is no address
        line 13: `flow` is missing
        line 14: not the JSON of a flow"#]].assert_eq(&told.collect::<Vec<String>>().join("\n"));
}

#[test]
fn losses_without_a_flow_behind_them_are_told() {
    let mut input = br#"{"lost_events":{"num_events_lost":"3"},"node_name":"n"}
{"lostEvents":{"numEventsLost":4},"nodeName":"n"}"#
        .as_slice();
    let mut reader = Reader::new(&mut input);
    assert!(reader.next().is_none());
    assert_eq!(reader.lost(), &BTreeMap::from([("n".to_owned(), 7)]));
}

proptest! {
    #[test]
    fn every_possible_flow_comes_back(flow in arbitrary::possible_flow()) {
        let lines = written(&flow);
        prop_assert!(!lines.replace('\n', "").contains(safe_output::is_hidden));
        let read: Vec<Reading> =
            read(lines.as_bytes()).into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(read, [Reading::Flow(Box::new(flow))]);
    }

    #[test]
    fn any_flow_is_a_line(flow in arbitrary::any_flow()) {
        for line in written(&flow).lines() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
        }
    }
}
