//! What right manifests come to.

use expect_test::{Expect, expect};
use kube_import::{Imported, import_text, import_texts};
use policy_model::{Entry, Namespace, Pod, PodOrigin, Service};

fn pod(pod: &Pod) -> String {
    let Pod {
        namespace: _,
        name: _,
        workload,
        origin,
        labels,
        addresses,
        host_network,
        node,
        ports,
        span,
    } = pod;
    let ports: Vec<String> = ports
        .iter()
        .map(|port| {
            let name = port.name.as_deref().unwrap_or("-");
            format!("{name}:{}/{}", port.port, port.protocol)
        })
        .collect();
    format!(
        "{pod} {} of {} {workload}, {labels}, {addresses:?}{}{} [{}] line {}",
        if *origin == PodOrigin::Live { "live" } else { "template" },
        workload.kind,
        if *host_network { " on the host" } else { "" },
        node.as_ref().map_or(String::new(), |node| format!(" on {node}")),
        ports.join(" "),
        span.map_or(0, |span| span.line),
    )
}

fn service(service: &Service) -> String {
    let Service { namespace: _, name: _, kind, external, selector, ports, span: _ } = service;
    let ports: Vec<String> = ports
        .iter()
        .map(|port| {
            let name = port.name.as_deref().unwrap_or("-");
            format!("{name}:{}/{}->{:?}", port.port, port.protocol, port.target)
        })
        .collect();
    let selector = selector.as_ref().map_or("by hand".to_owned(), ToString::to_string);
    let external = if *external { " external" } else { "" };
    format!("{service} {kind:?}{external} {selector} {ports:?}")
}

fn entry(entry: &Entry) -> String {
    let Entry { kind: _, namespace: _, name: _, controllers, hosts, backends, span: _ } = entry;
    let backends: Vec<String> = backends
        .iter()
        .map(|backend| format!("{}/{} {:?}", backend.namespace, backend.service, backend.port))
        .collect();
    format!("{entry} by {controllers:?} for {hosts:?} to {backends:?}")
}

fn summary(imported: &Imported) -> String {
    let snapshot = &imported.snapshot;
    let mut lines: Vec<String> = Vec::new();
    for Namespace { name, labels, span } in snapshot.namespaces.values() {
        lines.push(format!("ns {name} {labels}{}", if span.is_none() { " implied" } else { "" }));
    }
    for node in snapshot.nodes.values() {
        lines.push(format!("node {} {} {:?}", node.name, node.labels, node.addresses));
    }
    lines.extend(snapshot.pods.iter().map(pod));
    lines.extend(snapshot.services.iter().map(service));
    lines.extend(snapshot.entries.iter().map(entry));
    lines.extend(
        imported.findings.iter().map(|finding| format!("{} {}", finding.code, finding.message)),
    );
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "what `expect!` gives")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&summary(&import_text("a.yaml", text)));
}

#[test]
fn namespaces_are_declared_or_implied() {
    let text = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: other}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p}
";
    check(
        text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        ns other kubernetes.io/metadata.name=other implied
        ns shop kubernetes.io/metadata.name=shop,team=a
        other/a live of Pod other/a, no labels, [] [] line 6
    "#]],
    );
}

#[test]
fn nodes() {
    let text = "
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: a}}
status:
  addresses:
    - {type: Hostname, address: n1}
    - {type: ExternalIP, address: 203.0.113.7}
    - {type: InternalIP, address: 172.16.0.1}
    - {type: InternalIP, address: 'fd00::1'}
";
    check(
        text,
        expect![[r#"
        node n1 zone=a [172.16.0.1, 203.0.113.7, fd00::1]
    "#]],
    );
}

#[test]
fn ports_are_of_containers_and_native_sidecars() {
    let text = "
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: a}}
spec:
  nodeName: n1
  containers:
    - ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]
    - {}
  initContainers:
    - {restartPolicy: Always, ports: [{containerPort: 15001, name: mesh}]}
    - {ports: [{containerPort: 9}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
";
    check(
        text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/a live of Pod default/a, app=a, [10.0.0.1, fd00::1] on n1 [http:80/TCP -:53/UDP mesh:15001/TCP] line 2
    "#]],
    );
}

#[test]
fn terminated_pods_are_left_away_and_counted() {
    let done = |name: &str, phase: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, status: {{phase: {phase}, podIP: 10.0.0.1}}}}\n---\n"
        )
    };
    let text = ["Succeeded", "Failed", "Pending", "Running", "Unknown"]
        .map(|phase| done(&phase.to_lowercase(), phase))
        .concat();
    let imported = import_text("a.yaml", &text);
    assert_eq!(
        (imported.n_terminated, imported.snapshot.pods.len(), imported.n_objects),
        (2, 3, 5)
    );
}

