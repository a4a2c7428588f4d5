//! Manifests in a line each, and questions in the words of the command line.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a fixture that does not parse is a broken test"
)]

use kube_import::{Imported, Options, import_text};
use net_types::Protocol;
use policy_engine::{
    Assumptions, Cause, DecidingTier, Decision, End, Granularity, MapPeer, Program, Semantics,
    ServiceDecision, ServiceProblem, Verdict,
};
use policy_model::{PolicyId, PolicyKind, Snapshot};

pub(crate) fn namespace(name: &str, labels: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{labels}}}}}}}")
}

pub(crate) fn node(name: &str, labels: &str, address: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{{labels}}}}}, \
         status: {{addresses: [{{type: InternalIP, address: '{address}'}}]}}}}"
    )
}

/// A pod without labels or an address.
pub(crate) fn pod(path: &str) -> String {
    object("v1", "Pod", path, "")
}

pub(crate) fn labelled_pod(path: &str, labels: &str) -> String {
    let (namespace, name) = split(path);
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}, \
         labels: {{{labels}}}}}}}"
    )
}

pub(crate) fn pod_at(path: &str, address: &str) -> String {
    object("v1", "Pod", path, &format!("status: {{podIP: '{address}'}}"))
}

pub(crate) fn pod_on(path: &str, node: &str, address: &str) -> String {
    let rest = format!("spec: {{nodeName: {node}}}, status: {{podIP: '{address}'}}");
    object("v1", "Pod", path, &rest)
}

/// A pod on the host network of a node.
pub(crate) fn host_pod(path: &str, node: &str, address: &str) -> String {
    let spec = format!("spec: {{hostNetwork: true, nodeName: {node}}}");
    object("v1", "Pod", path, &format!("{spec}, status: {{podIP: '{address}'}}"))
}

/// A pod whose one container has these ports.
pub(crate) fn serving(path: &str, ports: &str) -> String {
    object("v1", "Pod", path, &format!("spec: {{containers: [{{name: c, ports: [{ports}]}}]}}"))
}

pub(crate) fn deployment(path: &str, labels: &str) -> String {
    let template = format!("template: {{metadata: {{labels: {{{labels}}}}}, spec: {{}}}}");
    object("apps/v1", "Deployment", path, &format!("spec: {{{template}}}"))
}

pub(crate) fn service(path: &str, spec: &str) -> String {
    object("v1", "Service", path, &format!("spec: {{{spec}}}"))
}

pub(crate) fn policy(path: &str, spec: &str) -> String {
    object("networking.k8s.io/v1", "NetworkPolicy", path, &format!("spec: {{{spec}}}"))
}

/// A ClusterNetworkPolicy.
pub(crate) fn cluster_policy(name: &str, spec: &str) -> String {
    cluster_object("v1alpha2", "ClusterNetworkPolicy", name, spec)
}

/// An AdminNetworkPolicy.
pub(crate) fn admin_policy(name: &str, spec: &str) -> String {
    cluster_object("v1alpha1", "AdminNetworkPolicy", name, spec)
}

/// The BaselineAdminNetworkPolicy.
pub(crate) fn baseline_policy(spec: &str) -> String {
    cluster_object("v1alpha1", "BaselineAdminNetworkPolicy", "default", spec)
}

pub(crate) fn object(api_version: &str, kind: &str, path: &str, rest: &str) -> String {
    let (namespace, name) = split(path);
    format!(
        "{{apiVersion: {api_version}, kind: {kind}, \
         metadata: {{name: {name}, namespace: {namespace}}}, {rest}}}"
    )
}

fn cluster_object(version: &str, kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: policy.networking.k8s.io/{version}\nkind: {kind}\n\
         metadata: {{name: {name}}}\nspec: {{{spec}}}"
    )
}

fn split(path: &str) -> (&str, &str) {
    path.split_once('/').unwrap()
}

/// Objects that were read without a finding, as a program.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) program: Program,
}

/// Of one question: source, destination, port.
type Row<'r> = (&'r str, &'r str, &'r str, Verdict);

impl World {
    pub(crate) fn of(documents: &[String]) -> Self {
        Self::under(Semantics::Upstream, snapshot(documents))
    }

    pub(crate) fn cilium(documents: &[String]) -> Self {
        Self::under(Semantics::Cilium, snapshot(documents))
    }

    pub(crate) fn under(semantics: Semantics, snapshot: Snapshot) -> Self {
        Self { program: Program::compile(snapshot, Assumptions::new(semantics)) }
    }

    /// A pod by `namespace/name`, what has an address, or a domain name.
    pub(crate) fn end(&self, name: &str) -> End {
        if let Ok(address) = name.parse() {
            return self.program.end_at(address).unwrap();
        }
        if !name.contains('/') {
            return End::Name(name.to_owned());
        }
        let mut pods = self.program.pods();
        End::Pod(pods.find(|(_, pod)| pod.to_string() == name).expect(name).0)
    }

