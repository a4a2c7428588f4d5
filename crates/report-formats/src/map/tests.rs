//! Every format against a world in which whatever a person may name is hostile to whoever reads it.

use super::{MapReport, csv, dot, exposure, html, json, markdown, svg, table};
use crate::findings::fixtures::{HOSTILE, span};
use crate::is_hidden;
use crate::json::API_VERSION;
use base64::Engine as _;
use finding_model::SourceFiles;
use net_types::{PortRange, Protocol};
use policy_engine::{Assumptions, Granularity, Program, Semantics};
use policy_model::{
    Action, LabelSelector, Labels, LeftOut, LeftOutScope, Namespace, NamespaceScope, Peer,
    PeerMatch, Peers, Pod, PodOrigin, Policy, PolicyId, PolicyKind, PortMatch, PortSpec, Ports,
    Requirement, Rule, Snapshot, Subject, Tier, WorkloadKind, WorkloadRef,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// A name that a spreadsheet would run and that would end a script element.
const FORMULA: &str = "=1+</script><script>alert(1)</script>";

fn pod(namespace: &str, name: &str) -> Pod {
    let labels: Labels = [("app", name)].into_iter().collect();
    let workload = WorkloadRef {
        namespace: namespace.into(),
        name: name.into(),
        kind: WorkloadKind::Deployment,
    };
    Pod {
        namespace: namespace.into(),
        name: name.into(),
        workload,
        origin: PodOrigin::Template,
        labels,
        addresses: Vec::new(),
        host_network: false,
        node: None,
        ports: Vec::new(),
        span: None,
    }
}

/// `HOSTILE/HOSTILE` accepts 80/tcp from `app=FORMULA` of its namespace and from a label that nobody has.
fn world() -> (Snapshot, SourceFiles) {
    let mut files = SourceFiles::default();
    let file = files.add(format!("dir/{HOSTILE}"));
    let place = Some(span(file, 3, 1, 1));
    let labelled = |value: &str| Peer {
        matches: PeerMatch::Pods {
            namespaces: NamespaceScope::Own(HOSTILE.into()),
            pods: [Requirement::equals("app", value)].into_iter().collect(),
        },
        span: None,
    };
    let web = PortMatch::Numbers { protocol: Protocol::Tcp, range: PortRange::single(80).unwrap() };
    let rule = Rule {
        name: None,
        action: Action::Accept,
        peers: Peers::Listed(vec![labelled(FORMULA), labelled("later")]),
        ports: Ports::Listed(vec![PortSpec { matches: web, span: None }]),
        span: place,
    };
    let id = PolicyId {
        kind: PolicyKind::NetworkPolicy,
        namespace: Some(HOSTILE.into()),
        name: HOSTILE.into(),
    };
    let subject = Subject {
        namespaces: NamespaceScope::Own(HOSTILE.into()),
        pods: [Requirement::equals("app", HOSTILE)].into_iter().collect::<LabelSelector>(),
    };
    let policy = Policy {
        id: id.clone(),
        tier: Tier::NetworkPolicy,
        priority: 0,
        subject,
        ingress: Some(vec![rule]),
        egress: None,
        span: place,
    };
    let mut pods = vec![pod(HOSTILE, HOSTILE), pod(HOSTILE, FORMULA), pod("@sum", "b")];
    pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    let namespaces = [HOSTILE, "@sum"].map(|name| (name.to_owned(), Namespace::implied(name)));
    let snapshot = Snapshot {
        namespaces: namespaces.into(),
        pods,
        policies: [(id, policy)].into(),
        left_out: vec![LeftOut {
            object: format!("NetworkPolicy {HOSTILE}"),
            scope: LeftOutScope::Namespace(HOSTILE.into()),
            span: place,
        }],
        ..Snapshot::default()
    };
    (snapshot, files)
}

fn written(
    by: Granularity,
    write: impl Fn(&mut dyn Write, &MapReport<'_>) -> io::Result<()>,
) -> String {
    let (snapshot, files) = world();
    let program = Program::compile(snapshot, Assumptions::new(Semantics::Upstream));
    let map = program.map(by);
    let report = MapReport::new(&program, &map, by, &files);
    let mut bytes = Vec::new();
    write(&mut bytes, &report).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn workloads(write: impl Fn(&mut dyn Write, &MapReport<'_>) -> io::Result<()>) -> String {
    written(Granularity::Workload, write)
}

#[test]
fn no_format_hides_a_character() {
    let plain = table::Layout::default();
    let narrow = table::Layout { width: Some(60), ..plain };
    let texts = [
        workloads(|out, report| table::write(out, report, plain)),
        workloads(|out, report| table::write(out, report, narrow)),
        workloads(csv::write),
        workloads(json::write),
        workloads(markdown::write),
        workloads(dot::write),
        workloads(svg::write),
        workloads(html::write),
        workloads(|out, report| exposure::table::write(out, report, plain.palette)),
        workloads(exposure::json::write),
        written(Granularity::Namespace, html::write),
        written(Granularity::Pod, json::write),
    ];
    for text in texts {
        let hidden = |c: char| is_hidden(c) && !matches!(c, '\n' | '\r');
        assert!(!text.contains(hidden), "{text}");
        assert!(!text.replace("\r\n", "").contains('\r'), "{text}");
    }
}

#[test]
fn json_keeps_every_name() {
    let document: Value = serde_json::from_str(&workloads(json::write)).unwrap();
    assert_eq!(
        (&document["apiVersion"], &document["kind"]),
        (&API_VERSION.into(), &"ConnectionMap".into())
    );
    let rows = document["connections"].as_array().unwrap();
    let to_hostile: Vec<&Value> = rows.iter().filter(|row| row["to"]["name"] == HOSTILE).collect();
    assert_eq!(to_hostile.len(), 1);
    assert_eq!(to_hostile[0]["from"]["name"], FORMULA);
    assert_eq!(to_hostile[0]["allowed"], serde_json::json!([{"protocol": "TCP", "ports": "80"}]));
    assert_eq!(to_hostile[0]["caveats"], serde_json::json!([format!("NetworkPolicy {HOSTILE}")]));
    assert_eq!(document["undefined"], serde_json::json!([]));
    let document: Value = serde_json::from_str(&workloads(exposure::json::write)).unwrap();
    let exposed = document["exposures"].as_array().unwrap();
    let hostile = exposed.iter().find(|exposed| exposed["peer"]["name"] == HOSTILE).unwrap();
    assert_eq!(hostile["ingress"]["possible"][0]["example"]["labels"]["app"], "later");
}

#[test]
fn no_field_of_csv_is_a_formula() {
    let text = workloads(csv::write);
    let mut records = text.split("\r\n");
    let n_fields = fields(records.next().unwrap()).len();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    for record in records.filter(|record| !record.is_empty()) {
        let fields = fields(record);
        assert_eq!(fields.len(), n_fields, "{record}");
        assert!(!fields.iter().any(|field| field.starts_with(['=', '+', '-', '@'])), "{record}");
    }
    assert!(text.contains("'=1+</script>") && text.contains("'@sum"));
}

/// The fields of a record (RFC 4180 §2).
fn fields(record: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for character in record.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

#[test]
fn names_stay_in_their_cells_and_quotes() {
    let text = workloads(markdown::write);
    for row in text.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(row.matches('|').count(), 5, "{row}");
        assert!(!row.contains("<b>") && !row.contains("<script"), "{row}");
    }
    for line in workloads(dot::write).lines() {
        let bare = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(bare.matches('"').count() % 2, 0, "{line}");
    }
    let picture = workloads(svg::write);
    assert!(!picture.contains("<b>") && !picture.contains("<script"), "{picture}");
    assert_eq!(picture.matches("<svg").count(), 1);
}

#[test]
fn the_page_runs_only_what_its_policy_names() {
    let page = workloads(html::write);
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert_eq!(page.matches("</script").count(), 2);
    assert!(!page.contains("{{"));
    let between = |from: &str, to: &str| {
        let after = page.split_once(from).unwrap().1;
        after.split_once(to).unwrap().0
    };
    let policy = between("Content-Security-Policy\" content=\"", "\"");
    let hash = |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
    };
    let script = between("</script>\n<script>", "</script>");
    let style = between("<style>", "</style>");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
             form-action 'none'",
            hash(style),
            hash(script)
        )
    );
    let data: Value = serde_json::from_str(between("id=\"map\">", "</script>")).unwrap();
    let labels: Vec<&str> = data["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| peer["name"].as_str().unwrap())
        .collect();
    assert!(labels.contains(&FORMULA), "text is only text: {labels:?}");
}

#[test]
fn the_page_knows_the_rule_of_each_side() {
    let page = workloads(html::write);
    let data = page.split_once("id=\"map\">").unwrap().1.split_once("</script>").unwrap().0;
    let data: Value = serde_json::from_str(data).unwrap();
    let at = |list: &Value, index: &Value| {
        list[usize::try_from(index.as_u64().unwrap()).unwrap()].clone()
    };
    let place = |wanted: &str| {
        let peers = data["peers"].as_array().unwrap();
        peers.iter().position(|peer| peer["name"] == wanted).unwrap()
    };
    let hostile = crate::visible(HOSTILE).into_owned();
    let [from, to] = [FORMULA, hostile.as_str()].map(place);
    let rows = data["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row[0] == from && row[1] == to).unwrap();
    let detail = at(&data["details"], &row[3]);
    assert_eq!(detail["parts"].as_array().unwrap().len(), 1);
    let part = &detail["parts"][0];
    assert_eq!((&part[0], &part[1], &part[2]), (&"TCP".into(), &"80".into(), &true.into()));
    assert_eq!(at(&data["causes"], &part[3][0])["kind"], "no-policy");
    let cause = at(&data["causes"], &part[4][0]);
    let rule = at(&data["rules"], &cause["rule"]);
    assert_eq!((&rule["place"], &rule["tier"]), (&"ingress[0]".into(), &"NetworkPolicy".into()));
    assert!(rule["file"].as_str().unwrap().ends_with(":3"));
    assert!(rule["text"].as_str().unwrap().starts_with("- from:"));
}