#[test]
fn every_kind_of_workload_gives_a_template() {
    let template = "template: {metadata: {labels: {app: a}}, spec: {hostNetwork: true, \
                    containers: [{ports: [{containerPort: 80}]}]}}";
    let workload = |api: &str, kind: &str, spec: &str| {
        format!(
            "apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a, namespace: s}}\nspec: {{{spec}}}\n---\n"
        )
    };
    let text = [
        workload("apps/v1", "Deployment", template),
        workload("apps/v1", "ReplicaSet", template),
        workload("apps/v1", "StatefulSet", template),
        workload("apps/v1", "DaemonSet", template),
        workload("v1", "ReplicationController", template),
        workload("batch/v1", "Job", template),
        workload("batch/v1", "CronJob", &format!("jobTemplate: {{spec: {{{template}}}}}")),
    ]
    .concat();
    check(
        &text,
        expect![[r#"
        ns s kubernetes.io/metadata.name=s implied
        s/a template of Deployment s/a, app=a, [] on the host [-:80/TCP] line 1
        s/a template of StatefulSet s/a, app=a, [] on the host [-:80/TCP] line 11
        s/a template of DaemonSet s/a, app=a, [] on the host [-:80/TCP] line 16
        s/a template of ReplicaSet s/a, app=a, [] on the host [-:80/TCP] line 6
        s/a template of ReplicationController s/a, app=a, [] on the host [-:80/TCP] line 21
        s/a template of Job s/a, app=a, [] on the host [-:80/TCP] line 26
        s/a template of CronJob s/a, app=a, [] on the host [-:80/TCP] line 31
    "#]],
    );
}

const OWNED: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {metadata: {labels: {app: web}}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-5d9c
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, controller: true}]
spec: {replicas: 1, template: {metadata: {labels: {app: web, pod-template-hash: 5d9c}}}}
";

#[test]
fn a_workload_below_another_gives_no_template() {
    check(
        OWNED,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/web template of Deployment default/web, app=web, [] [] line 2
    "#]],
    );
}

#[test]
fn a_pod_belongs_to_the_deployment_above_its_replica_set() {
    let pod = "
---
apiVersion: v1
kind: Pod
metadata:
  name: web-5d9c-x
  labels: {app: web, pod-template-hash: 5d9c}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d9c, controller: true}]
";
    check(
        &format!("{OWNED}{pod}"),
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/web-5d9c-x live of Deployment default/web, app=web,pod-template-hash=5d9c, [] [] line 15
    "#]],
    );
    check(
        pod,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/web-5d9c-x live of Deployment default/web, app=web,pod-template-hash=5d9c, [] [] line 3
    "#]],
    );
}

#[test]
fn other_owners() {
    let pod = |name: &str, kind: &str, owner: &str, controller: bool| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n  ownerReferences: \
             [{{kind: {kind}, name: {owner}, controller: {controller}}}]\n---\n"
        )
    };
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: backup-1\n  ownerReferences: \
               [{kind: CronJob, name: backup, controller: true}]\n\
               spec: {template: {}}\nstatus: {completionTime: x}\n---\n\
               apiVersion: batch/v1\nkind: Job\nmetadata: {name: failed}\nspec: {template: {}}\n\
               status: {conditions: [{type: Failed, status: 'True'}]}\n---\n";
    let text = [
        pod("a", "StatefulSet", "db", true),
        pod("b", "ReplicaSet", "rs", true),
        pod("c", "Job", "backup-1", true),
        pod("d", "Job", "gone", true),
        pod("e", "Node", "n1", true),
        pod("f", "StatefulSet", "db", false),
        job.to_owned(),
    ]
    .concat();
    check(
        &text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/a live of StatefulSet default/db, no labels, [] [] line 1
        default/b live of ReplicaSet default/rs, no labels, [] [] line 7
        default/c live of CronJob default/backup, no labels, [] [] line 13
        default/d live of Job default/gone, no labels, [] [] line 19
        default/e live of Pod default/e, no labels, [] [] line 25
        default/f live of Pod default/f, no labels, [] [] line 31
    "#]],
    );
}

