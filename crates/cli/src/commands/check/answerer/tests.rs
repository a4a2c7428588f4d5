//! Lines of a batch and their answers.

use super::*;
use crate::PeerIndex;
use policy_engine::{Assumptions, Program, Semantics};

const WORLD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: pay, labels: {app: db}}
spec: {containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]}
status: {podIP: 10.0.0.2}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: pay}
spec: {clusterIP: 10.96.0.1, selector: {app: db}, ports: [{name: sql, port: 80, targetPort: pg}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web-out, namespace: shop}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {}}]
    ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: pay}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: mixed, namespace: pay}
spec: {selector: {matchLabels: {x: y}}, template: {metadata: {labels: {x: y}}}}
";

const MIXED: &str = "\
---
apiVersion: v1
kind: Pod
metadata:
  {name: mixed-1, namespace: shop, ownerReferences: [{kind: ReplicaSet, name: mixed, apiVersion: apps/v1, controller: true, uid: a}]}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata:
  {name: mixed-2, namespace: shop, labels: {app: web2}, ownerReferences: [{kind: ReplicaSet, name: mixed, apiVersion: apps/v1, controller: true, uid: a}]}
spec: {containers: [{name: c}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one-of-them, namespace: shop}
spec: {podSelector: {matchLabels: {app: web2}}, policyTypes: [Ingress]}
";

/// The answers to the lines, in order, and what became of each.
fn ask(world: &str, lines: &[&[u8]]) -> Vec<(Answered, String)> {
    let imported = kube_import::import_text("f.yaml", world);
    assert_eq!(
        imported.findings.iter().find(|f| f.severity == finding_model::Severity::Error),
        None
    );
    let snapshot = imported.snapshot;
    let program = Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream));
    let index = PeerIndex::new(&snapshot);
    let world = CheckWorld {
        program: &program,
        snapshot: &snapshot,
        files: &imported.files,
        index: &index,
    };
    let mut answerer = BatchAnswerer::new(world);
    let answer = |line: &&[u8]| {
        let mut out = Vec::new();
        let answered = answerer.answer(line, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.is_empty() || text.ends_with('\n') && !text.trim_end().contains('\n'));
        (answered, text.trim_end().to_owned())
    };
    lines.iter().map(answer).collect()
}

fn one(line: &str) -> String {
    ask(WORLD, &[line.as_bytes()]).remove(0).1
}

