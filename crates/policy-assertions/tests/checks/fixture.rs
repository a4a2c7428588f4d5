//! A shop with a payments namespace: closed by default, `web` may ask `api`, `api` the database.

use finding_model::SourceFiles;
use policy_assertions::{Example, PolicyTest, Results, run_tests};
use policy_engine::{Assumptions, Semantics};
use std::fmt::Write as _;

pub(crate) const SHOP: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: pci, labels: {compliance: pci}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: shop}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: api, namespace: pci}, spec: {selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}}, spec: {containers: [{name: c, ports: [{name: https, containerPort: 8443}]}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: db, namespace: pci}, spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: pci}, spec: {selector: {app: api}, ports: [{name: tls, port: 443, targetPort: https}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: pci}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: pci}
spec:
  podSelector: {matchLabels: {app: api}}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels: {app: web}}}]
    ports: [{port: https}]
  - from: [{ipBlock: {cidr: 203.0.113.0/24}}]
    ports: [{port: 8443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: pci}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
"#;

/// Runs a test's `spec` against manifests.
pub(crate) fn results(manifests: &str, spec: &str) -> Results {
    let imported = kube_import::import_text("manifests.yaml", manifests);
    assert!(!imported.has_errors(), "{:#?}", imported.findings);
    let test = read(spec);
    run_tests(&imported.snapshot, Assumptions::new(Semantics::Upstream), &[&test])
}

pub(crate) fn read(spec: &str) -> PolicyTest {
    let indented: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!(
        "apiVersion: weir.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: t}}\nspec:\n{indented}"
    );
    let mut files = SourceFiles::default();
    let file = files.add("test.yaml".into());
    let (mut tests, findings) =
        kube_import::read_tests(file, &text, kube_import::Limits::default());
    assert_eq!(findings, Vec::new(), "{text}");
    assert_eq!(tests.len(), 1);
    tests.remove(0)
}

/// One line for each check, problem and example.
pub(crate) fn shown(results: &Results) -> String {
    let mut text = String::new();
    for check in results.checks() {
        let word = if check.passed() { "ok" } else { "FAILED" };
        writeln!(text, "{word} {}", check.title).unwrap();
        for problem in &check.problems {
            let n = problem.n_examples;
            writeln!(text, "  {}: {} ({n})", problem.kind.code(), problem.message).unwrap();
            for example in &problem.examples {
                match example {
                    Example::Connection(witness) => {
                        let reasons: Vec<&str> = witness.reasons.iter().map(|r| r.code()).collect();
                        writeln!(
                            text,
                            "    {} → {} {}: {} {reasons:?}\n      egress: {}\n      ingress: {}",
                            witness.from,
                            witness.to,
                            witness.port,
                            witness.verdict,
                            witness.egress.text,
                            witness.ingress.text
                        )
                        .unwrap();
                    }
                    Example::Pod { name, span: _, text: why } => {
                        writeln!(text, "    {name}: {why}").unwrap();
                    }
                }
            }
        }
        for note in &check.notes {
            writeln!(text, "  note: {note}").unwrap();
        }
    }
    text
}

pub(crate) fn run(spec: &str) -> String {
    shown(&results(SHOP, spec))
}
