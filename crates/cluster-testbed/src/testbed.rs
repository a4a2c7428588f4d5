//! A running cluster, and what tests do with it.

use crate::apart::{Apart, FABRIC, node_name, pod_network};
use crate::certificates::{Authority, ClientCertificate};
use crate::control_plane::{ControlPlane, SERVER, Wanted};
use crate::leftovers::{self, Folder};
use crate::node::{self, Node};
use crate::parts::Part;
use crate::spawned::{run, until};
use crate::{images, manifests};
use anyhow::{Context as _, Result, ensure};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// What a cluster is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// At least one, at most 9.
    pub nodes: usize,
    /// Added to the API server's, for instance feature gates or an OIDC provider.
    pub api_server_arguments: Vec<String>,
    /// Instead of the one that keeps the metadata of everything.
    pub audit_policy: Option<String>,
    /// Where the testbed's folder is made.
    pub parent: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 2,
            api_server_arguments: Vec::new(),
            audit_policy: None,
            parent: std::env::temp_dir(),
        }
    }
}

/// A cluster that is there as long as this value.
pub struct Testbed {
    apart: Apart,
    authority: Authority,
    control_plane: ControlPlane,
    nodes: Vec<Node>,
    folder: Folder,
    is_down: bool,
}

impl Testbed {
    /// Brings a cluster up: nodes are ready and names resolve when this returns.
    ///
    /// # Errors
    /// Not root, a part or package is missing, or something of the cluster ended; its log is named.
    pub fn up(options: &Options) -> Result<Self> {
        ensure!(
            (1..=9).contains(&options.nodes),
            "a testbed has 1 to 9 nodes, not {}",
            options.nodes
        );
        ensure!(
            nix::unistd::geteuid().is_root(),
            "a testbed needs root: it makes namespaces and control groups"
        );
        leftovers::remove_abandoned(&options.parent)?;
        let images = images::made()?;
        Part::Kubernetes.built()?;
        let folder = Folder::make(&options.parent)?;
        let authority = Authority::make(&folder.path.join("certificates"))?;
        let apart = Apart::new()?;
        apart.make_fabric()?;
        let wanted = Wanted {
            folder: &folder.path,
            authority: &authority,
            api_server_arguments: &options.api_server_arguments,
            audit_policy: options.audit_policy.as_deref(),
        };
        let control_plane = ControlPlane::start(&apart, &wanted)?;
        let mut testbed =
            Self { apart, authority, control_plane, nodes: Vec::new(), folder, is_down: false };
        testbed.start_nodes(options.nodes, &images)?;
        testbed.wait()?;
        Ok(testbed)
    }

    fn start_nodes(&mut self, n_nodes: usize, images: &[PathBuf]) -> Result<()> {
        for number in 1..=n_nodes {
            self.apart.make_node(number, n_nodes)?;
            self.nodes.push(Node::start(
                &self.apart,
                number,
                &self.folder.path,
                &self.folder.control_group(),
            )?);
        }
        let apart = &self.apart;
        std::thread::scope(|scope| {
            let imports: Vec<_> = self
                .nodes
                .iter_mut()
                .map(|node| scope.spawn(|| node.import(apart, images)))
                .collect();
            imports.into_iter().try_for_each(|import| {
                import.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        let kubectl = Part::Kubernetes.program("kubectl")?;
        let kubeconfig = self.control_plane.kubeconfig.clone();
        self.control_plane.wait(|| {
            let mut command = apart.in_network(FABRIC, &kubectl);
            command.env("KUBECONFIG", &kubeconfig);
            command
        })?;
        for node in &mut self.nodes {
            node.join(&self.apart, &self.authority)?;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        for number in 1..=self.nodes.len() {
            let name = node_name(number);
            self.until_alive("the node registers", |testbed| {
                Ok(testbed.kubectl(&["get", "node", &name])?.status.success())
            })?;
            // Nobody else assigns networks here, so that routes can be there before nodes.
            let network = pod_network(number);
            let patch = format!(r#"{{"spec":{{"podCIDR":"{network}","podCIDRs":["{network}"]}}}}"#);
            self.kubectl_fine(&["patch", "node", &name, "--type=merge", "-p", &patch])?;
        }
        self.apply(&manifests::core_dns())?;
        let ready = ["wait", "--for=condition=Ready", "node", "--all", "--timeout=40s"];
        self.kubectl_fine(&ready)?;
        self.kubectl_fine(&[
            "-n",
            "kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            "--timeout=40s",
        ])?;
        self.until_alive("the default service account is there", |testbed| {
            Ok(testbed.kubectl(&["get", "serviceaccount", "default"])?.status.success())
        })
    }

    fn until_alive(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        until(what, Duration::from_secs(60), || {
            self.control_plane.still_running()?;
            self.nodes.iter_mut().try_for_each(Node::still_running)?;
            holds(self)
        })
    }

    /// Removes what testbeds left below a folder whose owners are gone; [`Testbed::up`] does so too.
    ///
    /// # Errors
    /// A control group or a file stays.
    pub fn clean(parent: &Path) -> Result<()> {
        leftovers::remove_abandoned(parent)
    }

    /// What its folder and its control groups are called by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.folder.id
    }

    /// Where the testbed keeps its files; logs of its programs are below `logs/`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    #[must_use]
    pub fn server(&self) -> &'static str {
        SERVER
    }

    /// Of a member of `system:masters`.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.control_plane.kubeconfig
    }

    #[must_use]
    pub fn audit_log(&self) -> &Path {
        &self.control_plane.audit_log
    }

    /// The certificate of the cluster's authority; its key is beside it as `ca.key`.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.authority.certificate()
    }

    /// A certificate of a user of the cluster, with at most two groups.
    ///
    /// # Errors
    /// More groups, or the files cannot be written.
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<ClientCertificate> {
        self.authority.client(user, groups)
    }

    /// A certificate for a server at these names and addresses, signed by the cluster's authority.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn server_certificate(&self, name: &str, names: &[&str]) -> Result<ClientCertificate> {
        self.authority.server(name, &[], names)
    }

    /// A program in the network of the control plane: it reaches the API server, and listens where pods and nodes
    /// reach it at 192.168.77.1. It is the caller's child and does not end with the testbed.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.apart.in_network(FABRIC, program)
    }