/// What runs under an operator's own kind is grouped by the topmost owner that is read.
#[test]
fn owners_of_other_kinds_above_a_replica_set() {
    let replica_set = |hash: &str, replicas: u8| {
        format!(
            "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: web-{hash}\n  ownerReferences: \
             [{{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web, controller: true}}]\n\
             spec: {{replicas: {replicas}, template: {{metadata: {{labels: {{app: web}}}}}}}}\n---\n"
        )
    };
    let pod = |name: &str, hash: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-{hash}-{name}\n  labels: \
             {{app: web, rollouts-pod-template-hash: {hash}}}\n  ownerReferences: \
             [{{apiVersion: apps/v1, kind: ReplicaSet, name: web-{hash}, controller: true}}]\n---\n"
        )
    };
    let rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\n\
                   spec: {template: {metadata: {labels: {app: web}}}}\n---\n";
    let (old, new) = (replica_set("old", 0), replica_set("new", 2));
    let text = [rollout, &old, &new, &pod("a", "new"), &pod("b", "new")].concat();
    check(
        &text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/web-new-a live of ReplicaSet default/web-new, app=web,rollouts-pod-template-hash=new, [] [] line 20
        default/web-new-b live of ReplicaSet default/web-new, app=web,rollouts-pod-template-hash=new, [] [] line 27
    "#]],
    );
}

#[test]
fn services() {
    let service = |name: &str, spec: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n"
        )
    };
    let text = [
        service("cluster", "clusterIP: 10.96.0.1, selector: {app: a}, ports: [{port: 80, targetPort: http}]"),
        service("dual", "clusterIPs: [10.96.0.2, 'fd00::2'], clusterIP: 10.96.0.2"),
        service("external", "type: LoadBalancer, selector: {}, ports: [{name: x, port: 53, protocol: UDP, targetPort: 5353}]"),
        service("headless", "clusterIP: None, selector: {a: b, c: d}, ports: [{port: 1, targetPort: 0}]"),
        service("name", "type: ExternalName, externalName: Example.COM., selector: {a: b}"),
        service("node", "type: NodePort, ports: [{port: 443}]"),
    ]
    .concat();
    check(
        &text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/cluster ClusterIp { addresses: [10.96.0.1] } app=a ["-:80/TCP->Name(\"http\")"]
        default/dual ClusterIp { addresses: [10.96.0.2, fd00::2] } by hand []
        default/external ClusterIp { addresses: [] } external by hand ["x:53/UDP->Number(5353)"]
        default/headless Headless a=b,c=d ["-:1/TCP->Number(1)"]
        default/name ExternalName("example.com") by hand []
        default/node ClusterIp { addresses: [] } external by hand ["-:443/TCP->Number(443)"]
    "#]],
    );
}

#[test]
fn entries() {
    let text = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: shop}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: fallback, port: {name: http}}}
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
          - {path: /s, pathType: Prefix, backend: {resource: {kind: Bucket, name: b}}}
    - {}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: shop}
spec:
  parentRefs: [{name: gw, namespace: infra}]
  hostnames: [a.example.com]
  rules:
    - backendRefs:
        - {name: web, port: 80}
        - {name: other, namespace: pay, port: 81}
        - {group: example.com, kind: Lambda, name: f}
        - name: audited
          port: 82
          filters: [{type: RequestMirror, requestMirror: {backendRef: {name: audit, port: 83}}}]
      filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [x]}}
        - {type: RequestMirror, requestMirror: {backendRef: {name: next, namespace: lab, port: 84}}}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: UDPRoute
