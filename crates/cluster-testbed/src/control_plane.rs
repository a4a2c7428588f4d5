//! etcd, the API server and the controllers, in the fabric.

use crate::apart::{Apart, FABRIC, FABRIC_ADDRESS};
use crate::certificates::Authority;
use crate::parts::Part;
use crate::spawned::Spawned;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const SERVER: &str = "https://192.168.77.1:6443";
const ETCD: &str = "http://127.0.0.1:2379";

/// Who did what, with impersonation and extras. Of what opens a way into a pod or node the whole request as well;
/// of the rest no bodies, which would hold secrets.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: RequestResponse
  resources:
  - group: ''
    resources:
    - pods/exec
    - pods/attach
    - pods/portforward
    - pods/proxy
    - pods/ephemeralcontainers
    - services/proxy
    - nodes/proxy
- level: Metadata
";

pub(crate) struct Wanted<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) authority: &'a Authority,
    pub(crate) api_server_arguments: &'a [String],
    pub(crate) audit_policy: Option<&'a str>,
}

/// Starts all of it, and writes the administrator's kubeconfig.
pub(crate) fn start(apart: Apart, wanted: &Wanted<'_>) -> Result<Vec<Spawned>> {
    let logs = wanted.folder.join("logs");
    let mut spawned = vec![Spawned::start("etcd", &mut etcd(apart, wanted.folder), &logs)?];
    let mut server = api_server(apart, wanted)?;
    spawned.push(Spawned::start("kube-apiserver", &mut server, &logs)?);
    let admin = wanted.authority.client("testbed-admin", &["system:masters"])?;
    wanted.authority.kubeconfig(&admin_kubeconfig(wanted.folder), SERVER, &admin)?;
    for (name, user) in [
        ("kube-controller-manager", "system:kube-controller-manager"),
        ("kube-scheduler", "system:kube-scheduler"),
    ] {
        let own = wanted.folder.join(format!("{name}.kubeconfig"));
        wanted.authority.kubeconfig(&own, SERVER, &wanted.authority.client(user, &[])?)?;
        let mut command = apart.inside(FABRIC, Part::Kubernetes.program(name)?);
        command
            .arg(format!("--kubeconfig={}", own.display()))
            .args(["--leader-elect=false", "--bind-address=127.0.0.1"]);
        if name == "kube-controller-manager" {
            controller_arguments(&mut command, wanted);
        }
        spawned.push(Spawned::start(name, &mut command, &logs)?);
    }
    Ok(spawned)
}

pub(crate) fn admin_kubeconfig(folder: &Path) -> PathBuf {
    folder.join("admin.kubeconfig")
}

pub(crate) fn audit_log(folder: &Path) -> PathBuf {
    folder.join("audit.log")
}

fn etcd(apart: Apart, folder: &Path) -> Command {
    let mut etcd = apart.inside(FABRIC, "etcd");
    etcd.arg(format!("--data-dir={}", folder.join("etcd").display()));
    etcd.arg(format!("--listen-client-urls={ETCD}")).arg(format!("--advertise-client-urls={ETCD}"));
    etcd.args([
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
    ]);
    etcd
}

fn api_server(apart: Apart, wanted: &Wanted<'_>) -> Result<Command> {
    let authority = wanted.authority;
    let names = [
        FABRIC_ADDRESS,
        "10.96.0.1",
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let serving = authority.server("kube-apiserver", &[], &names)?;
    let kubelet = authority.client("kube-apiserver-kubelet-client", &["system:masters"])?;
    let policy = wanted.folder.join("audit-policy.yaml");
    fs::write(&policy, wanted.audit_policy.unwrap_or(AUDIT_POLICY))?;
    let accounts = authority.certificate().with_file_name("accounts.key");
    let mut command = apart.inside(FABRIC, Part::Kubernetes.program("kube-apiserver")?);
    let mut option = |name: &str, value: &Path| {
        command.arg(format!("--{name}={}", value.display()));
    };
    option("client-ca-file", &authority.certificate());
    option("tls-cert-file", &serving.certificate);
    option("tls-private-key-file", &serving.key);
    option("kubelet-certificate-authority", &authority.certificate());
    option("kubelet-client-certificate", &kubelet.certificate);
    option("kubelet-client-key", &kubelet.key);
    option("service-account-signing-key-file", &accounts);
    option("service-account-key-file", &accounts.with_extension("pub"));
    option("audit-policy-file", &policy);
    option("audit-log-path", &audit_log(wanted.folder));
    option("cert-dir", &wanted.folder.join("apiserver"));
    command.args([
        &format!("--etcd-servers={ETCD}"),
        &format!("--advertise-address={FABRIC_ADDRESS}"),
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--audit-log-mode=blocking",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=master-count",
    ]);
    command.args(wanted.api_server_arguments);
    Ok(command)
}

fn controller_arguments(command: &mut Command, wanted: &Wanted<'_>) {
    let authority = wanted.authority;
    let accounts = authority.certificate().with_file_name("accounts.key");
    command.arg(format!("--root-ca-file={}", authority.certificate().display()));
    command.arg(format!("--service-account-private-key-file={}", accounts.display()));
    command.arg(format!("--cluster-signing-cert-file={}", authority.certificate().display()));
    command.arg(format!("--cluster-signing-key-file={}", authority.key().display()));
    command.args(["--use-service-account-credentials=true", "--cluster-cidr=10.244.0.0/16"]);
}