    /// A program among the processes of a node, numbered from 1.
    #[must_use]
    pub fn on_node(&self, number: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.apart.inside(&node_name(number), program)
    }

    /// containerd's client on a node, numbered from 1.
    ///
    /// # Errors
    /// There is no such node.
    pub fn ctr(&self, number: usize) -> Result<Command> {
        let node = self
            .nodes
            .get(number.wrapping_sub(1))
            .with_context(|| format!("there is no node {number}"))?;
        node::ctr(&self.apart, number, &node.socket())
    }

    /// A file that stands for the network of a node, numbered from 1; 0 is the control plane's.
    #[must_use]
    pub fn network(&self, number: usize) -> PathBuf {
        if number == 0 {
            self.apart.network(FABRIC)
        } else {
            self.apart.network(&node_name(number))
        }
    }

    /// The first process of the testbed; all end with it.
    #[must_use]
    pub const fn init(&self) -> u32 {
        self.apart.pid()
    }

    /// `kubectl` of the cluster's version, as its administrator.
    ///
    /// # Errors
    /// It cannot be run; what it ends with is in the output.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(Part::Kubernetes.program("kubectl")?);
        command.env("KUBECONFIG", self.admin_kubeconfig()).args(arguments).stdin(Stdio::null());
        command.output().context("running kubectl")
    }

    /// The same, and it must succeed; gives what it printed.
    ///
    /// # Errors
    /// It did not succeed.
    pub fn kubectl_fine(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(Part::Kubernetes.program("kubectl")?);
        command.env("KUBECONFIG", self.admin_kubeconfig()).args(arguments);
        Ok(String::from_utf8_lossy(&run(&mut command)?.stdout).into_owned())
    }

    /// Applies manifests by the server.
    ///
    /// # Errors
    /// The API server refuses one.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let mut command = self.command(Part::Kubernetes.program("kubectl")?);
        command.env("KUBECONFIG", self.admin_kubeconfig()).args([
            "apply",
            "--server-side",
            "-f",
            "-",
        ]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().context("kubectl has no input")?.write_all(manifests.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "kubectl apply: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Runs a pod of the busybox image that sleeps, and waits until it is ready.
    ///
    /// # Errors
    /// It does not get ready.
    pub fn run_pod(&self, namespace: &str, name: &str, node: usize) -> Result<()> {
        let node = node_name(node);
        self.apply(&format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
             spec:\n  nodeName: {node}\n  terminationGracePeriodSeconds: 0\n  containers:\n  - {{name: main, \
             image: 'docker.io/library/busybox:1', imagePullPolicy: Never}}\n"
        ))?;
        self.kubectl_fine(&[
            "-n",
            namespace,
            "wait",
            "--for=condition=Ready",
            "--timeout=30s",
            &format!("pod/{name}"),
        ])?;
        Ok(())
    }

    /// Takes everything away, and says what could not be.
    ///
    /// # Errors
    /// A control group or a file stays.
    pub fn down(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_down, true) {
            return Ok(());
        }
        self.apart.end()?;
        self.control_plane.reap();
        self.nodes.iter_mut().for_each(Node::reap);
        self.folder.remove()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        // What stays is removed by the next testbed.
        drop(self.end());
    }
}

impl std::fmt::Debug for Testbed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Testbed").field("folder", &self.folder.path).finish_non_exhaustive()
    }
}