metadata: {name: dns}
spec: {rules: [{backendRefs: [{name: dns}]}]}
";
    check(
        text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        ns lab kubernetes.io/metadata.name=lab implied
        ns pay kubernetes.io/metadata.name=pay implied
        ns shop kubernetes.io/metadata.name=shop implied
        UDPRoute default/dns by [] for [] to ["default/dns None"]
        Ingress shop/front by ["nginx"] for ["shop.example.com"] to ["shop/fallback Some(Name(\"http\"))", "shop/web Some(Number(80))"]
        HTTPRoute shop/route by ["gw"] for ["a.example.com"] to ["shop/web Some(Number(80))", "pay/other Some(Number(81))", "shop/audited Some(Number(82))", "shop/audit Some(Number(83))", "lab/next Some(Number(84))"]
    "#]],
    );
}

#[test]
fn lists_are_unpacked() {
    let text = "
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: PodList
    items: [{metadata: {name: a}}]
  - {apiVersion: v1, kind: Pod, metadata: {name: b}}
---
apiVersion: v1
kind: PodList
items: []
";
    check(
        text,
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/a live of Pod default/a, no labels, [] [] line 7
        default/b live of Pod default/b, no labels, [] [] line 8
    "#]],
    );
}

#[test]
fn comments_empty_documents_anchors_and_merges() {
    let text = "# Source: chart/a.yaml
---
# Source: chart/empty.yaml
---
%TAG ! tag:example.com,2000:
---
apiVersion: v1
kind: Pod
metadata:
  name: a
  labels: &labels {app: a, tier: x}
...
---
apiVersion: v1
kind: Pod
metadata:
  name: b
  labels: {<<: [{app: z}, {app: y, zone: c}], tier: y}
---
apiVersion: v1
kind: Pod
metadata:
  name: c
  annotations: {x: &value v}
  labels: {a: *value}
";
    check(
        &text.replace("%TAG ! tag:example.com,2000:\n---\n", ""),
        expect![[r#"
        ns default kubernetes.io/metadata.name=default implied
        default/a live of Pod default/a, app=a,tier=x, [] [] line 5
        default/b live of Pod default/b, app=z,tier=y,zone=c, [] [] line 12
        default/c live of Pod default/c, a=v, [] [] line 18
        yaml-1-1 `y` is a string here, and the boolean true to readers of YAML 1.1
    "#]],
    );
}

#[test]
fn json_and_yaml_give_the_same() {
    let json = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "é\u00e9"[0:0]"#;
    assert!(import_text("a.json", json).has_errors());
    let json = "\u{feff}\r\n {\"apiVersion\": \"v1\",\r\n\"kind\": \"Pod\", \"metadata\": \
                {\"name\": \"a\", \"labels\": {\"b\": \"c\\u0064\"}}, \"spec\": {\"containers\": []}}\n";
    let yaml = "\r\n\r\napiVersion: v1\r\nkind: Pod\r\nmetadata: {name: a, labels: {b: cd}}";
    let (json, yaml) = (import_text("a", json), import_text("a", yaml));
    assert_eq!(json.findings, []);
    let without_place =
        |imported: &Imported| Pod { span: None, ..imported.snapshot.pods[0].clone() };
    assert_eq!(without_place(&json), without_place(&yaml));
    let line =
        |imported: &Imported| imported.snapshot.pods[0].span.map(|span| (span.line, span.column));
    assert_eq!((line(&json), line(&yaml)), (Some((2, 2)), Some((3, 1))));
}

#[test]
fn columns_count_characters() {
    let text = "{\"é\": \"ü\", \"kind\": \"Pod\"}\n";
    let span = import_text("a", text).findings[0].span.unwrap();
    assert_eq!((span.line, span.column, span.length), (1, 1, 25));
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {annotations: {é: ü}, name: É}\n";
    let span = import_text("a", text).findings[0].span.unwrap();
    assert_eq!((span.line, span.column, span.length), (3, 39, 1));
}

#[test]
fn the_order_of_documents_and_files_changes_nothing() {
    let documents: Vec<&str> = OWNED.split("---\n").collect();
    let more = [
        "apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {}\n",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n",
    ];
    let all: Vec<&str> = documents.iter().chain(&more).copied().collect();
    let names = ["a", "b", "c", "d", "e"];
    let snapshot = |order: &[usize]| {
        let texts = order.iter().map(|index| (names[*index], all[*index]));
        summary(&import_texts(texts))
    };
    assert_eq!(snapshot(&[0, 1, 2, 3, 4]), snapshot(&[4, 2, 3, 1, 0]));
}
