//! Every rule by which input is refused or warned of, each on the smallest manifest that breaks it.

mod admin_policies;
mod cluster_policies;
mod documents;
mod network_policies;
mod objects;

use expect_test::Expect;
use kube_import::{Imported, import_text};

/// `line:column+length severity code message`, with why and help, and what was left out.
fn report(imported: &Imported) -> String {
    let mut lines = Vec::new();
    for finding in &imported.findings {
        let place = finding.span.map_or("-".to_owned(), |span| {
            format!("{}:{}+{}", span.line, span.column, span.length)
        });
        let why = finding.why.as_ref().map_or(String::new(), |why| format!("\n    why: {why}"));
        lines.push(format!(
            "{place} {} {}: {}{why}\n    help: {}",
            finding.severity, finding.code, finding.message, finding.help
        ));
    }
    for left_out in &imported.snapshot.left_out {
        lines.push(format!("left out: {} {:?}", left_out.object, left_out.scope));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "what `expect!` gives")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&report(&import_text("a.yaml", text)));
}

/// A NetworkPolicy with this spec, from line 4 on.
fn check_policy(spec: &str, expected: Expect) {
    let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web}\n";
    check(&format!("{head}{spec}"), expected);
}

fn check_rule(rule: &str, expected: Expect) {
    check_policy(&format!("spec: {{podSelector: {{}}, ingress: [{rule}]}}\n"), expected);
}

/// A ClusterNetworkPolicy with this egress rule on line 5.
fn check_cluster_rule(rule: &str, expected: Expect) {
    let head = "apiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n\
                metadata: {name: base}\n\
                spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, egress: [\n";
    check(&format!("{head}{rule}]}}\n"), expected);
}

/// A v1alpha1 policy with this ingress rule on line 5.
fn check_admin_rule(rule: &str, expected: Expect) {
    let head = "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\n\
                metadata: {name: base}\n\
                spec: {priority: 1, subject: {namespaces: {}}, ingress: [\n";
    check(&format!("{head}{rule}]}}\n"), expected);
}