    pub(crate) fn decide(&self, from: &str, to: &str, port: &str) -> Decision {
        let (protocol, number) = port_of(port);
        self.program.decide(&self.end(from), &self.end(to), protocol, number)
    }

    #[track_caller]
    pub(crate) fn check(&self, rows: &[Row<'_>]) {
        let found: Vec<Row<'_>> = rows
            .iter()
            .map(|(from, to, port, _)| (*from, *to, *port, self.decide(from, to, port).verdict))
            .collect();
        assert_eq!(found, rows);
    }

    /// The verdict is undefined, for this reason and no other.
    #[track_caller]
    pub(crate) fn check_undefined(&self, from: &str, to: &str, port: &str, reason: &str) {
        let decision = self.decide(from, to, port);
        let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
        assert_eq!((decision.verdict, reasons), (Verdict::Undefined, vec![reason]));
    }

    /// What decided egress and ingress.
    pub(crate) fn causes(&self, from: &str, to: &str, port: &str) -> (Cause, Cause) {
        let decision = self.decide(from, to, port);
        (decision.egress.cause, decision.ingress.cause)
    }

    /// The tiers that decided egress and ingress.
    pub(crate) fn tiers(&self, from: &str, to: &str, port: &str) -> (DecidingTier, DecidingTier) {
        let (egress, ingress) = self.causes(from, to, port);
        (self.program.deciding_tier(egress), self.program.deciding_tier(ingress))
    }

    pub(crate) fn through(
        &self,
        from: &str,
        service: &str,
        port: &str,
    ) -> Result<ServiceDecision, ServiceProblem> {
        let (namespace, name) = split(service);
        let service = self.program.service(namespace, name).unwrap();
        let (protocol, number) = port_of(port);
        self.program.decide_service(&self.end(from), service, protocol, number)
    }

    #[track_caller]
    pub(crate) fn check_through(&self, from: &str, service: &str, port: &str, verdict: Verdict) {
        assert_eq!(self.through(from, service, port).unwrap().verdict, verdict, "{from} {port}");
    }

    /// The map's rows between workloads: `shop/web → pay/db: TCP 80`.
    pub(crate) fn map(&self) -> Vec<String> {
        let mut rows = Vec::new();
        self.program.map(Granularity::Workload).visit(|row| {
            if let (MapPeer::Workload(from), MapPeer::Workload(to)) = (row.from, row.to) {
                rows.push(format!("{from} → {to}: {}", row.traffic.allowed));
            }
            true
        });
        rows
    }

    pub(crate) fn policy_id(kind: PolicyKind, path: &str) -> PolicyId {
        match path.split_once('/') {
            Some((namespace, name)) => {
                PolicyId { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
            }
            None => PolicyId { kind, namespace: None, name: path.to_owned() },
        }
    }
}

fn port_of(text: &str) -> (Protocol, u16) {
    let (number, protocol) = text.split_once('/').unwrap_or(("0", text));
    (protocol.parse().unwrap(), number.parse().unwrap())
}

pub(crate) fn read(documents: &[String]) -> Imported {
    import_text("world.yaml", &documents.join("\n---\n"))
}

#[track_caller]
pub(crate) fn snapshot(documents: &[String]) -> Snapshot {
    let imported = read(documents);
    assert_eq!(imported.findings, []);
    imported.snapshot
}

/// A NetworkPolicy for error messages; its spec is on line 4 from column 8 on.
pub(crate) fn broken_policy(spec: &str) -> String {
    let head = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy";
    format!("{head}\nmetadata: {{name: p, namespace: shop}}\nspec: {{{spec}}}")
}

/// An input error: no answer may be given, and the policy decides nothing. Each finding as
/// ``line:column code `text` ``.
#[track_caller]
pub(crate) fn refused(document: String) -> Vec<String> {
    let imported = read(&[document]);
    assert!(imported.must_stop(&Options::default()));
    assert!(imported.snapshot.policies.is_empty(), "{:?}", imported.snapshot.policies);
    assert_eq!(imported.snapshot.left_out.len(), 1);
    places(&imported)
}

pub(crate) fn places(imported: &Imported) -> Vec<String> {
    let findings = imported.findings.iter();
    findings
        .map(|finding| {
            let span = finding.span.unwrap();
            let line = imported.files.line(span.file, span.line).unwrap();
            let text: String =
                (line.chars()).skip(span.column as usize - 1).take(span.length as usize).collect();
            format!("{}:{} {} `{text}`", span.line, span.column, finding.code)
        })
        .collect()
}
