//! Pods that are more than pods.

use super::cluster::{Cluster, Pod};
use super::codes;
use finding_model::{Finding, Severity};
use serde_json::Value;

/// Folders of the host that give the host: what is in them, or below which they are.
const HOST_FOLDERS: [&str; 7] = [
    "/etc/kubernetes",
    "/proc",
    "/root",
    "/run/containerd",
    "/run/crio",
    "/var/lib/kubelet",
    "/var/run",
];

pub(super) fn findings(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named = |pods: Vec<&Pod>| -> Vec<String> {
        pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
    };
    let statics = named(cluster.pods.iter().filter(|pod| pod.is_static).collect());
    if !statics.is_empty() {
        let message = format!("{} come from files on nodes", report(&statics, "pod"));
        let help = "see who can write to the kubelets' folders of static pods; a session in such a pod is refused and \
                    recorded as in any other";
        findings.push(
            Finding::new(codes::STATIC_PODS, Severity::Info, message, help)
                .because("no admission sees them start, and the API server cannot remove them")
                .witnessed_by(statics.join(", ")),
        );
    }
    let reaching = cluster.pods.iter().filter(|pod| !pod.is_static && reaches_host(&pod.spec));
    let reaching = named(reaching.collect());
    if !reaching.is_empty() {
        let message = format!("{} reach their node", report(&reaching, "pod"));
        let help = "let only few have sessions in them (a rule of the gateway with these namespaces or labels), and see \
                    whether they need it";
        findings.push(
            Finding::new(codes::HOST_PODS, Severity::Info, message, help)
                .because("a session in one of them is recorded, what it starts on the node is not")
                .witnessed_by(reaching.join(", ")),
        );
    }
    findings
}

fn report(pods: &[String], noun: &str) -> String {
    let plural = if pods.len() == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", pods.len())
}

fn reaches_host(spec: &Value) -> bool {
    let is_set = |value: &Value, name: &str| value.get(name).is_some_and(|set| set == true);
    let list = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_privileged = |container: &Value| {
        container.get("securityContext").is_some_and(|context| is_set(context, "privileged"))
    };
    let containers =
        list("containers").chain(list("initContainers")).chain(list("ephemeralContainers"));
    let mounts_host = |volume: &Value| {
        let path = volume.pointer("/hostPath/path").and_then(Value::as_str);
        path.is_some_and(gives_host)
    };
    is_set(spec, "hostPID")
        || is_set(spec, "hostIPC")
        || containers.into_iter().any(is_privileged)
        || list("volumes").any(mounts_host)
}

fn gives_host(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let below = |folder: &str, path: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path.is_empty() || HOST_FOLDERS.iter().any(|folder| below(folder, path) || below(path, folder))
}