#[test]
fn an_answer_names_the_rule_of_each_side() {
    assert_eq!(
        one(r#"{"id":1,"from":"shop/web","to":"10.0.0.2","protocol":"TCP","port":5432}"#),
        concat!(
            r#"{"id":1,"verdict":"deny","egress":{"verdict":"allow","tier":"NetworkPolicy","kind":"#,
            r#""NetworkPolicy","policy":"shop/web-out","rule":0,"file":"f.yaml","line":25},"ingress":"#,
            r#"{"verdict":"deny","tier":"NetworkPolicy","kind":"NetworkPolicy","policy":"pay/closed","#,
            r#""file":"f.yaml","line":28}}"#
        )
    );
}

#[test]
fn a_service_answers_for_its_endpoint() {
    let by_name = one(r#"{"id":"a","from":"shop/web","to":"service/pay/db","port":"sql"}"#);
    assert!(
        by_name.starts_with(r#"{"id":"a","verdict":"deny","egress":{"verdict":"allow""#),
        "{by_name}"
    );
    assert!(by_name.ends_with(r#","endpoint":{"peer":"pay/db","port":5432}}"#), "{by_name}");
    let by_address = one(r#"{"id":"a","from":"shop/web","to":"10.96.0.1","port":80}"#);
    assert_eq!(by_address, by_name);
}

#[test]
fn a_port_name_is_resolved_on_the_destination() {
    let by_name = one(r#"{"from":"shop/web","to":"pay/db","port":"pg"}"#);
    assert_eq!(by_name, one(r#"{"from":"shop/web","to":"pay/db","port":5432}"#));
    let none = one(r#"{"from":"shop/web","to":"pay/db","port":"http"}"#);
    assert_eq!(none, r#"{"id":null,"error":"`to`: nothing in pay/db serves a port of this name"}"#);
}

#[test]
fn errors_answer_their_own_line_only() {
    let lines: [&[u8]; 9] = [
        br#"{"id":"x","from":"shop/wbe","to":"pay/db","port":1}"#,
        br#"{"id":2,"from":"shop/","to":"pay/db","port":1}"#,
        br#"{"id":3,"from":"10.0.0.0/8","to":"pay/db","port":1}"#,
        br#"{"id":4,"from":"shop/web","to":"pay/db"}"#,
        br#"{"id":5,"from":"shop/web","to":"pay/db","protocol":"ICMP","port":1}"#,
        b"\xff\xfe",
        b"  ",
        br#"{"id":6,"from":"shop/web","to":"pay/db","port":1,"prot":"TCP"}"#,
        br#"{"id":7,"from":"shop/web","to":"shop/web","port":1}"#,
    ];
    let answers = ask(WORLD, &lines);
    let of = |index: usize| answers[index].1.as_str();
    assert!(of(0).starts_with(r#"{"id":"x","error":"`from`: the input has no pod or workload"#));
    assert!(of(0).contains("did you mean shop/web?"), "{}", of(0));
    assert!(of(1).contains("is a set of peers") && of(2).contains("is a set of peers"));
    assert_eq!(of(3), r#"{"id":4,"error":"`port` is missing"}"#);
    assert_eq!(of(4), r#"{"id":5,"error":"ICMP has no ports: leave `port` out"}"#);
    assert_eq!(of(5), r#"{"id":null,"error":"the line is not UTF-8"}"#);
    assert_eq!(answers[6], (Answered::Nothing, String::new()));
    assert!(of(7).contains("did you mean `port`?") || of(7).contains("`prot`"), "{}", of(7));
    assert!(of(8).starts_with(r#"{"id":7,"verdict":"allow""#), "{}", of(8));
    let kinds: Vec<Answered> = answers.iter().map(|(answered, _)| *answered).collect();
    let mut expected = [Answered::Error; 9];
    expected[6] = Answered::Nothing;
    expected[8] = Answered::Verdict;
    assert_eq!(kinds, expected);
}

#[test]
fn ids_come_back_as_they_were_written() {
    for id in ["1.50e3", "\"a\\u0041\\n\"", "true", "null", "123456789012345678901234567890"] {
        let line = format!(r#"{{"id":{id},"from":"x","to":"y"}}"#);
        assert!(one(&line).starts_with(&format!("{{\"id\":{id},")), "{id}");
    }
    let hidden = one("{\"id\":\"a\u{202e}b\",\"from\":\"x\",\"to\":\"y\"}");
    assert!(hidden.starts_with(r#"{"id":"a\u202eb","#), "{hidden}");
}

#[test]
fn pods_of_a_workload_must_agree() {
    let world = format!("{WORLD}{MIXED}");
    let line = br#"{"id":1,"from":"pay/db","to":"replicaset/shop/mixed","port":80}"#;
    let (answered, text) = ask(&world, &[line]).remove(0);
    assert_eq!(answered, Answered::Error);
    assert!(
        text.contains("get different answers, allow for pay/db → shop/mixed-1 and deny"),
        "{text}"
    );
    let agreed = br#"{"id":1,"from":"replicaset/shop/mixed","to":"pay/db","port":80}"#;
    assert_eq!(ask(&world, &[agreed])[0].0, Answered::Verdict);
}

#[test]
fn lines_of_any_length_are_bounded() {
    let mut long = br#"{"id":1,"from":""#.to_vec();
    long.resize(LONGEST_LINE + 1, b'a');
    let (answered, text) = ask(WORLD, &[&long]).remove(0);
    assert_eq!(
        (answered, text.as_str()),
        (Answered::Error, r#"{"id":null,"error":"the line is longer than 1 MiB"}"#)
    );
    long.truncate(LONGEST_LINE - 20);
    long.extend_from_slice(br#"","to":"a/b"}"#);
    let (answered, text) = ask(WORLD, &[&long]).remove(0);
    assert_eq!(answered, Answered::Error);
    assert!(text.len() < 300, "{text}");
}

#[test]
fn what_was_left_out_is_said() {
    let bad = "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: bad, namespace: pay}\nspec: {podSelector: {}, ingres: []}\n";
    let imported = kube_import::import_text("f.yaml", &format!("{WORLD}{bad}"));
    let snapshot = imported.snapshot;
    let program = Program::compile(snapshot.clone(), Assumptions::new(Semantics::Upstream));
    let index = PeerIndex::new(&snapshot);
    let world = CheckWorld {
        program: &program,
        snapshot: &snapshot,
        files: &imported.files,
        index: &index,
    };
    let mut answerer = BatchAnswerer::new(world);
    let mut answer = |line: &str| {
        let mut out = Vec::new();
        answerer.answer(line.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    };
    let touched = answer(r#"{"from":"shop/web","to":"pay/db","port":5432}"#);
    assert!(touched.ends_with(",\"caveats\":[\"NetworkPolicy pay/bad\"]}\n"), "{touched}");
    let untouched = answer(r#"{"from":"shop/web","to":"1.1.1.1","port":5432}"#);
    assert!(!untouched.contains("caveats"), "{untouched}");
}
